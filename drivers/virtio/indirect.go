package virtio

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
)

// UseIndirect has a chain of 2 to n segments take one descriptor of the queue, which refers
// to a table of its own (§2.7.5.3, §2.8.7). It is called once, before the first Add, and
// needs FeatureIndirectDesc negotiated. The error wraps dma.ErrNoMemory.
func (q *Queue) UseIndirect(n int) error {
	// A chain must not be longer than the queue, wherever it stands (§2.7.5.3.1).
	n = min(n, len(q.slots))
	block, err := q.mem.Alloc(descLen*n*len(q.slots), descLen)
	if err != nil {
		return fmt.Errorf("virtio: indirect descriptors of queue %d: %w", q.index, err)
	}
	q.table, q.tableLen = block, n
	return nil
}

// tableOf returns the table of a head, and where the device finds it.
func (q *Queue) tableOf(h uint16) ([]byte, dma.Addr) {
	off := int(h) * q.tableLen * descLen
	return q.table.Bytes[off : off+q.tableLen*descLen], q.table.Addr + dma.Addr(off)
}

// addIndirect is Add with one descriptor. There are no more segments than fit into a table.
func (q *Queue) addIndirect(segs []Segment) (head int, err error) {
	if q.numFree == 0 {
		return 0, ErrQueueFull
	}
	if q.broken != nil {
		return 0, q.broken
	}
	h := q.free
	s := &q.slots[h]
	writable := uint32(0)
	for i := range segs {
		seg := segs[i]
		if err = q.lend(&seg, &writable); err != nil {
			q.takeBackMore(s)
			return 0, err
		}
		s.more = append(s.more, seg)
	}
	table, addr := q.tableOf(h)
	q.ring.indirect(h, table, addr, s.more)
	q.added(h, 1, writable)
	q.free = s.next
	return int(h), nil
}

// takeBackMore ends what lend began for an indirect chain.
func (q *Queue) takeBackMore(s *slot) {
	for i := range s.more {
		q.takeBack(&s.more[i])
	}
	s.more = s.more[:0]
}
