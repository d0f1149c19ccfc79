package udp

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
)

// An icmpError is what an error that came in does to a Sock. Those that are
// not fatal are for IP_RECVERR alone.
type icmpError struct {
	err   tcpip.Error
	fatal bool
}

// icmpErrors is Linux's icmp_err_convert, by gVisor's kinds.
var icmpErrors = map[stack.TransportErrorKind]icmpError{
	stack.DestinationNetworkUnreachableTransportError: {&tcpip.ErrNetworkUnreachable{}, false},
	stack.DestinationHostUnreachableTransportError:    {&tcpip.ErrHostUnreachable{}, false},
	stack.DestinationProtoUnreachableTransportError:   {&tcpip.ErrUnknownProtocolOption{}, true},
	stack.DestinationPortUnreachableTransportError:    {&tcpip.ErrConnectionRefused{}, true},
	stack.SourceRouteFailedTransportError:             {&tcpip.ErrNotSupported{}, false},
	stack.DestinationHostDownTransportError:           {&tcpip.ErrHostDown{}, true},
	stack.SourceHostIsolatedTransportError:            {&tcpip.ErrNoNet{}, true},
	stack.PacketTooBigTransportError:                  {&tcpip.ErrMessageTooLong{}, true},
}

// HandleError implements stack.TransportEndpoint: Linux's udp_err and
// udpv6_err. Without IP_RECVERR only a connected Sock is told, and only what
// is fatal.
func (e *endpoint) HandleError(transErr stack.TransportError, pkt *stack.PacketBuffer) {
	ie, ok := icmpErrors[transErr.Kind()]
	if !ok {
		return
	}
	v6 := pkt.NetworkProtocolNumber == header.IPv6ProtocolNumber
	if transErr.Kind() == stack.PacketTooBigTransportError && e.is.PMTUDiscover(v6) == pmtudiscDont {
		return
	}
	switch told := e.is.TellsErrors(v6); {
	case told:
		e.queueErr(ie.err, transErr, pkt)
	case !ie.fatal || e.at.Load().route == nil:
		return
	}
	if no, ok := errno.FromTCPIP(ie.err).(errno.Errno); ok {
		e.fail(no)
	}
}

// queueErr is Linux's ip_icmp_error: the payload that could not be delivered,
// without the UDP header, and where it was to go.
func (e *endpoint) queueErr(err tcpip.Error, cause tcpip.SockErrorCause, pkt *stack.PacketBuffer) {
	dst := tcpip.FullAddress{NIC: pkt.NICID, Addr: innerDestination(pkt)}
	payload := pkt.Data().AsRange().ToView()
	if b := payload.AsSlice(); len(b) >= header.UDPMinimumSize {
		dst.Port = header.UDP(b).DestinationPort()
		payload.TrimFront(header.UDPMinimumSize)
	}
	if dst.Addr.BitLen() == 0 {
		dst.Addr = e.at.Load().id.RemoteAddress
	}
	if !e.chargeErr(payload.Size()) {
		payload.Release()
		return
	}
	e.ops.QueueErr(&tcpip.SockError{
		Err: err, Cause: cause, Payload: payload, Dst: dst,
		Offender: tcpip.FullAddress{NIC: pkt.NICID, Addr: pkt.Network().SourceAddress()},
		NetProto: pkt.NetworkProtocolNumber,
	})
}

// innerDestination reads where a packet was to go of which an ICMP error
// tells. The stack has taken its IP header off, but it is still there, behind
// the error's own headers.
func innerDestination(pkt *stack.PacketBuffer) tcpip.Address {
	v := pkt.ToView()
	defer v.Release()
	b := v.AsSlice()
	off := len(pkt.LinkHeader().Slice()) + len(pkt.VirtioNetHeader().Slice()) +
		len(pkt.NetworkHeader().Slice()) + header.ICMPv4MinimumSize // ICMPv6's, too
	if off > len(b) {
		return tcpip.Address{}
	}
	b = b[off:]
	switch {
	case pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber && len(b) >= header.IPv4MinimumSize:
		return header.IPv4(b).DestinationAddress()
	case pkt.NetworkProtocolNumber == header.IPv6ProtocolNumber && len(b) >= header.IPv6MinimumSize:
		return header.IPv6(b).DestinationAddress()
	}
	return tcpip.Address{}
}

// queueLocalErr is Linux's ip_local_error and ipv6_local_error: what the
// machine itself says about a send, here that it is longer than mtu.
func (e *endpoint) queueLocalErr(to tcpip.FullAddress, mtu int) {
	if v6 := protoOf(to.Addr) == header.IPv6ProtocolNumber; e.is.TellsErrors(v6) && e.chargeErr(0) {
		e.ops.QueueLocalErr(&tcpip.ErrMessageTooLong{}, protoOf(to.Addr), uint32(mtu), to, nil)
	}
}

// chargeErr counts an error with n bytes of payload that is going to be queued,
// or reports that there is no room for it (sock_queue_err_skb).
func (e *endpoint) chargeErr(n int) bool {
	if e.ops.PeekErr() == nil {
		e.errCharge.Store(0) // IP_RECVERR's end empties the queue
	}
	_, data, _ := e.q.length()
	charge := int64(truesize(n))
	if int64(data)+e.errCharge.Add(charge) >= int64(e.rcvBuf()) {
		e.errCharge.Add(-charge)
		return false
	}
	return true
}

// ErrTaken implements inet.ErrQueuer.
func (e *endpoint) ErrTaken(err *tcpip.SockError) {
	n := 0
	if err.Payload != nil {
		n = err.Payload.Size()
	}
	e.errCharge.Add(-int64(truesize(n)))
}
