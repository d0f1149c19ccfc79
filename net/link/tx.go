package link

import (
	"errors"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
)

// AddHeader implements stack.LinkEndpoint.
func (e *Endpoint) AddHeader(pkt *stack.PacketBuffer) {
	src := pkt.EgressRoute.LocalLinkAddress
	if len(src) == 0 {
		src = e.LinkAddress()
	}
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: src,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// tcpQueueFactor is how many times more packets of TCP may wait than of others. What a connection has under way
// is bounded by its send buffer, and so is what its writer can write: to refuse a segment would
// not slow the writer down, but lose the segment. (Linux keeps its queues short by
// tcp_limit_output_bytes instead, which gVisor has nothing like.)
const tcpQueueFactor = 16

// scratch is what one transmission needs besides the packet.
type scratch struct {
	frame nic.TxFrame
	// parts are those of the frame, packet those of a packet that is cut into several.
	parts, packet [][]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// WritePackets implements stack.LinkEndpoint. It does not block. The error is
// ErrNoBufferSpace when ring and queue are full, ErrClosedForSend after Close,
// ErrHostDown when the device was given up; the packets after the failing one were not sent.
func (e *Endpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	list := pkts.AsSlice()
	for i, pkt := range list {
		q := e.queueOf(pkt)
		more := i < len(list)-1 && e.queueOf(list[i+1]) == q
		if err := q.write(s, pkt, more); err != nil {
			return i, err
		}
	}
	return len(list), nil
}

// write sends pkt, or queues it behind others.
func (q *queue) write(s *scratch, pkt *stack.PacketBuffer, more bool) tcpip.Error {
	w := waiting{pkt: pkt}
	if !q.waiting.Load() {
		err := q.transmit(s, &w, more)
		if !errors.Is(err, nic.ErrFull) {
			return q.e.outcome(err)
		}
	}
	first, err := q.enqueue(w)
	if first {
		// There may be room again, and TransmitReady have come and found nothing, before pkt
		// was in the queue. Either it goes now, or TransmitReady is still to come.
		q.drain()
	}
	return err
}

// outcome counts what became of a packet that is not going to be queued.
func (e *Endpoint) outcome(err error) tcpip.Error {
	switch {
	case err == nil:
		e.stats.txPackets.Add(1)
		return nil
	case errors.Is(err, nic.ErrClosed):
		e.stats.txClosed.Add(1)
		return &tcpip.ErrClosedForSend{}
	case errors.Is(err, nic.ErrFrame):
		e.stats.txInvalid.Add(1)
		e.logInvalid.Do(func() { e.opts.Logf("link: %s refuses packets: %v", e.info.Name, err) })
		return &tcpip.ErrMessageTooLong{}
	default:
		e.stats.txFailed.Add(1)
		return &tcpip.ErrHostDown{}
	}
}

// transmit gives a packet to the device as it lies in memory, cut into frames where that is not left to the device.
// When the device takes only some of the frames, w says how many.
func (q *queue) transmit(s *scratch, w *waiting, more bool) (err error) {
	pkt := w.pkt
	if c, ok := q.e.offloads.cuts(pkt); ok {
		w.sent, err = q.transmitCut(s, &c, pkt, w.sent, more)
		return err
	}
	s.parts = appendParts(s.parts[:0], pkt)
	s.frame = nic.TxFrame{Parts: s.parts, Owner: pkt.IncRef(), More: more, Queue: q.index}
	offload(&s.frame, pkt)
	if err = q.transmitFrame(s); err != nil {
		pkt.DecRef()
	}
	s.clear()
	return err
}

// clear lets go of the packet's memory, which a pooled scratch would keep reachable.
func (s *scratch) clear() {
	clear(s.parts)
	clear(s.packet)
	s.frame = nic.TxFrame{}
}

// appendParts appends the packet's bytes, from the link header on, as they lie in memory.
func appendParts(parts [][]byte, pkt *stack.PacketBuffer) [][]byte {
	views, skip := pkt.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		parts = append(parts, b[skip:])
		skip = 0
	}
	return parts
}

// enqueue puts a packet behind the others that wait and says whether there were none.
func (q *queue) enqueue(w waiting) (first bool, err tcpip.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.e.stats.txClosed.Add(1)
		return false, &tcpip.ErrClosedForSend{}
	}
	limit := q.e.opts.QueueLen
	if w.pkt.TransportProtocolNumber == header.TCPProtocolNumber {
		limit *= tcpQueueFactor
	}
	if q.n >= limit {
		q.e.stats.txQueueFull.Add(1)
		return false, &tcpip.ErrNoBufferSpace{}
	}
	if q.n == len(q.pkts) {
		q.grow()
	}
	w.pkt.IncRef()
	q.pkts[(q.first+q.n)%len(q.pkts)] = w
	q.n++
	q.waiting.Store(true)
	q.e.stats.txQueued.Add(1)
	return q.n == 1, nil
}

// grow makes room for as many packets again as the queue holds.
func (q *queue) grow() {
	pkts := make([]waiting, max(64, 2*len(q.pkts)))
	n := copy(pkts, q.pkts[q.first:])
	copy(pkts[n:], q.pkts[:q.first])
	q.pkts, q.first = pkts, 0
}

// TransmitReady implements nic.Handler.
func (q *queue) TransmitReady() {
	q.ready.Add(1)
	q.drain()
}

// drain sends waiting packets until the ring is full again. One goroutine at a
// time does it, so that they stay in order.
func (q *queue) drain() {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	for {
		seen := q.ready.Load()
		w, more := q.beginDrain()
		if w.pkt == nil {
			return
		}
		err := q.transmit(s, &w, more)
		full := errors.Is(err, nic.ErrFull)
		if !full {
			q.e.outcome(err)
		}
		q.endDrain(full, w.sent)
		if !full {
			w.pkt.DecRef()
		} else if q.ready.Load() == seen {
			return
		}
	}
}

// beginDrain returns the first waiting packet and whether another follows it.
// The packet stays in the queue until endDrain.
func (q *queue) beginDrain() (w waiting, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.draining || q.n == 0 {
		return w, false
	}
	q.draining = true
	return q.pkts[q.first], q.n > 1
}

// endDrain takes the first packet off the queue, unless it is to stay there for what is not sent of it.
func (q *queue) endDrain(stay bool, sent int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.draining = false
	if stay {
		q.pkts[q.first].sent = sent
		return
	}
	q.pkts[q.first] = waiting{}
	q.first = (q.first + 1) % len(q.pkts)
	q.n--
	q.waiting.Store(q.n > 0)
}

// close releases what still waits. The device is closed: it does not call drain any
// more, but a writer may.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	// The device refuses each with ErrClosed, which empties the queue in order.
	q.drain()
}
