package udp

import (
	"encoding/binary"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
)

// HandlePacket implements stack.TransportEndpoint: Linux's udp_rcv and
// udp_queue_rcv_skb. The datagram is copied, so that a receiver that is slow
// keeps no buffer of a device's.
func (e *endpoint) HandlePacket(id stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	stats := &e.table.udp
	hdr := header.UDP(pkt.TransportHeader().Slice())
	if len(hdr) < header.UDPMinimumSize {
		stats.MalformedPacketsReceived.Increment()
		return
	}
	size := int(hdr.Length()) - header.UDPMinimumSize
	if size < 0 || size > pkt.Data().Size() {
		stats.MalformedPacketsReceived.Increment()
		return
	}
	if !e.takes(pkt.NICID, id.LocalAddress) {
		return
	}
	if e.q.full(e.rcvBuf()) {
		stats.ReceiveBufferErrors.Increment()
		e.q.drop()
		return
	}
	d := newDatagram(size)
	copy(d.buf, hdr[:header.UDPMinimumSize])
	pkt.Data().ReadTo(d, true)
	d.src, d.srcPort = id.RemoteAddress, hdr.SourcePort()
	d.dst, d.dstPort = id.LocalAddress, hdr.DestinationPort()
	d.proto, d.nic = pkt.NetworkProtocolNumber, pkt.NICID
	if !pkt.RXChecksumValidated && !e.summed(d) {
		stats.ChecksumErrors.Increment()
		d.release()
		return
	}
	switch ip := pkt.NetworkHeader().Slice(); d.proto {
	case header.IPv4ProtocolNumber:
		d.ttl, d.tos = header.IPv4(ip).TTL(), ip[1]
	case header.IPv6ProtocolNumber:
		d.ttl = header.IPv6(ip).HopLimit()
		d.tos, _ = header.IPv6(ip).TOS()
	}
	stats.PacketsReceived.Increment()
	if e.deliver(d) == dropped {
		stats.ReceiveBufferErrors.Increment()
	}
}

// summed checks the checksum. None at all is allowed over IPv4 (RFC 768), and
// over IPv6 to those that UDP_NO_CHECK6_RX lets (RFC 6935).
func (e *endpoint) summed(d *datagram) bool {
	hdr := header.UDP(d.buf)
	if hdr.Checksum() == 0 {
		return d.proto == header.IPv4ProtocolNumber || e.u.noCheck6Rx.Load()
	}
	return hdr.IsChecksumValid(d.src, d.dst, checksum.Checksum(d.payload(), 0))
}

// deliver runs the filter over d, which is the endpoint's from here on, and
// queues what is left of it (udp_queue_rcv_one_skb). A filter may cut the
// payload, but not the header.
func (e *endpoint) deliver(d *datagram) outcome {
	if e.is.HasFilter() {
		cut, ok := e.is.Passes(d.packet())
		if !ok {
			e.q.drop()
			d.release()
			return queued // no error, and counted
		}
		d.n = max(len(cut)-header.UDPMinimumSize, 0)
	}
	d.at = time.Now().UnixNano()
	out := e.q.put(d, e.rcvBuf())
	if out == queued {
		e.is.WQ.Notify(waiter.ReadableEvents)
	}
	return out
}

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
	if v6 := protoOf(to.Addr) == header.IPv6ProtocolNumber; e.is.TellsErrors(v6) {
		e.ops.QueueLocalErr(&tcpip.ErrMessageTooLong{}, protoOf(to.Addr), uint32(mtu), to, nil)
	}
}

// encodeHeader writes a UDP header, without checksum.
func encodeHeader(b []byte, from, to uint16, size int) {
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint16(b[4:], uint16(size+header.UDPMinimumSize))
	binary.BigEndian.PutUint16(b[6:], 0)
}
