package inet

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/socket"
)

// apply sets on a fresh endpoint what differs from gVisor's defaults.
func (o *moreOptions) apply(is *Sock, ep tcpip.Endpoint) {
	so := ep.SocketOptions()
	f := Flag(o.flags.Load())
	applyTelling(so, f)
	so.SetMulticastLoop(f&(noMulticastLoop|noMulticastLoop6) == 0)
	applyPMTU(ep, o.pmtu.Load()-1)
	if is.Type == socket.SOCK_STREAM {
		return
	}
	if v := o.mcTTL.Load(); v != 0 && is.Family == socket.AF_INET {
		ep.SetSockOptInt(tcpip.MulticastTTLOption, int(v-1))
	}
	if v := o.mcHops.Load(); v != 0 && is.Family == socket.AF_INET6 {
		ep.SetSockOptInt(tcpip.MulticastTTLOption, int(v-1))
	}
	if v := o.mcIndex6.Load(); v != 0 {
		ep.SetSockOptInt(tcpip.IPv6MulticastInterfaceOption, int(v))
	}
	if o.mcIndex.Load() != 0 || o.mcAddr.Load() != 0 {
		ep.SetSockOpt(o.multicastIf())
	}
	o.memberMu.Lock()
	defer o.memberMu.Unlock()
	for i := range o.membership {
		ep.SetSockOpt(&o.membership[i])
	}
}

// applyTelling tells an endpoint what its receives tell.
func applyTelling(so *tcpip.SocketOptions, f Flag) {
	so.SetReceivePacketInfo(f&(RecvPktInfo|RecvPktInfo6) != 0)
	so.SetReceiveTTL(f&RecvTTL != 0)
	so.SetReceiveTOS(f&RecvTOS != 0)
	so.SetReceiveOriginalDstAddress(f&(RecvOrigDst|RecvOrigDst6) != 0)
	so.SetIPv6ReceivePacketInfo(f&RecvPktInfo6 != 0)
	so.SetReceiveHopLimit(f&RecvHopLimit != 0)
	so.SetReceiveTClass(f&RecvTClass != 0)
	if on := f&RecvErr != 0; on != so.GetIPv4RecvError() {
		so.SetIPv4RecvError(on)
	}
	if on := f&RecvErr6 != 0; on != so.GetIPv6RecvError() {
		so.SetIPv6RecvError(on)
	}
}

// applyPMTU passes a strategy of path MTU discovery on; gVisor knows four.
func applyPMTU(ep tcpip.Endpoint, v int32) {
	switch {
	case v < 0:
	case v >= pmtudiscInterface:
		ep.SetSockOptInt(tcpip.MTUDiscoverOption, IP_PMTUDISC_DONT)
	default:
		ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(v))
	}
}

func (o *moreOptions) multicastIf() *tcpip.MulticastInterfaceOption {
	opt := &tcpip.MulticastInterfaceOption{NIC: tcpip.NICID(o.mcIndex.Load())}
	if a := o.mcAddr.Load(); a != 0 {
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], a)
		opt.InterfaceAddr = tcpip.AddrFrom4(b)
	}
	return opt
}

// setTelling turns a flag on or off, on the endpoint too.
func (is *Sock) setTelling(f Flag, on bool) {
	is.setFlag(f, on)
	if ep := is.ep.Load(); ep != nil {
		so := ep.SocketOptions()
		applyTelling(so, Flag(is.opts.more.flags.Load()))
		so.SetMulticastLoop(!is.Has(noMulticastLoop | noMulticastLoop6))
	}
}
