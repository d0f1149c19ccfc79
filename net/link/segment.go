package link

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
)

// train is frames that a long segment is cut into, for a device that does not cut it (Linux: net/core/gso.c,
// net/ipv4/tcp_offload.c tcp_gso_segment): their headers, and the packet in which their payload lies. It is
// the owner of each of its frames, and goes back to its pool with the last. The packet's own headers are not changed,
// since packet sockets may hold them.
type train struct {
	pkt     *stack.PacketBuffer
	refs    atomic.Int32
	headers []byte
}

// trainLen is the most frames of a train, which bounds its memory: at the MSS of Ethernet, all of the longest packet.
const trainLen = 48

var trains = sync.Pool{New: func() any { return new(train) }}

// newTrain returns a train of n frames with headers of size bytes each, and a reference for each and for the caller.
func newTrain(pkt *stack.PacketBuffer, n, size int) *train {
	t := trains.Get().(*train)
	t.pkt = pkt.IncRef()
	t.refs.Store(int32(n) + 1)
	if n *= size; n > cap(t.headers) {
		t.headers = make([]byte, n)
	}
	t.headers = t.headers[:n]
	return t
}

// header is the place of the i-th frame's headers, of size bytes each.
func (t *train) header(i, size int) []byte { return t.headers[i*size:][:size:size] }

// DecRef implements nic.Owner.
func (t *train) DecRef() { t.drop(1) }

func (t *train) drop(n int) {
	if t.refs.Add(-int32(n)) == 0 {
		t.pkt.DecRef()
		t.pkt = nil
		trains.Put(t)
	}
}

// cutter makes the frames of a packet.
type cutter struct {
	link, network  int // lengths of the headers
	headers        int // and of all of them
	payload, size  int // of the packet, and of each frame but the last
	v6, deviceSums bool
	// ipSum is the sum of the IPv4 header without what differs from frame to frame, pseudoSum that of the
	// pseudo-header without the length.
	ipSum, pseudoSum uint16
}

// cuts says whether pkt is to be cut here, or lacks only a checksum that the device does not complete, and how.
func (o *offloads) cuts(pkt *stack.PacketBuffer) (c cutter, ok bool) {
	gso := &pkt.GSOOptions
	c.v6 = gso.Type == stack.GSOTCPv6
	if !c.v6 && gso.Type != stack.GSOTCPv4 || !gso.NeedsCsum || c.v6 && o.tcp6 || !c.v6 && o.tcp4 {
		return c, false
	}
	c.payload, c.size, c.deviceSums = pkt.Data().Size(), int(gso.MSS), o.txChecksum
	if c.size == 0 {
		c.size = max(c.payload, 1)
	}
	if c.payload <= c.size && o.txChecksum {
		return c, false
	}
	link, network, tcp := pkt.LinkHeader().Slice(), pkt.NetworkHeader().Slice(), pkt.TransportHeader().Slice()
	if len(network) < c.leastIP() || len(tcp) < header.TCPMinimumSize {
		return c, false
	}
	c.link, c.network = len(link), len(network)
	c.headers = c.link + c.network + len(tcp)
	c.sums(network)
	return c, true
}

func (c *cutter) leastIP() int {
	if c.v6 {
		return header.IPv6MinimumSize
	}
	return header.IPv4MinimumSize
}

// frames is how many there are, at least one.
func (c *cutter) frames() int { return max((c.payload+c.size-1)/c.size, 1) }

// sums fills in the parts of the checksums that all frames have.
func (c *cutter) sums(network []byte) {
	var src, dst tcpip.Address
	if c.v6 {
		h := header.IPv6(network)
		src, dst = h.SourceAddress(), h.DestinationAddress()
	} else {
		h := header.IPv4(network)
		src, dst = h.SourceAddress(), h.DestinationAddress()
		// Length, identification and checksum, of 2 bytes each, are at 2, 4 and 10.
		c.ipSum = checksum.Checksum(network[12:], checksum.Checksum(network[6:10], checksum.Checksum(network[:2], 0)))
	}
	c.pseudoSum = header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, 0)
}

// adjust makes h, the headers of the packet, those of its i-th frame, of which payload holds the rest.
func (c *cutter) adjust(h []byte, payload [][]byte, i, length int) {
	network, tcp := h[c.link:][:c.network], header.TCP(h[c.link+c.network:])
	size := len(h) - c.link + length
	if c.v6 {
		header.IPv6(network).SetPayloadLength(uint16(size - header.IPv6MinimumSize))
	} else {
		ip := header.IPv4(network)
		// As devices do it, each frame has the next identification, and a packet that follows may have the same.
		id := ip.ID() + uint16(i)
		ip.SetTotalLength(uint16(size))
		ip.SetID(id)
		ip.SetChecksum(^checksum.Combine(checksum.Combine(c.ipSum, uint16(size)), id))
	}
	tcp.SetSequenceNumber(tcp.SequenceNumber() + uint32(i*c.size))
	flags := tcp.Flags()
	if i > 0 {
		flags &^= header.TCPFlagCwr
	}
	if (i+1)*c.size < c.payload {
		flags &^= header.TCPFlagFin | header.TCPFlagPsh
	}
	tcp.SetFlags(uint8(flags))
	sum := checksum.Combine(c.pseudoSum, uint16(size-c.network))
	if c.deviceSums {
		tcp.SetChecksum(sum)
		return
	}
	tcp.SetChecksum(0)
	var all checksum.Checksumer
	all.Add(tcp)
	for _, b := range payload {
		all.Add(b)
	}
	tcp.SetChecksum(^checksum.Combine(sum, all.Checksum()))
}

// transmitCut gives the frames of pkt to the device, from the first-th on, and returns how many are with it.
func (q *queue) transmitCut(s *scratch, c *cutter, pkt *stack.PacketBuffer, first int, more bool) (sent int, err error) {
	s.packet = appendParts(s.packet[:0], pkt)
	for sent = first; err == nil && sent < c.frames(); {
		sent, err = q.transmitTrain(s, c, pkt, sent, more)
	}
	s.clear()
	return sent, err
}

// transmitTrain is transmitCut for as many frames as a train has. s.packet are the packet's parts.
func (q *queue) transmitTrain(s *scratch, c *cutter, pkt *stack.PacketBuffer, first int, more bool) (sent int, err error) {
	n, last := min(c.frames()-first, trainLen), c.frames()-1
	t := newTrain(pkt, n, c.headers)
	defer t.DecRef()
	src := gather{parts: s.packet}
	src.copy(t.header(0, c.headers))
	src.skip(first * c.size)
	for i := 1; i < n; i++ {
		copy(t.header(i, c.headers), t.headers)
	}
	for i := first; i < first+n; i++ {
		h, length := t.header(i-first, c.headers), min(c.size, c.payload-i*c.size)
		s.parts = src.appendTo(append(s.parts[:0], h), length)
		c.adjust(h, s.parts[1:], i, length)
		s.frame = nic.TxFrame{Parts: s.parts, Owner: t, More: more || i < last, Queue: q.index}
		if c.deviceSums {
			s.frame.Checksum = nic.Checksum{Start: uint16(c.link + c.network), Offset: header.TCPChecksumOffset}
		}
		if err := q.transmitFrame(s); err != nil {
			t.drop(first + n - i)
			return i, err
		}
	}
	return first + n, nil
}

// transmitFrame gives the device s.frame, in one piece where it cannot gather as many as that has. On nil the
// device has taken over the reference of the owner, or it was released.
func (q *queue) transmitFrame(s *scratch) error {
	f := &s.frame
	if len(f.Parts) <= q.e.info.MaxParts {
		return q.e.dev.Transmit(f)
	}
	q.e.stats.txCopied.Add(1)
	v := buffer.NewViewSize(f.Len())
	n := 0
	for _, p := range f.Parts {
		n += copy(v.AsSlice()[n:], p)
	}
	owner, whole := f.Owner, stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	f.Parts, f.Owner = append(f.Parts[:0], v.AsSlice()), whole
	if err := q.e.dev.Transmit(f); err != nil {
		whole.DecRef()
		return err
	}
	owner.DecRef()
	return nil
}

// gather reads a packet's parts one after another.
type gather struct {
	parts [][]byte
	off   int
}

// next returns what of the next n bytes lies in one piece.
func (g *gather) next(n int) []byte {
	for g.off == len(g.parts[0]) {
		g.parts, g.off = g.parts[1:], 0
	}
	b := g.parts[0][g.off:]
	b = b[:min(n, len(b))]
	g.off += len(b)
	return b
}

func (g *gather) copy(dst []byte) {
	for len(dst) > 0 {
		dst = dst[copy(dst, g.next(len(dst))):]
	}
}

func (g *gather) skip(n int) {
	for n > 0 {
		n -= len(g.next(n))
	}
}

// appendTo appends the next n bytes as they lie in memory.
func (g *gather) appendTo(parts [][]byte, n int) [][]byte {
	for n > 0 {
		b := g.next(n)
		parts = append(parts, b)
		n -= len(b)
	}
	return parts
}
