package virtiotest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/dma"
)

// Flags of a packed descriptor, and of an event suppression structure (§2.8).
const (
	flagNext     = 1
	flagWrite    = 2
	flagIndirect = 4
	flagAvail    = 1 << 7
	flagUsed     = 1 << 15

	eventDisable = 1
	eventDesc    = 2
)

// packed is the device's side of a packed ring (§2.8). A position counts descriptors from
// the queue's beginning: the place in the ring is its remainder, and the wrap counter is 1 in
// every other round, the first one included.
type packed struct {
	q                    *Queue
	desc, driver, device []byte
	eventIdx             bool

	avail, used, signalled int
	// took is where each chain that was taken began, lengths how many descriptors that of a buffer id
	// had.
	took    []int
	lengths []int
	// unpublished are the used descriptors' words that publish will write.
	unpublished []usedWord
}

type usedWord struct {
	at   int
	word uint32
}

func newPacked(q *Queue, areas [3][]byte, eventIdx bool) *packed {
	return &packed{q: q, desc: areas[0], driver: areas[1], device: areas[2], eventIdx: eventIdx, lengths: make([]int, 1<<16)}
}

func (r *packed) at(pos int) []byte  { return r.desc[16*(pos%r.q.size):][:16] }
func (r *packed) wrap(pos int) bool  { return pos/r.q.size%2 == 0 }
func (r *packed) flags(p int) uint16 { return uint16(atomic.LoadUint32(word(r.at(p)[12:])) >> 16) }

// isAvailable says whether the driver has made the descriptor at a position available.
func (r *packed) isAvailable(pos int) bool {
	f := r.flags(pos)
	return f&flagAvail != 0 == r.wrap(pos) && f&flagUsed != 0 != r.wrap(pos)
}

// end is the position behind the chain at pos, whose first descriptor is available.
func (r *packed) end(pos int) int {
	for n := 0; r.flags(pos)&flagNext != 0 && n < r.q.size; n++ {
		pos++
	}
	return pos + 1
}

func (r *packed) available() (n int) {
	n, _ = r.count()
	return n
}

// count is how many chains are available, and where the driver will go on.
func (r *packed) count() (n, end int) {
	for end = r.avail; end < r.avail+r.q.size && r.isAvailable(end); n++ {
		end = r.end(end)
	}
	return n, end
}

func (r *packed) take(c *Chain) error {
	first := r.avail
	last := r.end(first) - 1
	c.Head = uint16(atomic.LoadUint32(word(r.at(last)[12:])))
	for pos := first; pos <= last; pos++ {
		if !r.isAvailable(pos) {
			return fmt.Errorf("queue %d: descriptor %d of chain %d is not available", r.q.index, pos-first, c.Head)
		}
		if err := r.describe(c, r.at(pos), false); err != nil {
			return err
		}
	}
	if len(r.took) == cap(r.took) {
		r.took = r.took[:copy(r.took, r.took[len(r.took)/2:])]
		if cap(r.took) == 0 {
			r.took = make([]int, 0, 4*r.q.size)
		}
	}
	r.took = append(r.took, first)
	r.lengths[c.Head] = last - first + 1
	r.avail = last + 1
	return nil
}

// describe adds what a descriptor describes to c.
func (r *packed) describe(c *Chain, e []byte, indirect bool) error {
	addr, n := dma.Addr(binary.LittleEndian.Uint64(e)), binary.LittleEndian.Uint32(e[8:])
	flags := uint16(atomic.LoadUint32(word(e[12:])) >> 16)
	if flags&flagIndirect == 0 {
		return r.q.add(c, addr, n, flags&flagWrite != 0)
	}
	stray := flags & (flagNext | flagWrite)
	if indirect {
		stray = flags
	}
	mem, err := r.q.table(addr, n, stray)
	for ; err == nil && len(mem) > 0; mem = mem[16:] {
		err = r.describe(c, mem[:16], true)
	}
	return err
}

func (r *packed) back(n int) {
	if n > 0 {
		r.avail = r.took[len(r.took)-n]
		r.took = r.took[:len(r.took)-n]
	}
}

func (r *packed) use(id, length uint32) {
	w := id & 0xffff
	if r.wrap(r.used) {
		w |= (flagAvail | flagUsed) << 16
	}
	atomic.StoreUint32(word(r.at(r.used)[8:]), length)
	r.unpublished = append(r.unpublished, usedWord{r.used, w})
	r.used += max(1, r.lengths[uint16(id)])
}

// skip moves on over n descriptors, which are left as they are.
func (r *packed) skip(n int) { r.used = max(0, r.used+n%(2*r.q.size)) }

func (r *packed) publish(noNotify bool) {
	// The first comes last, so that the driver sees all of them or none.
	for i := len(r.unpublished) - 1; i >= 0; i-- {
		u := r.unpublished[i]
		atomic.StoreUint32(word(r.at(u.at)[12:]), u.word)
	}
	r.unpublished = r.unpublished[:0]
	switch {
	case noNotify:
		atomic.StoreUint32(word(r.device), eventDisable<<16)
	case r.eventIdx:
		r.ask(r.avail)
	default:
		atomic.StoreUint32(word(r.device), 0)
	}
}

// ask asks for a notification of the descriptor at a position.
func (r *packed) ask(pos int) {
	event := uint32(eventDesc<<16 | pos%r.q.size)
	if r.wrap(pos) {
		event |= 1 << 15
	}
	atomic.StoreUint32(word(r.device), event)
}

func (r *packed) await() (more bool) {
	before, end := r.count()
	if r.eventIdx {
		r.ask(end)
	}
	return r.available() != before
}

func (r *packed) noInterrupt() bool { return atomic.LoadUint32(word(r.driver))>>16 == eventDisable }

// due says whether the used descriptors since the last look include the one that the driver waits for.
func (r *packed) due() bool {
	event := atomic.LoadUint32(word(r.driver))
	before := r.signalled
	r.signalled = r.used
	if event>>16 != eventDesc {
		return event>>16 != eventDisable
	}
	for pos := before; pos < r.used; pos++ {
		if int(event&0x7fff) == pos%r.q.size && (event&0x8000 != 0) == r.wrap(pos) {
			return true
		}
	}
	return false
}

func (r *packed) writable() []byte { return r.desc }

func (r *packed) state() string {
	return fmt.Sprintf("taken up to %d, used %d, looked at the driver's event at %d, events: driver % x, device % x, descriptors % x",
		r.avail, r.used, r.signalled, r.driver, r.device, r.desc)
}
