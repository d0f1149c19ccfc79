package virtio

import (
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
)

// Flags in the first 16 bits of the available and the used ring.
const (
	availNoInterrupt = 1 // VIRTQ_AVAIL_F_NO_INTERRUPT, §2.7.6
	usedNoNotify     = 1 // VIRTQ_USED_F_NO_NOTIFY, §2.7.8
)

// splitDesc is struct virtq_desc (§2.7.5). Its fields are little-endian in memory, as
// the supported processors are.
type splitDesc struct {
	addr  uint64
	len   uint32
	flags uint16
	next  uint16
}

// usedElem is struct virtq_used_elem (§2.7.8).
type usedElem struct {
	id  uint32
	len uint32
}

// splitRing is the ring of §2.7. The flags and the index of an area are one aligned
// 32-bit word, index in the upper half, so that sync/atomic can load and store it: Go has no
// 16-bit atomics.
type splitRing struct {
	block     *dma.Block
	desc      []splitDesc
	availWord *uint32
	avail     []uint16
	usedWord  *uint32
	usedElems []usedElem
	// usedEvent is in the available ring and names the used entry that the driver wants to
	// be interrupted for, availEvent is in the used ring and names the
	// available entry that the device wants to be notified of (§2.7.7, §2.7.10).
	// The first is usedShift bits up in its word.
	usedEvent, availEvent *uint32
	usedShift             int

	// availIdx is the index of the next available entry to be written,
	// published what the device can see, noticed that when its wish for a notification was looked at,
	// lastUsed the next used entry to be read. All run modulo 2¹⁶ (§2.7.6, §2.7.8).
	availIdx, published, noticed, lastUsed uint16
	// availFlags are the flags of the available ring as last stored.
	availFlags uint16
	// eventIdx is set when event indices take the place of the rings' flags, and armed then
	// while an interrupt is asked for.
	eventIdx, armed bool
}

// The sizes of the three areas for n descriptors (§2.7). The rings end in the two bytes
// of an event index, and two more so that it can be loaded in a word.
func splitDescSize(n int) int { return descLen * n }
func availSize(n int) int     { return 8 + 2*n }
func usedSize(n int) int      { return 8 + 8*n }

// splitSize is the size of the Block that newSplit lays out.
func splitSize(n int) int { return align(splitDescSize(n)) + align(availSize(n)) + usedSize(n) }

// newSplit lays a ring of n descriptors, a power of two, out in b, which is aligned to
// ringAlign and splitSize(n) long.
func newSplit(b *dma.Block, n int, eventIdx bool) *splitRing {
	_ = b.Bytes[splitSize(n)-1]
	availOff := align(splitDescSize(n))
	usedOff := availOff + align(availSize(n))
	base := unsafe.Pointer(unsafe.SliceData(b.Bytes))
	// SAFETY: the line above has checked that the block holds all areas; each
	// offset is a multiple of ringAlign, which suits every type; the pointers
	// keep the block reachable, and Go's heap does not move.
	r := &splitRing{
		block:     b,
		desc:      unsafe.Slice((*splitDesc)(base), n),
		availWord: (*uint32)(unsafe.Add(base, availOff)),
		avail:     unsafe.Slice((*uint16)(unsafe.Add(base, availOff+4)), n),
		usedWord:  (*uint32)(unsafe.Add(base, usedOff)),
		usedElems: unsafe.Slice((*usedElem)(unsafe.Add(base, usedOff+4)), n),

		usedEvent:  (*uint32)(unsafe.Add(base, availOff+4+2*(n&^1))),
		availEvent: (*uint32)(unsafe.Add(base, usedOff+4+8*n)),
		eventIdx:   eventIdx,
	}
	if n == 1 {
		// It shares a word with the only entry, which is always 0.
		r.usedShift = 16
	}
	return r
}

func (r *splitRing) areas() Rings {
	n, a := len(r.desc), r.block.Addr
	return Rings{Size: n, Desc: a, Driver: a + dma.Addr(align(splitDescSize(n))),
		Device: a + dma.Addr(align(splitDescSize(n))+align(availSize(n)))}
}

func (r *splitRing) clear() {
	clear(r.block.Bytes)
	r.availIdx, r.published, r.noticed, r.lastUsed, r.availFlags = 0, 0, 0, 0, 0
	// A used_event of 0 asks for an interrupt for the first used entry.
	r.armed = true
}

func (r *splitRing) chain(slots []slot, h uint16, n int) {
	for i, d := 0, h; i < n; i++ {
		s := &slots[d]
		r.desc[d] = splitDesc{uint64(s.seg.Addr), uint32(s.seg.Len), flagsOf(&s.seg, i < n-1), s.next}
		d = s.next
	}
	r.makeAvailable(h)
}

func (r *splitRing) indirect(h uint16, table []byte, addr dma.Addr, segs []Segment) {
	// SAFETY: the table is aligned to descLen, and Queue gives it room for segs.
	t := unsafe.Slice((*splitDesc)(unsafe.Pointer(unsafe.SliceData(table))), len(table)/descLen)
	for i := range segs {
		s := &segs[i]
		t[i] = splitDesc{uint64(s.Addr), uint32(s.Len), flagsOf(s, i < len(segs)-1), uint16(i + 1)}
	}
	r.desc[h] = splitDesc{addr: uint64(addr), len: uint32(descLen * len(segs)), flags: descIndirect}
	r.makeAvailable(h)
}

// makeAvailable puts the chain at h into the available ring.
func (r *splitRing) makeAvailable(h uint16) {
	r.avail[int(r.availIdx)&(len(r.avail)-1)] = h
	r.availIdx++
}

func (r *splitRing) publish() (some bool) {
	if r.published == r.availIdx {
		return false
	}
	r.published = r.availIdx
	r.storeAvail()
	return true
}

func (r *splitRing) wanted() bool {
	before := r.noticed
	r.noticed = r.published
	if r.eventIdx {
		return passed(uint16(atomic.LoadUint32(r.availEvent)), r.published, before)
	}
	return atomic.LoadUint32(r.usedWord)&usedNoNotify == 0
}

// storeAvail stores the available ring's flags and index in one word.
func (r *splitRing) storeAvail() {
	// The entries before the index (§2.7.13.3.1): a device that sees the
	// index must see what it covers.
	dma.WriteBarrier()
	atomic.StoreUint32(r.availWord, uint32(r.published)<<16|uint32(r.availFlags))
}

// unread is how many used entries there are.
func (r *splitRing) unread() uint16 {
	return uint16(atomic.LoadUint32(r.usedWord)>>16) - r.lastUsed
}

func (r *splitRing) pending(skip int) bool { return int(r.unread()) > skip }

func (r *splitRing) used(inFlight int) (id, length uint32, ok, sane bool) {
	n := r.unread()
	if n == 0 || int(n) > inFlight {
		return 0, 0, false, n == 0
	}
	// The index before the entries that it covers (§2.7.14).
	dma.ReadBarrier()
	e := &r.usedElems[int(r.lastUsed)&(len(r.usedElems)-1)]
	// Each is loaded once: a device could change it after the check.
	return atomic.LoadUint32(&e.id), atomic.LoadUint32(&e.len), true, true
}

func (r *splitRing) advance(int) { r.lastUsed++ }

// setUsedEvent asks for an interrupt when the device uses the entry of that index.
func (r *splitRing) setUsedEvent(index uint16) {
	atomic.StoreUint32(r.usedEvent, uint32(index)<<r.usedShift)
}

func (r *splitRing) disarm() {
	switch {
	case !r.eventIdx && r.availFlags&availNoInterrupt == 0:
		r.availFlags |= availNoInterrupt
		r.storeAvail()
	case r.eventIdx && r.armed:
		// The entry that is furthest away.
		r.setUsedEvent(r.lastUsed - 1)
		r.armed = false
	}
}

func (r *splitRing) arm(chains, _ int) {
	switch {
	case r.eventIdx:
		r.setUsedEvent(r.lastUsed + uint16(chains))
		r.armed = true
	case r.availFlags&availNoInterrupt != 0:
		r.availFlags &^= availNoInterrupt
		r.storeAvail()
	}
}
