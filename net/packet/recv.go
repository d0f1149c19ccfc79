package packet

import (
	"encoding/binary"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// A tap is where the stack delivers a Sock's packets: Linux's struct
// packet_type.
type tap struct{ p *sock }

var _ stack.PacketEndpoint = (*tap)(nil)

// HandlePacket is Linux's packet_rcv and packet_rcv_spkt. It copies what the
// filter lets pass, once.
func (t *tap) HandlePacket(nic tcpip.NICID, protocol tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	p := t.p
	outgoing := pkt.PktType == tcpip.PacketOutgoing
	if outgoing && p.noOutput.Load() {
		return
	}
	l := p.links.known(int32(nic))
	if l == nil {
		return
	}
	f := frames.Get().(*frame)
	f.data = p.appendPacket(f.data[:0], l, uint16(protocol), pkt)
	f.from = SockaddrLL{
		Protocol: uint16(protocol), Ifindex: int32(nic), Hatype: l.hatype, Pkttype: pktType(pkt.PktType),
	}
	if l.header > 0 {
		f.from.Halen = ethAddrLen
		if eth := pkt.LinkHeader().Slice(); len(eth) >= ethHeaderLen {
			copy(f.from.Addr[:], eth[ethAddrLen:2*ethAddrLen])
		}
	}
	f.origlen = len(f.data)
	cut, ok := p.Passes(f.data)
	if !ok {
		f.free()
		return
	}
	f.data = cut
	if !p.q.push(f, p.rcvBuf()) {
		f.free()
		return
	}
	p.WQ.Notify(waiter.ReadableEvents)
}

// appendPacket copies the packet, with its link header unless the Sock is of
// SOCK_DGRAM. Where the link has none, as lo here, it is made up.
func (p *sock) appendPacket(b []byte, l *link, protocol uint16, pkt *stack.PacketBuffer) []byte {
	skip := 0
	eth := len(pkt.LinkHeader().Slice())
	switch {
	case p.Type == socket.SOCK_DGRAM:
		skip = eth
	case eth == 0 && l.header > 0:
		var h [ethHeaderLen]byte
		binary.BigEndian.PutUint16(h[2*ethAddrLen:], protocol)
		b = append(b, h[:]...)
	}
	for _, v := range pkt.AsSlices() {
		n := min(skip, len(v))
		skip -= n
		b = append(b, v[n:]...)
	}
	return b
}

// pktType translates gVisor's kind of packet.
func pktType(t tcpip.PacketType) uint8 {
	switch t {
	case tcpip.PacketOtherHost:
		return PACKET_OTHERHOST
	case tcpip.PacketOutgoing:
		return PACKET_OUTGOING
	case tcpip.PacketBroadcast:
		return PACKET_BROADCAST
	case tcpip.PacketMulticast:
		return PACKET_MULTICAST
	}
	return PACKET_HOST
}

// rcvBuf is the limit on what waits, in bytes with overhead.
func (p *sock) rcvBuf() int {
	if n := p.RcvBuf(); n != 0 {
		return n
	}
	return p.Net.Memory().Datagram.Default
}

// A frame is a packet received.
type frame struct {
	next    *frame
	data    []byte
	from    SockaddrLL
	origlen int
}

// overhead is what a packet takes beside its bytes (struct sk_buff and what
// stands behind the data).
const overhead = 768

func (f *frame) truesize() int { return len(f.data) + overhead }

var frames = sync.Pool{New: func() any { return &frame{data: make([]byte, 0, 2048)} }}

func (f *frame) free() {
	f.next = nil
	frames.Put(f)
}

// A queue holds the packets that were not yet received, and counts.
type queue struct {
	mu             sync.Mutex
	head, tail     *frame
	used           int
	packets, drops uint32 // PACKET_STATISTICS
}

// push appends f, or counts a drop when limit is reached.
func (q *queue) push(f *frame, limit int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used >= limit {
		q.drops++
		return false
	}
	q.packets++
	q.used += f.truesize()
	if q.tail == nil {
		q.head = f
	} else {
		q.tail.next = f
	}
	q.tail = f
	return true
}

// peek reports whether there is a packet.
func (q *queue) peek() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head != nil
}

// next returns the length of the first packet, or 0.
func (q *queue) next() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == nil {
		return 0
	}
	return len(q.head.data)
}

func (q *queue) popLocked() *frame {
	f := q.head
	if f == nil {
		return nil
	}
	if q.head = f.next; q.head == nil {
		q.tail = nil
	}
	q.used -= f.truesize()
	return f
}

func (q *queue) purge() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for f := q.popLocked(); f != nil; f = q.popLocked() {
		f.free()
	}
}

// statistics returns the counts since it was last asked. Packets that were
// dropped count among the packets.
func (q *queue) statistics() (packets, drops uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	packets, drops = q.packets+q.drops, q.drops
	q.packets, q.drops = 0, 0
	return packets, drops
}

// recvFlags are those that a receive takes.
const recvFlags = socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_TRUNC | socket.MSG_CMSG_CLOEXEC | socket.MSG_ERRQUEUE

// RecvMsg is Linux's packet_recvmsg. The errors are EINVAL for other flags, and
// EAGAIN.
func (*proto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	p := of(sk)
	if flags&^recvFlags != 0 {
		return 0, errno.EINVAL
	}
	if flags&socket.MSG_ERRQUEUE != 0 {
		return 0, errno.EAGAIN // nothing is ever put there
	}
	n, err := p.recvOne(m, flags)
	timeo := sk.RcvTimeo(flags&socket.MSG_DONTWAIT != 0)
	if err != errno.EAGAIN || timeo == 0 {
		return n, err
	}
	werr := sk.Wait(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, timeo, func() bool {
		n, err = p.recvOne(m, flags)
		return err != errno.EAGAIN
	})
	if werr != nil {
		return 0, werr
	}
	return n, err
}

// recvOne takes the next packet, or the pending error, or returns EAGAIN.
func (p *sock) recvOne(m *socket.Msghdr, flags int) (int, error) {
	if err := p.TakeErr(); err != nil {
		return 0, err
	}
	it := m.Iter()
	it.Truncate = true
	room := it.Len()
	q := &p.q
	q.mu.Lock()
	f := q.head
	if f == nil {
		q.mu.Unlock()
		return 0, errno.EAGAIN
	}
	peek := flags&socket.MSG_PEEK != 0
	if peek {
		it.Write(f.data)
	} else {
		q.popLocked()
	}
	size, from, origlen := len(f.data), f.from, f.origlen
	q.mu.Unlock()
	if !peek {
		it.Write(f.data)
		f.free()
	}
	m.Name, m.HasName = p.nameOf(from), true
	if p.auxdata.Load() {
		p.putAuxdata(m, origlen, size)
	}
	if size > room {
		m.Flags |= socket.MSG_TRUNC
		if flags&socket.MSG_TRUNC == 0 {
			return room, nil
		}
	}
	return size, nil
}

// nameOf returns the address that stands for a.
func (p *sock) nameOf(a SockaddrLL) socket.Sockaddr {
	p.nameMu.Lock()
	defer p.nameMu.Unlock()
	if p.last.Family != 0 && p.lastLL == a {
		return p.last
	}
	p.lastLL = a
	if p.Type == socket.SOCK_PACKET {
		p.last = sockaddrPkt(a.Hatype, p.Net.InterfaceName(int(a.Ifindex)), a.Protocol)
	} else {
		p.last = a.Sockaddr()
	}
	return p.last
}
