package udp

import (
	"math"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport"
	gudp "gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// An output is what one send asks for beside its data.
type output struct {
	to      *tcpip.FullAddress // nil is the peer
	control inet.SendControl
	segment int // UDP_SEGMENT's size, or 0
}

// send sends the message, in datagrams of o.segment bytes if that is not 0.
// EAGAIN when there is no room for a packet.
func (e *endpoint) send(m *socket.Msghdr, o *output) error {
	if err := e.is.TakeErr(); err != nil {
		return err // sock_alloc_send_pskb looks at it
	}
	w, terr := e.wayTo(o)
	if terr != nil {
		return errno.FromTCPIP(terr)
	}
	defer w.release()
	it := m.Iter()
	part := it.Len()
	if o.segment != 0 {
		part = min(part, o.segment)
	}
	if err := e.fits(&w, part, o); err != nil {
		return err
	}
	if !w.kept && !o.control.HasSource() {
		if p := e.findPath(m, &w); p != nil && it.Len() <= p.limit && e.sendLocal(p, it, o.segment, &o.control) {
			return nil
		}
	}
	if !e.writable() {
		return errno.EAGAIN
	}
	for first := true; first || it.Len() > 0; first = false {
		if err := e.transmit(it, min(part, it.Len()), &w); err != nil {
			return err
		}
	}
	return nil
}

// wayTo finds the way to where a send goes (ip_route_output_flow and the
// checks around it in udp_sendmsg).
func (e *endpoint) wayTo(o *output) (w way, terr tcpip.Error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	w.at = e.at.Load()
	switch {
	case w.at.state == transport.DatagramEndpointStateClosed:
		return w, &tcpip.ErrClosedForSend{}
	case o.to == nil && w.at.route == nil:
		return w, &tcpip.ErrDestinationRequired{}
	case o.to == nil:
		w.port = w.at.id.RemotePort
	default:
		w.port = o.to.Port
	}
	if o.to == nil && !o.control.HasSource() {
		w.at.route.Acquire()
		w.follow(w.at.route)
	} else if terr = e.routeFor(&w, o); terr != nil {
		return w, terr
	}
	if !w.kept && !e.ops.GetBroadcast() && w.route.IsOutboundBroadcast() {
		w.release()
		return w, &tcpip.ErrBroadcastDisabled{}
	}
	ttl, tos := e.marks(w.route.RemoteAddress(), &o.control)
	w.tos = tos
	if ttl != 0 {
		w.ttl = ttl
	}
	return w, nil
}

// routeFor looks w's route up, by the interface and the source that the binding
// or the control messages say. mu is held.
func (e *endpoint) routeFor(w *way, o *output) tcpip.Error {
	at := w.at
	to := tcpip.FullAddress{NIC: at.nic, Addr: at.id.RemoteAddress}
	if o.to != nil {
		to = *o.to
	}
	nic := to.NIC
	if nic == 0 {
		nic = tcpip.NICID(e.ops.GetBindToDevice())
	}
	dst, proto, terr := e.unwrap(at, to, false)
	if terr != nil {
		return terr
	}
	index, src := o.control.Source(proto == header.IPv6ProtocolNumber)
	if index != 0 {
		if nic != 0 && nic != index {
			return &tcpip.ErrHostUnreachable{}
		}
		nic = index
	}
	switch {
	case src.BitLen() != 0:
		if e.ip.CheckLocalAddress(nic, proto, src) == 0 {
			return &tcpip.ErrNetworkUnreachable{}
		}
	case index == 0:
		if at.scope != 0 {
			if nic != 0 && nic != at.scope {
				return &tcpip.ErrHostUnreachable{}
			}
			nic = at.scope
		}
		if nic == 0 {
			nic = at.nic
		}
	}
	k := dstKey{nic: nic, local: at.id.LocalAddress, to: dst.Addr}
	// Where what is more than the key counts, nothing is kept.
	keeps := src.BitLen() == 0 && !at.foreign
	if keeps {
		if d := e.table.dst(&k); d != nil {
			w.followDst(d)
			return nil
		}
	}
	generation := e.table.net.Generation()
	r, _, terr := e.findRoute(at, nic, src, dst.Addr, proto)
	if terr != nil {
		return terr
	}
	w.follow(r)
	if keeps {
		e.keepDst(k, r, generation)
	}
	return nil
}

// marks returns the TTL, 0 for the route's, and the TOS of what is sent to an
// address.
func (e *endpoint) marks(to tcpip.Address, c *inet.SendControl) (ttl, tos uint8) {
	v6 := to.Len() == header.IPv6AddressSize
	tos = uint8(e.tos.Load())
	ttl = uint8(e.ttl.Load())
	if v6 {
		tos, ttl = uint8(e.tclass.Load()), uint8(max(e.hops.Load(), 0))
	}
	if header.IsV4MulticastAddress(to) || header.IsV6MulticastAddress(to) {
		ttl = uint8(e.groupTTL.Load())
	}
	switch {
	case !v6 && c.HasTTL:
		ttl = c.TTL
	case v6 && c.HasHopLimit:
		ttl = c.HopLimit
	}
	if c.TOS >= 0 {
		tos = uint8(c.TOS)
	}
	return ttl, tos
}

// fits refuses with EMSGSIZE what would have to be fragmented and must not:
// IP_MTU_DISCOVER, IPV6_DONTFRAG, and datagrams of UDP_SEGMENT
// (__ip_append_data, __ip6_append_data, udp_send_skb).
func (e *endpoint) fits(w *way, size int, o *output) error {
	length, mtu := size+header.UDPMinimumSize, w.mtu
	if length <= mtu {
		return nil
	}
	v6 := w.v6()
	mode := e.is.PMTUDiscover(v6)
	switch {
	case o.segment != 0:
		return errno.EMSGSIZE
	case mode >= pmtudiscDo && mode != pmtudiscOmit, v6 && e.is.DontFrag():
		ip := header.IPv4MinimumSize
		if v6 {
			ip = header.IPv6MinimumSize
		}
		e.queueLocalErr(tcpip.FullAddress{Addr: w.route.RemoteAddress(), Port: w.port}, mtu+ip)
		return errno.EMSGSIZE
	}
	return nil
}

// Path MTU discovery (IP_PMTUDISC_*, IPV6_PMTUDISC_*).
const (
	pmtudiscDont  = inet.IP_PMTUDISC_DONT
	pmtudiscDo    = 2
	pmtudiscProbe = 3
	pmtudiscOmit  = inet.IP_PMTUDISC_OMIT
)

// dontFragment is IPv4's DF bit (ip_dont_fragment, __ip_make_skb).
func (e *endpoint) dontFragment(w *way, length int) bool {
	switch e.is.PMTUDiscover(false) {
	case pmtudiscDo, pmtudiscProbe:
		return true
	case inet.IP_PMTUDISC_WANT:
		return length <= w.mtu
	}
	return false
}

// transmit sends the next size bytes as one packet (udp_send_skb).
func (e *endpoint) transmit(it *socket.Iter, size int, w *way) error {
	stats := &e.table.udp
	pkt := e.newPacket(it, size, w)
	defer pkt.DecRef()
	udp := header.UDP(pkt.TransportHeader().Push(header.UDPMinimumSize))
	pkt.TransportProtocolNumber = gudp.ProtocolNumber
	encodeHeader(udp, w.at.id.LocalPort, w.port, size)
	if w.route.RequiresTXTransportChecksum() && !e.unsummed(w.route.NetProto()) {
		length := uint16(size + header.UDPMinimumSize)
		sum := udp.CalculateChecksum(checksum.Combine(
			w.route.PseudoHeaderChecksum(gudp.ProtocolNumber, length), pkt.Data().Checksum()))
		if sum != math.MaxUint16 {
			sum = ^sum // a sum of 0 is sent as all ones (RFC 768)
		}
		udp.SetChecksum(sum)
	}
	terr := w.route.WritePacket(stack.NetworkHeaderParams{
		Protocol: gudp.ProtocolNumber, TTL: w.ttl, TOS: w.tos,
		DF: e.dontFragment(w, size+header.UDPMinimumSize),
	}, pkt)
	if _, full := terr.(*tcpip.ErrNoBufferSpace); full && !e.is.TellsErrors(w.v6()) {
		terr = nil // Linux tells of a full device only with IP_RECVERR
	}
	if terr != nil {
		stats.PacketSendErrors.Increment()
		return errno.FromTCPIP(terr)
	}
	stats.PacketsSent.Increment()
	return nil
}

// unsummed reports whether datagrams are sent without a checksum: SO_NO_CHECK
// over IPv4, UDP_NO_CHECK6_TX over IPv6.
func (e *endpoint) unsummed(proto tcpip.NetworkProtocolNumber) bool {
	if proto == header.IPv6ProtocolNumber {
		return e.u.noCheck6Tx.Load()
	}
	return e.is.Flag(socket.FlagNoCheck)
}

// newPacket makes a packet of the next size bytes, which counts as in use
// until the stack lets go of it.
func (e *endpoint) newPacket(it *socket.Iter, size int, w *way) *stack.PacketBuffer {
	view := buffer.NewViewSize(size)
	it.Read(view.AsSlice())
	charge := int64(size) + sizeofSkb
	e.inUse.Add(charge)
	return stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.UDPMinimumSize + w.headroom,
		Payload:            buffer.MakeWithView(view),
		Mark:               e.is.Mark(),
		OnRelease: func() {
			was := e.inUse.Add(-charge) + charge
			if limit := e.ops.GetSendBufferSize(); was >= limit && was-charge < limit {
				e.is.WQ.Notify(waiter.WritableEvents)
			}
		},
	})
}
