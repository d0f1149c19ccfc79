package tcp

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
)

var _ netdev.SegmentOwner = (*sock)(nil)

// KUID and KGID implement tcpip.PacketOwner: there are no users.
func (*sock) KUID() uint32 { return 0 }

// KGID is described with KUID.
func (*sock) KGID() uint32 { return 0 }

// own makes the Sock be shown what ep sends.
func (t *sock) own(ep *inet.Endpoint) { t.ownEndpoint(ep.Endpoint) }

func (t *sock) ownEndpoint(ep tcpip.Endpoint) {
	if tep, ok := ep.(*gtcp.Endpoint); ok {
		tep.LockUser()
		tep.SetOwner(t)
		tep.UnlockUser()
	}
}

// urgentSet marks sndUp as valid; the rest is the sequence number.
const urgentSet = 1 << 32

// urge makes the n bytes written next end in an urgent one (tcp_mark_urg), and
// returns what sndUp was.
func (t *sock) urge(ep *inet.Endpoint, n int) (was uint64) {
	t.own(ep)
	s, ok := segments(ep)
	if !ok {
		return t.sndUp.Load()
	}
	return t.sndUp.Swap(urgentSet | uint64(s.write+uint32(n)))
}

// urged goes on after a write that urge announced, of which sent bytes were
// taken: the last of them is the urgent one, and without any all is as it was.
// They are sent though earlier ones are not acknowledged.
func (t *sock) urged(ep *inet.Endpoint, n, sent int, was uint64) {
	if sent == 0 {
		t.sndUp.Store(was)
		return
	}
	if up := t.sndUp.Load(); sent < n && up != 0 {
		t.sndUp.CompareAndSwap(up, urgentSet|uint64(uint32(up)-uint32(n-sent)))
	}
	if so := ep.SocketOptions(); so.GetDelayOption() {
		so.SetDelayOption(false)
		so.SetDelayOption(true)
	}
}

// Transmit implements netdev.SegmentOwner: it sets the urgent pointer of
// segments that are before an urgent byte's end, as Linux's tcp_transmit_skb
// does, and wakes who waits for TCP_NOTSENT_LOWAT.
func (t *sock) Transmit(pkt *stack.PacketBuffer, summed bool) {
	h := header.TCP(pkt.TransportHeader().Slice())
	if len(h) < header.TCPMinimumSize {
		return
	}
	if up := t.sndUp.Load(); up != 0 && h.Flags()&(header.TCPFlagSyn|header.TCPFlagRst) == 0 {
		t.setUrgent(h, uint32(up), summed)
	}
	if t.extra.notSent.Load() != 0 && pkt.Data().Size() > 0 {
		t.WQ.Notify(waiter.WritableEvents)
	}
}

func (t *sock) setUrgent(h header.TCP, up uint32, summed bool) {
	switch ahead := int32(up - h.SequenceNumber()); {
	case ahead > 0 && ahead <= 0xffff:
		oldFlags := uint16(h[12])<<8 | uint16(h[13])
		h.SetFlags(uint8(h.Flags() | header.TCPFlagUrg))
		h.SetUrgentPointer(uint16(ahead))
		if summed {
			resum(h, oldFlags, uint16(h[12])<<8|uint16(h[13]))
			resum(h, 0, uint16(ahead))
		}
	case ahead < -(1 << 20):
		// Long acknowledged. The number must not count when it comes round.
		t.sndUp.Store(0)
	}
}
