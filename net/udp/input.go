package udp

import (
	"encoding/binary"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"
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

// encodeHeader writes a UDP header, without checksum.
func encodeHeader(b []byte, from, to uint16, size int) {
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint16(b[4:], uint16(size+header.UDPMinimumSize))
	binary.BigEndian.PutUint16(b[6:], 0)
}
