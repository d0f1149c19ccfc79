package virtio

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/dma"
)

var (
	// ErrQueueFull is returned by Add when too few descriptors are free.
	ErrQueueFull = errors.New("virtio: queue is full")
	// ErrQueueEmpty is returned by Pop when the device has used nothing more.
	ErrQueueEmpty = errors.New("virtio: nothing was used")
	// ErrRing is returned by Pop when the device has written what cannot
	// be into a ring. The queue is of no further use until Reset.
	ErrRing = errors.New("virtio: device wrote nonsense into a ring")
)

// Segment is one piece of memory of a request: either Bytes, which the queue
// lends to the device until Pop, or Len bytes of coherent memory at Addr.
type Segment struct {
	Bytes []byte
	Addr  dma.Addr
	Len   int
	Dir   dma.Direction
}

// Queue is a virtqueue: a packed one (§2.8) where FeatureRingPacked was negotiated, else a
// split one (§2.7). A head is the buffer id of a chain in the former, its first descriptor in
// the latter. Except for Stats it is not safe for concurrent use.
//
// What the driver must remember about a descriptor is kept apart from the
// descriptor table, which a device could change: nothing that the driver reads from shared
// memory is used as an index or a length before it was checked.
type Queue struct {
	index int
	t     Transport
	mem   dma.Memory
	block *dma.Block
	ring  ring

	slots []slot
	// free is the first descriptor of the list of free ones, of which there are numFree.
	free    uint16
	numFree int
	// inFlight counts the chains that the device has.
	inFlight int
	broken   error
	// taken counts the chains that Pop has returned; the interrupt that is asked for is that
	// of the one with which it gets to event.
	taken, event uint64
	// unnoticed is set after Publish, until the device's wish for a notification was looked at. watched is set by
	// Watch.
	unnoticed, watched bool

	// table holds tableLen descriptors for each head, nil without indirect ones.
	table    *dma.Block
	tableLen int

	stats struct {
		kicks, kicksSaved            atomic.Uint64
		badUsed, badIndex, badLength atomic.Uint64
	}
}

// slot is what is remembered of a descriptor.
type slot struct {
	seg  Segment
	next uint16
	// chain is the number of descriptors in the chain that begins here and
	// that the device has; 0 everywhere else.
	chain uint16
	// writable is how many bytes the device may write into that chain.
	writable uint32
	// more are the segments of an indirect chain that begins here.
	more []Segment
}

// QueueStats count what a queue's owner reports.
type QueueStats struct {
	// Kicks is the number of notifications, KicksSaved how often the device needed none.
	Kicks, KicksSaved uint64
	// BadUsed counts used entries that name no chain of the device's,
	// BadIndex used indices that have overtaken what was made available,
	// BadLength used lengths beyond the chain's writable memory.
	BadUsed, BadIndex, BadLength uint64
}

// NewQueue allocates queue index with at most want descriptors and tells the
// device. Of the features that were negotiated, FeatureRingPacked and FeatureEventIdx say how the
// queue works. The size is the largest power of two that both sides can do; a split queue's
// is one always (§2.7). The error wraps ErrQueue or dma.ErrNoMemory.
func NewQueue(t Transport, mem dma.Memory, index, want int, f Features) (*Queue, error) {
	size, err := queueSize(t, index, want)
	if err != nil {
		return nil, err
	}
	bytes := splitSize(size)
	if f.Has(FeatureRingPacked) {
		bytes = packedSize(size)
	}
	block, err := mem.Alloc(bytes, ringAlign)
	if err != nil {
		return nil, fmt.Errorf("virtio: queue %d with %d descriptors: %w", index, size, err)
	}
	q := &Queue{index: index, t: t, mem: mem, block: block, slots: make([]slot, size)}
	if f.Has(FeatureRingPacked) {
		q.ring = newPacked(block, size, f.Has(FeatureEventIdx))
	} else {
		q.ring = newSplit(block, size, f.Has(FeatureEventIdx))
	}
	q.clear()
	if err := t.SetQueue(index, q.ring.areas()); err != nil {
		mem.Free(block)
		return nil, err
	}
	return q, nil
}

func queueSize(t Transport, index, want int) (int, error) {
	limit := min(t.QueueMax(index), want, maxQueueSize)
	if limit <= 0 {
		return 0, fmt.Errorf("%w: queue %d has no descriptors", ErrQueue, index)
	}
	return 1 << (bits.Len(uint(limit)) - 1), nil
}

// clear puts the ring and its book-keeping to where a reset device expects them.
func (q *Queue) clear() {
	q.ring.clear()
	for i := range q.slots {
		q.slots[i] = slot{next: uint16(i + 1), more: q.slots[i].more[:0]}
	}
	q.free, q.numFree, q.inFlight = 0, len(q.slots), 0
	q.broken = nil
	q.taken, q.event, q.unnoticed = 0, 0, false
}

// Size is the number of descriptors.
func (q *Queue) Size() int { return len(q.slots) }

// Free is the number of descriptors that Add can still use.
func (q *Queue) Free() int { return q.numFree }

// NextHead is the head that the next Add will return if it succeeds, for an owner
// that keeps memory for each. The error is ErrQueueFull: every head is the device's.
func (q *Queue) NextHead() (head int, err error) {
	if q.numFree == 0 {
		return 0, ErrQueueFull
	}
	return int(q.free), nil
}

// InFlight is the number of chains that the device has.
func (q *Queue) InFlight() int { return q.inFlight }

// Broken is the error that Pop found, nil while there was none.
func (q *Queue) Broken() error { return q.broken }

// Stats returns the counters since NewQueue. It is safe for concurrent use.
func (q *Queue) Stats() QueueStats {
	return QueueStats{
		Kicks: q.stats.kicks.Load(), KicksSaved: q.stats.kicksSaved.Load(),
		BadUsed: q.stats.badUsed.Load(), BadIndex: q.stats.badIndex.Load(), BadLength: q.stats.badLength.Load(),
	}
}

// Add makes a chain of segs available and returns its head, which Pop will
// return. The device learns of it by Kick. Those of segs that are ToDevice come
// first (§2.7.4.2). The errors are ErrQueueFull, or what Map returned; nothing was added then.
func (q *Queue) Add(segs []Segment) (head int, err error) {
	if q.table != nil && len(segs) > 1 && len(segs) <= q.tableLen {
		return q.addIndirect(segs)
	}
	if len(segs) == 0 || len(segs) > q.numFree {
		return 0, ErrQueueFull
	}
	if q.broken != nil {
		return 0, q.broken
	}
	writable := uint32(0)
	h, d := q.free, q.free
	for i := range segs {
		s := &q.slots[d]
		s.seg = segs[i]
		if err = q.lend(&s.seg, &writable); err != nil {
			q.unmap(h, i)
			return 0, err
		}
		d = s.next
	}
	q.ring.chain(q.slots, h, len(segs))
	q.added(h, len(segs), writable)
	q.free = d
	return int(h), nil
}

// lend maps s. It adds what the device may write to writable.
func (q *Queue) lend(s *Segment, writable *uint32) (err error) {
	if s.Bytes != nil {
		s.Len = len(s.Bytes)
		if s.Addr, err = q.mem.Map(s.Bytes, s.Dir); err != nil {
			return err
		}
	}
	if s.Dir == dma.FromDevice {
		*writable += uint32(s.Len)
	}
	return nil
}

// added notes that the device has the chain of n descriptors at h.
func (q *Queue) added(h uint16, n int, writable uint32) {
	q.slots[h].chain, q.slots[h].writable = uint16(n), writable
	q.numFree -= n
	q.inFlight++
}

// unmap takes back the memory of the first n descriptors of the chain at d and
// returns the last of them.
func (q *Queue) unmap(d uint16, n int) (last uint16) {
	for range n {
		s := &q.slots[d]
		q.takeBack(&s.seg)
		q.takeBackMore(s)
		last, d = d, s.next
	}
	return last
}

// takeBack ends what lend began.
func (q *Queue) takeBack(s *Segment) {
	if s.Bytes != nil {
		q.mem.Unmap(s.Addr, s.Bytes, s.Dir)
	}
	*s = Segment{}
}

// release unmaps the chain at h and puts it on the free list.
func (q *Queue) release(h uint16) {
	s := &q.slots[h]
	n := int(s.chain)
	s.chain, s.writable = 0, 0
	last := q.unmap(h, n)
	q.slots[last].next = q.free
	q.free = h
	q.numFree += n
	q.inFlight--
}

// Kick makes what was added visible to the device and notifies it unless it
// has said that it is looking anyway (§2.7.13.4, §2.8.21).
func (q *Queue) Kick() {
	q.Publish()
	if !q.unnoticed {
		return
	}
	// What was published before the device's flag or event: else both sides could miss
	// each other's (§2.7.13.4.1, §2.8.21.3).
	if q.watched {
		dma.NotifyBarrier()
	} else {
		dma.Barrier()
	}
	q.notice()
}

// Publish makes what was added visible to the device, which will be notified, if it wants to be, by
// the next Kick or EnableInterrupts.
func (q *Queue) Publish() {
	if q.ring.publish() {
		q.unnoticed = true
	}
}

// notice notifies the device if it wants to know of what was published, a barrier ago.
func (q *Queue) notice() {
	q.unnoticed = false
	if !q.ring.wanted() {
		q.stats.kicksSaved.Add(1)
		return
	}
	q.Renotify()
}

// Watch says that the owner looks after the queue with a timer, and calls Renotify when the device does
// nothing: then Kick may do with a lesser barrier, see dma.NotifyBarrier.
func (q *Queue) Watch() { q.watched = true }

// Renotify notifies the device whether it wants to be or not.
func (q *Queue) Renotify() {
	q.stats.kicks.Add(1)
	q.t.Notify(q.index)
}

// DisableInterrupts asks the device not to interrupt for this queue. It is a
// hint: an interrupt may still come (§2.7.7, §2.8.10).
func (q *Queue) DisableInterrupts() {
	q.event = 0
	q.ring.disarm()
}

// EnableInterrupts asks for an interrupt when the next chain is used, and says
// whether some were already: for those no interrupt will come (§2.7.14).
func (q *Queue) EnableInterrupts() (pending bool) { return q.enableAfter(0, 0) }

// EnableInterruptsLate asks for an interrupt when most of the chains that the device has are used, where it knows
// event indices, or leaves it at one that was asked for and is yet to come (Linux:
// virtqueue_enable_cb_delayed). It says whether so many were used already.
func (q *Queue) EnableInterruptsLate() (pending bool) {
	if q.event > q.taken {
		return false
	}
	return q.enableAfter(3*q.inFlight/4, 3*(len(q.slots)-q.numFree)/4)
}

// enableAfter asks for the interrupt of the chain behind so many, which take so many descriptors.
func (q *Queue) enableAfter(chains, descriptors int) (pending bool) {
	q.ring.arm(chains, descriptors)
	q.event = q.taken + uint64(chains) + 1
	// The flag or event before the used entries: else a chain could be used in between
	// unnoticed (§2.7.14).
	dma.Barrier()
	if q.unnoticed {
		q.notice()
	}
	return q.ring.pending(chains)
}

// Pop takes the next chain that the device has used, ends its mappings and returns its
// head and how many bytes the device wrote. A length beyond the chain's memory is counted
// and returned as 0. The errors are ErrQueueEmpty and one that wraps ErrRing: after it the
// device must be reset, since what it still uses is not known.
func (q *Queue) Pop() (head int, written int, err error) {
	if q.broken != nil {
		return 0, 0, q.broken
	}
	id, length, ok, sane := q.ring.used(q.inFlight)
	if !sane {
		q.stats.badIndex.Add(1)
		q.broken = fmt.Errorf("%w: queue %d has used more than the %d chains in flight", ErrRing, q.index, q.inFlight)
		return 0, 0, q.broken
	}
	if !ok {
		return 0, 0, ErrQueueEmpty
	}
	if id >= uint32(len(q.slots)) || q.slots[id].chain == 0 {
		q.stats.badUsed.Add(1)
		q.broken = fmt.Errorf("%w: queue %d: id %d is no chain of the device's", ErrRing, q.index, id)
		return 0, 0, q.broken
	}
	q.taken++
	q.ring.advance(int(q.slots[id].chain))
	if length > q.slots[id].writable {
		q.stats.badLength.Add(1)
		length = 0
	}
	q.release(uint16(id))
	return int(id), int(length), nil
}

// Taken is how many chains Pop has returned since NewQueue or Drain.
func (q *Queue) Taken() uint64 { return q.taken }

// Drain takes every chain back from a device that was reset and calls f with each
// head; then the queue is as new, but not known to the device until Enable.
func (q *Queue) Drain(f func(head int)) {
	for h := range q.slots {
		if q.slots[h].chain != 0 {
			q.release(uint16(h))
			f(h)
		}
	}
	q.clear()
}

// Enable tells a device that was reset about the queue again. The error is ErrQueue.
func (q *Queue) Enable() error {
	if n := q.t.QueueMax(q.index); n < len(q.slots) {
		return fmt.Errorf("%w: queue %d had %d descriptors, now it has at most %d", ErrQueue, q.index, len(q.slots), n)
	}
	return q.t.SetQueue(q.index, q.ring.areas())
}

// Close frees the rings' memory. The device was reset and Drain was called before.
func (q *Queue) Close() {
	q.mem.Free(q.block)
	if q.table != nil {
		q.mem.Free(q.table)
	}
}
