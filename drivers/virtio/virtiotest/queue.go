package virtiotest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// Queue is the device's side of a split virtqueue. Use it inside Device.Work, or
// where the driver is known to be at rest.
type Queue struct {
	d     *Device
	index int

	size                          int
	descAddr, availAddr, usedAddr dma.Addr
	ready                         bool

	desc, avail, used []byte
	lastAvail         uint16
	usedIdx           uint16
	usedFlags         uint16
	signalled         uint16 // usedIdx when an interrupt was last considered
	eventIdx          bool
	chain             Chain
}

// Chain is a chain of descriptors that the driver made available.
type Chain struct {
	Head uint16
	// Out is what the device may read, In what it may write.
	Out, In [][]byte
}

// OutLen is the number of bytes in Out.
func (c *Chain) OutLen() (n int) {
	for _, b := range c.Out {
		n += len(b)
	}
	return n
}

func (q *Queue) reset() {
	*q = Queue{d: q.d, index: q.index, chain: Chain{Out: q.chain.Out[:0], In: q.chain.In[:0]}}
}

// enable resolves the areas. The device's lock is held.
func (q *Queue) enable() (err error) {
	if q.size <= 0 || q.size&(q.size-1) != 0 || uint32(q.size) > q.d.QueueMax[q.index] {
		return fmt.Errorf("size %d is no power of two up to %d", q.size, q.d.QueueMax[q.index])
	}
	if q.descAddr%16 != 0 || q.availAddr%2 != 0 || q.usedAddr%4 != 0 {
		return fmt.Errorf("areas at %#x, %#x, %#x are not aligned", q.descAddr, q.availAddr, q.usedAddr)
	}
	for _, a := range []struct {
		mem  *[]byte
		addr dma.Addr
		n    int
	}{{&q.desc, q.descAddr, 16 * q.size}, {&q.avail, q.availAddr, 8 + 2*q.size}, {&q.used, q.usedAddr, 8 + 8*q.size}} {
		if *a.mem, err = q.d.Mem.Access(a.addr, a.n, true); err != nil {
			return err
		}
	}
	q.eventIdx = q.d.accepted.Has(virtio.FeatureEventIdx)
	q.ready = true
	return nil
}

// Ready says whether the driver has enabled the queue.
func (q *Queue) Ready() bool {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	return q.ready
}

// Size is the number of descriptors.
func (q *Queue) Size() int { return q.size }

// word is the flags and index of a ring, which both sides use atomically.
func word(ring []byte) *uint32 {
	// SAFETY: the areas are aligned to 4 bytes, which enable has checked of
	// the device address and dma.Fake keeps, and longer than that.
	return (*uint32)(unsafe.Pointer(unsafe.SliceData(ring)))
}

// Available is how many chains wait to be taken.
func (q *Queue) Available() int {
	return int(uint16(atomic.LoadUint32(word(q.avail))>>16) - q.lastAvail)
}

// AvailIndex is the index that the driver has published.
func (q *Queue) AvailIndex() uint16 { return uint16(atomic.LoadUint32(word(q.avail)) >> 16) }

// usedEvent is the used entry for which the driver asks for an interrupt (§2.7.10).
func (q *Queue) usedEvent() uint16 {
	at := 4 + 2*q.size
	return uint16(atomic.LoadUint32(word(q.avail[at&^3:])) >> (8 * (at & 3)))
}

// NoInterrupt says whether the driver asks for no interrupt for what is used next.
func (q *Queue) NoInterrupt() bool {
	if q.eventIdx {
		return int(q.usedEvent()-q.usedIdx) >= q.size
	}
	return atomic.LoadUint32(word(q.avail))&1 != 0
}

// due says whether an interrupt is, by now.
func (q *Queue) due() bool {
	if !q.eventIdx {
		return !q.NoInterrupt()
	}
	before := q.signalled
	q.signalled = q.usedIdx
	return q.usedIdx-q.usedEvent()-1 < q.usedIdx-before
}

// Next takes the next chain. It is valid until Next is called again. An error
// says what is wrong with what the driver has written.
func (q *Queue) Next() (c *Chain, ok bool, err error) {
	n := q.Available()
	if n == 0 {
		return nil, false, nil
	}
	if n > q.size {
		return nil, false, fmt.Errorf("queue %d: %d chains are available in a ring of %d", q.index, n, q.size)
	}
	slot := int(q.lastAvail) & (q.size - 1)
	q.lastAvail++
	c = &q.chain
	*c = Chain{Head: binary.LittleEndian.Uint16(q.avail[4+2*slot:]), Out: c.Out[:0], In: c.In[:0]}
	if err := q.walk(c, q.desc, c.Head, false); err != nil {
		return nil, false, err
	}
	return c, true, nil
}

// walk follows the chain that begins at descriptor d of a table.
func (q *Queue) walk(c *Chain, table []byte, d uint16, indirect bool) error {
	for {
		if 16*int(d) >= len(table) || len(c.In)+len(c.Out) == q.size {
			return fmt.Errorf("queue %d: chain at %d leaves the table or does not end", q.index, c.Head)
		}
		e := table[16*int(d):]
		flags := binary.LittleEndian.Uint16(e[12:])
		write := flags&2 != 0
		mem, err := q.d.Mem.Access(dma.Addr(binary.LittleEndian.Uint64(e)), int(binary.LittleEndian.Uint32(e[8:])), write)
		if err != nil {
			return fmt.Errorf("queue %d, descriptor %d: %w", q.index, d, err)
		}
		switch {
		case flags&4 != 0:
			if indirect || flags != 4 || len(mem)%16 != 0 || !q.d.accepted.Has(virtio.FeatureIndirectDesc) {
				return fmt.Errorf("queue %d, descriptor %d: an indirect one with flags %#x and %d bytes is not allowed", q.index, d, flags, len(mem))
			}
			return q.walk(c, mem, 0, true)
		case write:
			c.In = append(c.In, mem)
		case len(c.In) > 0:
			return fmt.Errorf("queue %d: a readable descriptor follows a writable one", q.index)
		default:
			c.Out = append(c.Out, mem)
		}
		if flags&1 == 0 {
			return nil
		}
		d = binary.LittleEndian.Uint16(e[14:])
	}
}

// Back puts the last n chains that Next has taken back.
func (q *Queue) Back(n int) { q.lastAvail -= uint16(n) }

// Use puts a used entry into the ring, of which the driver learns by Publish.
// Nothing checks the entry.
func (q *Queue) Use(id, length uint32) {
	e := q.used[4+8*(int(q.usedIdx)&(q.size-1)):]
	// SAFETY: the used area is aligned to 4 bytes and so is the entry in it. Atomic, since
	// a hostile device writes entries that the driver may be reading.
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&e[0])), id)
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&e[4])), length)
	q.usedIdx++
}

// Skip moves the used index without writing entries.
func (q *Queue) Skip(n int) { q.usedIdx += uint16(n) }

// SetNoNotify sets or clears VIRTQ_USED_F_NO_NOTIFY with the next Publish.
func (q *Queue) SetNoNotify(on bool) {
	q.usedFlags = 0
	if on {
		q.usedFlags = 1
	}
}

// Await asks to be notified of the next chain that is made available, for a device to which
// those that are do not suffice. It says whether there are more by then.
func (q *Queue) Await() (more bool) {
	before := q.AvailIndex()
	if q.eventIdx {
		atomic.StoreUint32(word(q.used[4+8*q.size:]), uint32(before))
	}
	return q.AvailIndex() != before
}

// Publish stores the used index and flags, or event index.
func (q *Queue) Publish() {
	if q.eventIdx {
		event := q.lastAvail
		if q.usedFlags != 0 {
			event-- // the one that is furthest away
		}
		atomic.StoreUint32(word(q.used[4+8*q.size:]), uint32(event))
		atomic.StoreUint32(word(q.used), uint32(q.usedIdx)<<16)
		return
	}
	atomic.StoreUint32(word(q.used), uint32(q.usedIdx)<<16|uint32(q.usedFlags))
}

// Interrupt raises the line unless the driver asks for none.
func (q *Queue) Interrupt() {
	if q.due() {
		q.d.Interrupt(virtio.InterruptUsed)
	}
}

// Finish is Use, Publish and Interrupt.
func (q *Queue) Finish(id, length uint32) {
	q.Use(id, length)
	q.Publish()
	q.Interrupt()
}
