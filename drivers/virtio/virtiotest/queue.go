package virtiotest

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// Queue is the device's side of a virtqueue, a packed one where that was negotiated. Use it
// inside Device.Work, or where the driver is known to be at rest.
type Queue struct {
	d     *Device
	index int

	size                             int
	descAddr, driverAddr, deviceAddr dma.Addr
	ready, noNotify                  bool

	ring  ring
	chain Chain
}

// ring is the device's side of one kind of ring.
type ring interface {
	available() int
	// take describes the next chain, of those that are available, in c.
	take(c *Chain) error
	back(n int)
	use(id, length uint32)
	skip(n int)
	publish(noNotify bool)
	await() (more bool)
	noInterrupt() bool
	due() bool
	writable() []byte
	// state says where driver and device stand.
	state() string
}

// Chain is a chain of descriptors that the driver made available.
type Chain struct {
	// Head is its first descriptor in a split ring, its buffer id in a packed one.
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
	packed := q.d.accepted.Has(virtio.FeatureRingPacked)
	if q.size <= 0 || !packed && q.size&(q.size-1) != 0 || uint32(q.size) > q.d.QueueMax[q.index] {
		return fmt.Errorf("size %d is no power of two up to %d", q.size, q.d.QueueMax[q.index])
	}
	if q.descAddr%16 != 0 || q.driverAddr%4 != 0 || q.deviceAddr%4 != 0 {
		return fmt.Errorf("areas at %#x, %#x, %#x are not aligned", q.descAddr, q.driverAddr, q.deviceAddr)
	}
	sizes := [3]int{16 * q.size, 8 + 2*q.size, 8 + 8*q.size}
	if packed {
		sizes = [3]int{16 * q.size, 4, 4}
	}
	var areas [3][]byte
	for i, a := range [3]dma.Addr{q.descAddr, q.driverAddr, q.deviceAddr} {
		if areas[i], err = q.d.Mem.Access(a, sizes[i], true); err != nil {
			return err
		}
	}
	eventIdx := q.d.accepted.Has(virtio.FeatureEventIdx)
	if packed {
		q.ring = newPacked(q, areas, eventIdx)
	} else {
		q.ring = &split{q: q, desc: areas[0], avail: areas[1], used: areas[2], eventIdx: eventIdx}
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

// word is an aligned word that both sides use atomically.
func word(b []byte) *uint32 {
	// SAFETY: the areas are aligned to 4 bytes, which enable has checked of
	// the device address and dma.Fake keeps; b begins at a multiple of 4 in one and holds as many.
	return (*uint32)(unsafe.Pointer(&b[:4][0]))
}

// String says where driver and device stand, for the message of a test that is stuck. The driver is at rest.
func (q *Queue) String() string {
	q.d.mu.Lock()
	isr, pending := q.d.isr, q.d.Line.Pending()
	q.d.mu.Unlock()
	return fmt.Sprintf("queue %d: interrupt status %#x, interrupt pending %v, %s", q.index, uint32(isr), pending, q.ring.state())
}

// Available is how many chains wait to be taken.
func (q *Queue) Available() int { return q.ring.available() }

// NoInterrupt says whether the driver asks for no interrupt for what is used next.
func (q *Queue) NoInterrupt() bool { return q.ring.noInterrupt() }

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
	c = &q.chain
	*c = Chain{Out: c.Out[:0], In: c.In[:0]}
	if err := q.ring.take(c); err != nil {
		return nil, false, err
	}
	return c, true, nil
}

// add puts what a descriptor describes into the chain.
func (q *Queue) add(c *Chain, addr dma.Addr, n uint32, write bool) error {
	if len(c.In)+len(c.Out) == q.size {
		return fmt.Errorf("queue %d: chain at %d does not end", q.index, c.Head)
	}
	mem, err := q.d.Mem.Access(addr, int(n), write)
	switch {
	case err != nil:
		return fmt.Errorf("queue %d, chain at %d: %w", q.index, c.Head, err)
	case write:
		c.In = append(c.In, mem)
	case len(c.In) > 0:
		return fmt.Errorf("queue %d: a readable descriptor follows a writable one", q.index)
	default:
		c.Out = append(c.Out, mem)
	}
	return nil
}

// table returns an indirect table. stray are the flags that its descriptor must not have.
func (q *Queue) table(addr dma.Addr, n uint32, stray uint16) ([]byte, error) {
	mem, err := q.d.Mem.Access(addr, int(n), false)
	if err == nil && (stray != 0 || n == 0 || n%16 != 0 || !q.d.accepted.Has(virtio.FeatureIndirectDesc)) {
		err = fmt.Errorf("an indirect descriptor with flags %#x and %d bytes is not allowed", stray, n)
	}
	if err != nil {
		return nil, fmt.Errorf("queue %d: %w", q.index, err)
	}
	return mem, nil
}

// Back puts the last n chains that Next has taken back.
func (q *Queue) Back(n int) { q.ring.back(n) }

// Use puts a used entry into the ring, of which the driver learns by Publish.
// Nothing checks the entry.
func (q *Queue) Use(id, length uint32) { q.ring.use(id, length) }

// Skip moves on in the used ring without writing entries.
func (q *Queue) Skip(n int) { q.ring.skip(n) }

// Scribble stores any word at any place, in words and modulo the size, of the area in which a
// device writes what it has used: the used ring, or all of the descriptors of a packed one.
func (q *Queue) Scribble(at int, v uint32) {
	area := q.ring.writable()
	atomic.StoreUint32(word(area[4*(uint(at)%uint(len(area)/4)):]), v)
}

// SetNoNotify asks for no more notifications, or for some again, with the next Publish.
func (q *Queue) SetNoNotify(on bool) { q.noNotify = on }

// Await asks to be notified of the next chain that is made available, for a device to which
// those that are do not suffice. It says whether there are more by then.
func (q *Queue) Await() (more bool) { return q.ring.await() }

// Publish shows the driver what was used, and how SetNoNotify stands.
func (q *Queue) Publish() { q.ring.publish(q.noNotify) }

// Interrupt raises the line unless the driver asks for none.
func (q *Queue) Interrupt() {
	if q.ring.due() {
		q.d.interrupt(q.index, virtio.InterruptUsed)
	}
}

// Finish is Use, Publish and Interrupt.
func (q *Queue) Finish(id, length uint32) {
	q.Use(id, length)
	q.Publish()
	q.Interrupt()
}
