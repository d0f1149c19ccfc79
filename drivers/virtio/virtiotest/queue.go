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
	}{{&q.desc, q.descAddr, 16 * q.size}, {&q.avail, q.availAddr, 6 + 2*q.size}, {&q.used, q.usedAddr, 6 + 8*q.size}} {
		if *a.mem, err = q.d.Mem.Access(a.addr, a.n, true); err != nil {
			return err
		}
	}
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

// NoInterrupt says whether the driver asks for no interrupts.
func (q *Queue) NoInterrupt() bool { return atomic.LoadUint32(word(q.avail))&1 != 0 }

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
	d := c.Head
	for i := 0; ; i++ {
		if int(d) >= q.size || i == q.size {
			return nil, false, fmt.Errorf("queue %d: chain at %d leaves the table or does not end", q.index, c.Head)
		}
		e := q.desc[16*int(d):]
		flags := binary.LittleEndian.Uint16(e[12:])
		write := flags&2 != 0
		mem, err := q.d.Mem.Access(dma.Addr(binary.LittleEndian.Uint64(e)), int(binary.LittleEndian.Uint32(e[8:])), write)
		if err != nil {
			return nil, false, fmt.Errorf("queue %d, descriptor %d: %w", q.index, d, err)
		}
		switch {
		case write:
			c.In = append(c.In, mem)
		case len(c.In) > 0:
			return nil, false, fmt.Errorf("queue %d: a readable descriptor follows a writable one", q.index)
		default:
			c.Out = append(c.Out, mem)
		}
		if flags&1 == 0 {
			return c, true, nil
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

// Publish stores the used index and flags.
func (q *Queue) Publish() {
	atomic.StoreUint32(word(q.used), uint32(q.usedIdx)<<16|uint32(q.usedFlags))
}

// Interrupt raises the line unless the driver asks for none.
func (q *Queue) Interrupt() {
	if !q.NoInterrupt() {
		q.d.Interrupt(virtio.InterruptUsed)
	}
}

// Finish is Use, Publish and Interrupt.
func (q *Queue) Finish(id, length uint32) {
	q.Use(id, length)
	q.Publish()
	q.Interrupt()
}
