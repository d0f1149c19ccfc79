package link

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Acknowledgements without data are most of what a sender receives, one for each frame or two. Of those of a flow that
// come one after another in a batch, one is needless where the next acknowledges more: it is as if it were lost on the way,
// which TCP lives with, since acknowledgements are cumulative (RFC 9293 §3.4) and the window in force is
// that of the last. The sender then has room for a long segment, where each by itself makes room for one frame (Linux:
// tcp_add_backlog, and sch_cake's ack-filter). gVisor's congestion control counts segments that were
// acknowledged, not acknowledgements.
//
// Never left out is one that the next does not acknowledge more than: duplicates count (RFC 5681 §3.2) until one does, and
// the window may have opened. Neither is one with SACK blocks, or any option but time stamps; or any flag but ACK.

// heldACK is the last such acknowledgement of a batch, not delivered yet.
type heldACK struct {
	pkt *stack.PacketBuffer
	// bytes are the packet's, from the IP header on and without Ethernet's padding, tcp is where the TCP header begins.
	bytes []byte
	tcp   int
}

// timestampLen is the length of TCP options with nothing but time stamps, as RFC 7323 appendix A has them.
const timestampLen = 12

// parseACK returns pkt, whose checksums are right, as a heldACK, if it is one.
func parseACK(pkt *stack.PacketBuffer) (a heldACK, ok bool) {
	size := pkt.Data().Size()
	b, ok := pkt.Data().PullUp(size)
	if !ok || size < header.IPv4MinimumSize {
		return a, false
	}
	switch ip4, ip6 := header.IPv4(b), header.IPv6(b); pkt.NetworkProtocolNumber {
	case header.IPv4ProtocolNumber:
		if !ip4.IsValid(size) || ip4.HeaderLength() != header.IPv4MinimumSize ||
			ip4.More() || ip4.FragmentOffset() != 0 || ip4.TransportProtocol() != header.TCPProtocolNumber {
			return a, false
		}
		a.tcp, b = header.IPv4MinimumSize, b[:ip4.TotalLength()]
	case header.IPv6ProtocolNumber:
		if !ip6.IsValid(size) || ip6.TransportProtocol() != header.TCPProtocolNumber {
			return a, false
		}
		a.tcp, b = header.IPv6MinimumSize, b[:header.IPv6MinimumSize+int(ip6.PayloadLength())]
	default:
		return a, false
	}
	tcp := header.TCP(b[a.tcp:])
	if len(tcp) < header.TCPMinimumSize || int(tcp.DataOffset()) != len(tcp) || tcp.Flags() != header.TCPFlagAck {
		return a, false
	}
	if o := tcp[header.TCPMinimumSize:]; len(o) != 0 && (len(o) != timestampLen || !bytes.HasPrefix(o, []byte{
		header.TCPOptionNOP, header.TCPOptionNOP, header.TCPOptionTS, header.TCPOptionTSLength})) {
		return a, false
	}
	a.pkt, a.bytes = pkt, b
	return a, true
}

// replaces says whether a, which came after b, makes b needless.
func (a *heldACK) replaces(b *heldACK) bool {
	if b.pkt == nil || a.tcp != b.tcp || len(a.bytes) != len(b.bytes) || a.pkt.NetworkProtocolNumber != b.pkt.NetworkProtocolNumber {
		return false
	}
	network, other := a.bytes[:a.tcp], b.bytes[:a.tcp]
	if a.tcp == header.IPv6MinimumSize {
		if !bytes.Equal(network, other) {
			return false
		}
	} else if !bytes.Equal(network[:4], other[:4]) || !bytes.Equal(network[6:10], other[6:10]) || !bytes.Equal(network[12:], other[12:]) {
		return false // but for identification and checksum
	}
	tcp, before := a.bytes[a.tcp:], b.bytes[a.tcp:]
	// Ports, sequence number and length. Who is not on the path cannot guess all that, and make a good one needless.
	if !bytes.Equal(tcp[:8], before[:8]) || tcp[12] != before[12] || !newer(tcp[8:], before[8:]) {
		return false
	}
	if len(tcp) == header.TCPMinimumSize {
		return true
	}
	stamp := header.TCPMinimumSize + 4
	return !newer(before[stamp:], tcp[stamp:]) && !newer(before[stamp+4:], tcp[stamp+4:])
}

// newer says whether the number in a comes after that in b (RFC 9293 §3.4, RFC 7323 §5.2).
func newer(a, b []byte) bool {
	return int32(binary.BigEndian.Uint32(a)-binary.BigEndian.Uint32(b)) > 0
}
