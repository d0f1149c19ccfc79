package tcp

import (
	"reflect"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// gVisor in TIME-WAIT drops a SYN whose number is not beyond those of the old connection, and every reset.
// A client that uses its port again, with numbers that have not gone as far as the old
// connection's bytes, then waits for a minute. QEMU's user networking is such a
// client. Linux acknowledges what it expects; the client, who expects nothing of the kind,
// resets that; and the next SYN begins a connection (tcp_timewait_state_process, RFC 9293 §3.10.7).

// timeWait does what Linux does and gVisor does not with a segment for an endpoint in TIME-WAIT. It
// returns false when that is all.
func (n *network) timeWait(ep stack.TransportEndpoint, id stack.TransportEndpointID, h header.TCP, pkt *stack.PacketBuffer) bool {
	tep, ok := ep.(*gtcp.Endpoint)
	if !ok || tep.EndpointState() != gtcp.StateTimeWait {
		return true
	}
	// Once an endpoint is in TIME-WAIT its number does not change.
	next := uint32(rcvNxt.of(epRcv.of(reflect.ValueOf(tep).Elem()).Elem()).Uint())
	const which = header.TCPFlagSyn | header.TCPFlagAck | header.TCPFlagRst
	switch flags := h.Flags() & which; {
	case flags == header.TCPFlagSyn && int32(h.SequenceNumber()-next) <= 0 && summed(h, pkt):
		n.acknowledge(ep, id, pkt)
		return false
	case flags&header.TCPFlagRst != 0 && h.SequenceNumber() == next && summed(h, pkt):
		go endTimeWait(tep)
	}
	return true
}

// acknowledge has gVisor acknowledge a segment that it would drop, by showing it one without the SYN.
func (n *network) acknowledge(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	c := pkt.DeepCopyForForwarding(0)
	defer c.DecRef()
	header.TCP(c.TransportHeader().Slice()).SetFlags(uint8(header.TCPFlagAck))
	c.NICID, c.RXChecksumValidated = pkt.NICID, true
	n.st.QueueSegment(ep, id, c)
}

// endTimeWait is TIME-WAIT assassination (RFC 1337), which Linux lets happen while
// net.ipv4.tcp_rfc1337 is off, as it is at first. gVisor can do it by a reset only, which the
// peer, who has no such connection, takes no notice of. While the program
// has not closed the socket there may be something to read, and it stays.
func endTimeWait(ep *gtcp.Endpoint) {
	ep.LockUser()
	closed := epClosed.of(reflect.ValueOf(ep).Elem()).Bool()
	ep.UnlockUser()
	if closed {
		ep.Abort()
	}
}
