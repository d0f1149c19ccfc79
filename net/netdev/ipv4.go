package netdev

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/header/parse"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// ipv4Stack is gVisor's IPv4, with a shorter way in front of it for the packets that most are: TCP and UDP without IP
// options, in one piece, between this machine and another one, while nobody watches packets. For those, what gVisor
// asks of locked maps several times a packet is known beforehand. All others, bad ones included, go gVisor's way, which
// is the only one that refuses anything. (Linux: ip_rcv_core, ip_rcv_finish_core's early demultiplexing.)
type ipv4Stack struct {
	ipv4Protocol
	net *Stack
	ip  *stack.Stack
}

// ipv4Protocol is what gVisor asks of its IPv4, and ipv4Endpoint of the part of it that an interface has: their
// interface and those that it looks for beside.
type ipv4Protocol interface {
	stack.MulticastForwardingNetworkProtocol
	stack.RejectIPv4WithHandler
}

type ipv4Endpoint interface {
	stack.NetworkEndpoint
	stack.AddressableEndpoint
	stack.GroupAddressableEndpoint
	stack.MulticastForwardingNetworkEndpoint
	stack.LinkResolvableNetworkEndpoint
	ipv4.IGMPEndpoint
	SetDeprecated(tcpip.Address, bool) tcpip.Error
}

func (s *Stack) newIPv4(ip *stack.Stack) stack.NetworkProtocol {
	return &ipv4Stack{ipv4Protocol: ipv4.NewProtocol(ip).(ipv4Protocol), net: s, ip: ip}
}

// NewEndpoint implements stack.NetworkProtocol.
func (p *ipv4Stack) NewEndpoint(nic stack.NetworkInterface, up stack.TransportDispatcher) stack.NetworkEndpoint {
	e := &ipv4Interface{p: p, nic: nic, up: up, ipv4Endpoint: p.ipv4Protocol.NewEndpoint(nic, up).(ipv4Endpoint)}
	all := p.ip.Stats()
	e.stats = [2]*tcpip.IPStats{e.ipv4Endpoint.Stats().(stack.IPNetworkEndpointStats).IPStats(), &all.IP}
	return e
}

// ipv4Interface is an interface's IPv4 (Linux: struct in_device).
type ipv4Interface struct {
	ipv4Endpoint
	p     *ipv4Stack
	nic   stack.NetworkInterface
	up    stack.TransportDispatcher
	stats [2]*tcpip.IPStats // the interface's and the stack's

	// mu is held to look at the addresses and store what was seen.
	mu    sync.Mutex
	local atomic.Pointer[[]ifaddr]
}

// An ifaddr is an address of the interface, and its network's broadcast address, or 0 where there is none. (Linux:
// struct in_ifaddr)
type ifaddr struct{ local, broadcast uint32 }

// mostLocal bounds the addresses that are looked through for a packet; with more, all go gVisor's way.
const mostLocal = 8

// look takes over the addresses as they are. local is nil when nothing may go the shorter way: the interface is down,
// or lo, which takes whole networks for its own.
func (e *ipv4Interface) look() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.local.Store(nil)
	if !e.Enabled() || e.nic.IsLoopback() {
		return
	}
	var list []ifaddr
	for _, a := range e.PermanentAddresses() {
		subnet := a.Subnet()
		if a.Address == header.IPv4Broadcast || subnet.IsBroadcast(a.Address) {
			continue
		}
		i := ifaddr{local: asUint32(a.Address)}
		if b := subnet.Broadcast(); subnet.IsBroadcast(b) {
			i.broadcast = asUint32(b)
		}
		list = append(list, i)
	}
	if len(list) <= mostLocal {
		e.local.Store(&list)
	}
}

func asUint32(a tcpip.Address) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// Enable implements stack.NetworkEndpoint.
func (e *ipv4Interface) Enable() tcpip.Error {
	defer e.look()
	return e.ipv4Endpoint.Enable()
}

// Disable implements stack.NetworkEndpoint.
func (e *ipv4Interface) Disable() {
	defer e.look()
	e.ipv4Endpoint.Disable()
}

// Close implements stack.NetworkEndpoint.
func (e *ipv4Interface) Close() {
	defer e.look()
	e.ipv4Endpoint.Close()
}

// AddAndAcquirePermanentAddress implements stack.AddressableEndpoint.
func (e *ipv4Interface) AddAndAcquirePermanentAddress(a tcpip.AddressWithPrefix, p stack.AddressProperties) (stack.AddressEndpoint, tcpip.Error) {
	defer e.look()
	return e.ipv4Endpoint.AddAndAcquirePermanentAddress(a, p)
}

// RemovePermanentAddress implements stack.AddressableEndpoint.
func (e *ipv4Interface) RemovePermanentAddress(a tcpip.Address) tcpip.Error {
	defer e.look()
	return e.ipv4Endpoint.RemovePermanentAddress(a)
}

// HandlePacket implements stack.NetworkEndpoint.
func (e *ipv4Interface) HandlePacket(pkt *stack.PacketBuffer) {
	b, ok := pkt.Data().PullUp(header.IPv4MinimumSize)
	if !ok || !e.plain(header.IPv4(b), pkt) {
		e.ipv4Endpoint.HandlePacket(pkt)
		return
	}
	for _, s := range e.stats {
		s.PacketsReceived.Increment()
		s.ValidPacketsReceived.Increment()
		s.PacketsDelivered.Increment()
	}
	size, proto := int(header.IPv4(b).TotalLength())-header.IPv4MinimumSize, header.IPv4(b).TransportProtocol()
	pkt.NetworkHeader().Consume(header.IPv4MinimumSize)
	if pkt.Data().Size() > size {
		pkt.Data().CapLength(size) // what Ethernet pads
	}
	pkt.NetworkProtocolNumber, pkt.TransportProtocolNumber = header.IPv4ProtocolNumber, proto
	pkt.NICID, pkt.InputNICID = e.nic.ID(), e.nic.ID()
	// A transport header that is cut off is the dispatcher's business.
	if proto == header.TCPProtocolNumber {
		parse.TCP(pkt)
	} else {
		parse.UDP(pkt)
	}
	if e.up.DeliverTransportPacket(proto, pkt) == stack.TransportPacketDestinationPortUnreachable {
		e.p.SendRejectionError(pkt, stack.RejectIPv4WithICMPPortUnreachable, true)
	}
}

// plain reports whether a packet, h being its header, may go the shorter way.
func (e *ipv4Interface) plain(h header.IPv4, pkt *stack.PacketBuffer) bool {
	const versionAndLength, more, offset = 0x45, 0x2000, 0x1fff
	list := e.local.Load()
	if list == nil || e.p.net.Watched() || e.nic.Promiscuous() {
		return false
	}
	size, proto := int(h.TotalLength()), h.TransportProtocol()
	if h[0] != versionAndLength || size < header.IPv4MinimumSize || size > pkt.Data().Size() ||
		binary.BigEndian.Uint16(h[6:])&(more|offset) != 0 ||
		proto != header.TCPProtocolNumber && proto != header.UDPProtocolNumber {
		return false
	}
	const loopback, multicast, broadcast = 127, 0xe, 0xffffffff
	src, dst := binary.BigEndian.Uint32(h[12:]), binary.BigEndian.Uint32(h[16:])
	if src>>24 == loopback || src>>28 == multicast || src == broadcast || dst>>24 == loopback {
		return false
	}
	own := false
	for _, a := range *list {
		if src == a.local || src == a.broadcast && src != 0 {
			return false
		}
		own = own || dst == a.local
	}
	return own && (pkt.RXChecksumValidated || h.IsChecksumValid())
}

// WritePacket implements stack.NetworkEndpoint.
func (e *ipv4Interface) WritePacket(r *stack.Route, params stack.NetworkHeaderParams, pkt *stack.PacketBuffer) tcpip.Error {
	size, mtu := pkt.Size()+header.IPv4MinimumSize, int(e.nic.MTU())
	// A packet that may be fragmented has an identification to be made up (RFC 6864).
	if e.p.net.Watched() || !params.DF || params.ExperimentOptionValue != 0 || r.Loop() != stack.PacketOut ||
		size > math.MaxUint16 || mtu < header.IPv4MinimumMTU || pkt.GSOOptions.Type == stack.GSONone && size > mtu {
		return e.ipv4Endpoint.WritePacket(r, params, pkt)
	}
	h := header.IPv4(pkt.NetworkHeader().Push(header.IPv4MinimumSize))
	h.Encode(&header.IPv4Fields{
		TotalLength: uint16(size), TTL: params.TTL, TOS: params.TOS, Flags: header.IPv4FlagDontFragment,
		Protocol: uint8(params.Protocol), SrcAddr: r.LocalAddress(), DstAddr: r.RemoteAddress(),
	})
	h.SetChecksum(^h.CalculateChecksum())
	pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	if err := e.nic.WritePacket(r, pkt); err != nil {
		for _, s := range e.stats {
			s.OutgoingPacketErrors.Increment()
		}
		return err
	}
	for _, s := range e.stats {
		s.PacketsSent.Increment()
	}
	return nil
}
