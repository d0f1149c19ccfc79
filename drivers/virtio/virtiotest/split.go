package virtiotest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/dma"
)

// split is the device's side of a split ring (§2.7).
type split struct {
	q                 *Queue
	desc, avail, used []byte
	lastAvail         uint16
	usedIdx           uint16
	signalled         uint16 // usedIdx when an interrupt was last considered
	eventIdx          bool
}

func (r *split) index() uint16 { return uint16(atomic.LoadUint32(word(r.avail)) >> 16) }

func (r *split) available() int { return int(r.index() - r.lastAvail) }

// usedEvent is the used entry for which the driver asks for an interrupt (§2.7.10).
func (r *split) usedEvent() uint16 {
	at := 4 + 2*r.q.size
	return uint16(atomic.LoadUint32(word(r.avail[at&^3:])) >> (8 * (at & 3)))
}

func (r *split) noInterrupt() bool {
	if r.eventIdx {
		return int(r.usedEvent()-r.usedIdx) >= r.q.size
	}
	return atomic.LoadUint32(word(r.avail))&1 != 0
}

func (r *split) due() bool {
	if !r.eventIdx {
		return !r.noInterrupt()
	}
	before := r.signalled
	r.signalled = r.usedIdx
	return r.usedIdx-r.usedEvent()-1 < r.usedIdx-before
}

func (r *split) take(c *Chain) error {
	slot := int(r.lastAvail) & (r.q.size - 1)
	r.lastAvail++
	c.Head = binary.LittleEndian.Uint16(r.avail[4+2*slot:])
	return r.walk(c, r.desc, c.Head, false)
}

// walk follows the chain that begins at descriptor d of a table.
func (r *split) walk(c *Chain, table []byte, d uint16, indirect bool) error {
	for {
		if 16*int(d) >= len(table) {
			return fmt.Errorf("queue %d: chain at %d leaves the table", r.q.index, c.Head)
		}
		e := table[16*int(d):]
		addr, n := dma.Addr(binary.LittleEndian.Uint64(e)), binary.LittleEndian.Uint32(e[8:])
		flags := binary.LittleEndian.Uint16(e[12:])
		if flags&4 != 0 {
			stray := flags &^ 4
			if indirect {
				stray = flags
			}
			mem, err := r.q.table(addr, n, stray)
			if err != nil {
				return err
			}
			return r.walk(c, mem, 0, true)
		}
		if err := r.q.add(c, addr, n, flags&2 != 0); err != nil {
			return err
		}
		if flags&1 == 0 {
			return nil
		}
		d = binary.LittleEndian.Uint16(e[14:])
	}
}

func (r *split) back(n int) { r.lastAvail -= uint16(n) }

func (r *split) use(id, length uint32) {
	e := r.used[4+8*(int(r.usedIdx)&(r.q.size-1)):]
	// Atomic, since a hostile device writes entries that the driver may be reading.
	atomic.StoreUint32(word(e), id)
	atomic.StoreUint32(word(e[4:]), length)
	r.usedIdx++
}

func (r *split) skip(n int) { r.usedIdx += uint16(n) }

func (r *split) await() (more bool) {
	before := r.index()
	if r.eventIdx {
		atomic.StoreUint32(word(r.used[4+8*r.q.size:]), uint32(before))
	}
	return r.index() != before
}

func (r *split) publish(noNotify bool) {
	flags := uint32(0)
	switch {
	case r.eventIdx:
		event := r.lastAvail
		if noNotify {
			event-- // the one that is furthest away
		}
		atomic.StoreUint32(word(r.used[4+8*r.q.size:]), uint32(event))
	case noNotify:
		flags = 1
	}
	atomic.StoreUint32(word(r.used), uint32(r.usedIdx)<<16|flags)
}

func (r *split) writable() []byte { return r.used }

func (r *split) state() string {
	return fmt.Sprintf("taken up to %d, used %d, looked at the driver's event at %d, available ring % x, used ring % x",
		r.lastAvail, r.usedIdx, r.signalled, r.avail, r.used)
}
