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
	// be into the used ring. The queue is of no further use until Reset.
	ErrRing = errors.New("virtio: device wrote nonsense into the used ring")
)

// Segment is one piece of memory of a request: either Bytes, which the queue
// lends to the device until Pop, or Len bytes of coherent memory at Addr.
type Segment struct {
	Bytes []byte
	Addr  dma.Addr
	Len   int
	Dir   dma.Direction
}

// Queue is a split virtqueue (§2.7). Except for Stats it is not safe for concurrent use.
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
	rings Rings

	slots []slot
	// free is the first descriptor of the list of free ones, of which there are numFree.
	free    uint16
	numFree int
	// inFlight counts the chains that the device has.
	inFlight int
	// availIdx is the index of the next available entry to be written,
	// published what the device was told of, lastUsed the next used
	// entry to be read. All three run modulo 2¹⁶ (§2.7.6, §2.7.8).
	availIdx, published, lastUsed uint16
	// availFlags are the flags of the available ring as last stored.
	availFlags uint16
	broken     error

	// eventIdx is set when event indices take the place of the rings' flags, and armed then
	// while an interrupt is asked for.
	eventIdx, armed bool
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
// device. The size is the largest power of two that both sides can do
// (§2.7: a split queue's size is one). The error wraps ErrQueue or dma.ErrNoMemory.
func NewQueue(t Transport, mem dma.Memory, index, want int) (*Queue, error) {
	size, err := queueSize(t, index, want)
	if err != nil {
		return nil, err
	}
	block, err := mem.Alloc(ringSize(size), ringAlign)
	if err != nil {
		return nil, fmt.Errorf("virtio: queue %d with %d descriptors: %w", index, size, err)
	}
	q := &Queue{index: index, t: t, mem: mem, block: block, slots: make([]slot, size)}
	q.ring, q.rings = newRing(block, size)
	q.clear()
	if err := t.SetQueue(index, q.rings); err != nil {
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
	clear(q.block.Bytes)
	for i := range q.slots {
		q.slots[i] = slot{next: uint16(i + 1), more: q.slots[i].more[:0]}
	}
	q.free, q.numFree, q.inFlight = 0, len(q.slots), 0
	q.availIdx, q.published, q.lastUsed, q.availFlags = 0, 0, 0, 0
	q.broken = nil
	// A used_event of 0 asks for an interrupt for the first used entry.
	q.armed = true
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
		if q.ring.desc[d], err = q.lend(&s.seg, &writable); err != nil {
			q.unmap(h, i)
			return 0, err
		}
		if i < len(segs)-1 {
			q.ring.desc[d].flags |= descNext
			q.ring.desc[d].next = s.next
		}
		d = s.next
	}
	q.makeAvailable(h, len(segs), writable)
	q.free = d
	return int(h), nil
}

// lend maps s and describes it. It adds what the device may write to writable.
func (q *Queue) lend(s *Segment, writable *uint32) (d desc, err error) {
	if s.Bytes != nil {
		s.Len = len(s.Bytes)
		if s.Addr, err = q.mem.Map(s.Bytes, s.Dir); err != nil {
			return d, err
		}
	}
	d = desc{addr: uint64(s.Addr), len: uint32(s.Len)}
	if s.Dir == dma.FromDevice {
		d.flags = descWrite
		*writable += d.len
	}
	return d, nil
}

// makeAvailable puts the chain of n descriptors at h into the available ring.
func (q *Queue) makeAvailable(h uint16, n int, writable uint32) {
	q.slots[h].chain, q.slots[h].writable = uint16(n), writable
	q.numFree -= n
	q.inFlight++
	q.ring.avail[int(q.availIdx)&(len(q.slots)-1)] = h
	q.availIdx++
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

// publish stores the available ring's flags and index in one word.
func (q *Queue) publish() {
	// The entries before the index (§2.7.13.3.1): a device that sees the
	// index must see what it covers.
	dma.WriteBarrier()
	atomic.StoreUint32(q.ring.availWord, uint32(q.published)<<16|uint32(q.availFlags))
}

// Kick makes what was added visible to the device and notifies it unless it
// has said that it is looking anyway (§2.7.13.4).
func (q *Queue) Kick() {
	if q.published == q.availIdx {
		return
	}
	before := q.published
	q.published = q.availIdx
	q.publish()
	// The index before the device's flag or event index: else both sides could miss
	// each other's (§2.7.13.4.1).
	dma.Barrier()
	if !q.wantsNotice(before) {
		q.stats.kicksSaved.Add(1)
		return
	}
	q.stats.kicks.Add(1)
	q.t.Notify(q.index)
}

// pending is how many used entries are unread.
func (q *Queue) pending() uint16 {
	return uint16(atomic.LoadUint32(q.ring.usedWord)>>16) - q.lastUsed
}

// Pop takes the next chain that the device has used, ends its mappings and returns its
// head and how many bytes the device wrote. A length beyond the chain's memory is counted
// and returned as 0. The errors are ErrQueueEmpty and one that wraps ErrRing: after it the
// device must be reset, since what it still uses is not known.
func (q *Queue) Pop() (head int, written int, err error) {
	if q.broken != nil {
		return 0, 0, q.broken
	}
	n := q.pending()
	if n == 0 {
		return 0, 0, ErrQueueEmpty
	}
	if int(n) > q.inFlight {
		q.stats.badIndex.Add(1)
		q.broken = fmt.Errorf("%w: index of queue %d is %d ahead with %d chains in flight", ErrRing, q.index, n, q.inFlight)
		return 0, 0, q.broken
	}
	// The index before the entries that it covers (§2.7.14).
	dma.ReadBarrier()
	e := &q.ring.used[int(q.lastUsed)&(len(q.slots)-1)]
	// Each is loaded once: a device could change it after the check.
	id, length := atomic.LoadUint32(&e.id), atomic.LoadUint32(&e.len)
	q.lastUsed++
	if id >= uint32(len(q.slots)) || q.slots[id].chain == 0 {
		q.stats.badUsed.Add(1)
		q.broken = fmt.Errorf("%w: queue %d: id %d is no chain of the device's", ErrRing, q.index, id)
		return 0, 0, q.broken
	}
	if length > q.slots[id].writable {
		q.stats.badLength.Add(1)
		length = 0
	}
	q.release(uint16(id))
	return int(id), int(length), nil
}

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
	return q.t.SetQueue(q.index, q.rings)
}

// Close frees the rings' memory. The device was reset and Drain was called before.
func (q *Queue) Close() {
	q.mem.Free(q.block)
	if q.table != nil {
		q.mem.Free(q.table)
	}
}
