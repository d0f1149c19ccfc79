package virtio

import (
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
)

// Flags of a packed descriptor (§2.8.1), and those of an event suppression structure (§2.8.10).
const (
	packedAvail = 1 << 7
	packedUsed  = 1 << 15

	eventEnable  = 0 // RING_EVENT_FLAGS_ENABLE
	eventDisable = 1 // RING_EVENT_FLAGS_DISABLE
	eventDesc    = 2 // RING_EVENT_FLAGS_DESC

	// wrapBit holds the wrap counter beside the position of an event (§2.8.10).
	wrapBit = 1 << 15
)

// packedDesc is struct pvirtq_desc (§2.8.13). id and flags are one word, flags in the upper half,
// which is stored last and loaded first.
type packedDesc struct {
	addr uint64
	len  uint32
	word uint32
}

// position is a place in a packed ring with the wrap counter there (§2.8.1).
type position struct {
	at   uint16
	wrap bool
}

// packedRing is the ring of §2.8. Both sides go round the same descriptors: the driver makes
// one available by its flags, and the device writes a used one over the first of those that
// it has taken earliest.
type packedRing struct {
	block *dma.Block
	desc  []packedDesc
	// driverEvent says when the driver wants an interrupt, deviceEvent when the device
	// wants to be notified (§2.8.10): the position, and the flags in the upper half.
	driverEvent, deviceEvent *uint32
	eventIdx                 bool

	// avail is where the next descriptor is made available, lastUsed where the next used
	// one is to be read.
	avail, lastUsed position
	// The device is kept from all that was added since publish by the flags of the first
	// descriptor: firstWord at first is yet to be stored. added is how many there are.
	first     uint16
	firstWord uint32
	added     uint16
	// unnoticed is how many were published since the device's wish for a notification was looked at.
	unnoticed int
	armed     bool
}

// Offsets behind the descriptors.
const packedEvents = 2 * ringAlign

// packedSize is the size of the Block that newPacked lays out.
func packedSize(n int) int { return align(descLen*n) + packedEvents }

// newPacked lays a ring of n descriptors out in b, which is aligned to ringAlign and
// packedSize(n) long.
func newPacked(b *dma.Block, n int, eventIdx bool) *packedRing {
	_ = b.Bytes[packedSize(n)-1]
	base, off := unsafe.Pointer(unsafe.SliceData(b.Bytes)), align(descLen*n)
	// SAFETY: as in newSplit.
	return &packedRing{
		block:       b,
		desc:        unsafe.Slice((*packedDesc)(base), n),
		driverEvent: (*uint32)(unsafe.Add(base, off)),
		deviceEvent: (*uint32)(unsafe.Add(base, off+ringAlign)),
		eventIdx:    eventIdx,
	}
}

func (r *packedRing) areas() Rings {
	off := dma.Addr(align(descLen * len(r.desc)))
	return Rings{Size: len(r.desc), Desc: r.block.Addr, Driver: r.block.Addr + off, Device: r.block.Addr + off + ringAlign}
}

func (r *packedRing) clear() {
	clear(r.block.Bytes)
	r.avail, r.lastUsed = position{wrap: true}, position{wrap: true}
	r.added, r.unnoticed, r.armed = 0, 0, true
}

// step moves p on by n descriptors, at most the ring's size.
func (r *packedRing) step(p *position, n int) {
	next := int(p.at) + n
	if next >= len(r.desc) {
		next -= len(r.desc)
		p.wrap = !p.wrap
	}
	p.at = uint16(next)
}

// put makes the next descriptor available.
func (r *packedRing) put(addr dma.Addr, n int, id, flags uint16) {
	if r.avail.wrap {
		flags |= packedAvail
	} else {
		flags |= packedUsed
	}
	d, word := &r.desc[r.avail.at], uint32(flags)<<16|uint32(id)
	d.addr, d.len = uint64(addr), uint32(n)
	if r.added == 0 {
		r.first, r.firstWord = r.avail.at, word
	} else {
		atomic.StoreUint32(&d.word, word)
	}
	r.added++
	r.step(&r.avail, 1)
}

func (r *packedRing) chain(slots []slot, h uint16, n int) {
	for i, d := 0, h; i < n; i++ {
		s := &slots[d]
		r.put(s.seg.Addr, s.seg.Len, h, flagsOf(&s.seg, i < n-1))
		d = s.next
	}
}

func (r *packedRing) indirect(h uint16, table []byte, addr dma.Addr, segs []Segment) {
	// SAFETY: the table is aligned to descLen, and Queue gives it room for segs.
	t := unsafe.Slice((*packedDesc)(unsafe.Pointer(unsafe.SliceData(table))), len(table)/descLen)
	for i := range segs {
		// The table's length says how many there are, not a flag (§2.8.7).
		t[i] = packedDesc{uint64(segs[i].Addr), uint32(segs[i].Len), uint32(flagsOf(&segs[i], false)) << 16}
	}
	r.put(addr, descLen*len(segs), h, descIndirect)
}

func (r *packedRing) publish() (some bool) {
	if r.added == 0 {
		return false
	}
	// All that the flags make available before them (§2.8.21.1).
	dma.WriteBarrier()
	atomic.StoreUint32(&r.desc[r.first].word, r.firstWord)
	r.unnoticed += int(r.added)
	r.added = 0
	return true
}

func (r *packedRing) wanted() bool {
	// More than once round passes every position.
	added := uint16(min(r.unnoticed, len(r.desc)))
	r.unnoticed = 0
	event := atomic.LoadUint32(r.deviceEvent)
	switch event >> 16 {
	case eventDisable:
		return false
	case eventDesc:
		return !r.eventIdx || r.passedEvent(uint16(event), r.avail, added)
	default:
		return true
	}
}

// passedEvent says whether the added descriptors in front of now include the one that event names.
func (r *packedRing) passedEvent(event uint16, now position, added uint16) bool {
	at := event &^ wrapBit
	if event&wrapBit != 0 != now.wrap {
		at -= uint16(len(r.desc))
	}
	return passed(at, now.at, now.at-added)
}

func (r *packedRing) pending(int) bool {
	flags := atomic.LoadUint32(&r.desc[r.lastUsed.at].word) >> 16
	avail, used := flags&packedAvail != 0, flags&packedUsed != 0
	return avail == used && used == r.lastUsed.wrap
}

func (r *packedRing) used(inFlight int) (id, length uint32, ok, sane bool) {
	if !r.pending(0) {
		return 0, 0, false, true
	}
	// What was added but not published is not the device's yet either; its chains are in
	// inFlight, but the id shows it, or the next look.
	if inFlight == 0 {
		return 0, 0, false, false
	}
	// The flags before what they make valid (§2.8.21.3.1).
	dma.ReadBarrier()
	d := &r.desc[r.lastUsed.at]
	// Whether VIRTQ_DESC_F_WRITE is set says whether the length is valid, but devices forget it.
	return atomic.LoadUint32(&d.word) & 0xffff, atomic.LoadUint32(&d.len), true, true
}

func (r *packedRing) advance(n int) { r.step(&r.lastUsed, n) }

func (r *packedRing) disarm() {
	if r.armed {
		r.armed = false
		atomic.StoreUint32(r.driverEvent, eventDisable<<16)
	}
}

func (r *packedRing) arm(_, descriptors int) {
	if r.armed && !r.eventIdx {
		return
	}
	r.armed = true
	if !r.eventIdx {
		atomic.StoreUint32(r.driverEvent, eventEnable<<16)
		return
	}
	at := r.lastUsed
	r.step(&at, descriptors)
	event := uint32(at.at)
	if at.wrap {
		event |= wrapBit
	}
	atomic.StoreUint32(r.driverEvent, eventDesc<<16|event)
}
