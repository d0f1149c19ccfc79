package virtio

import (
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
)

// maxQueueSize is the largest split queue (§2.7).
const maxQueueSize = 32768

// Flags of a descriptor (§2.7.5).
const (
	descNext     = 1
	descWrite    = 2
	descIndirect = 4
)

// Flags in the first 16 bits of the available and the used ring.
const (
	availNoInterrupt = 1 // VIRTQ_AVAIL_F_NO_INTERRUPT, §2.7.6
	usedNoNotify     = 1 // VIRTQ_USED_F_NO_NOTIFY, §2.7.8
)

// desc is struct virtq_desc (§2.7.5). Its fields are little-endian in memory, as
// the supported processors are.
type desc struct {
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

// ring is the memory that driver and device share. The flags and the index of a
// ring are one aligned 32-bit word, index in the upper half, so that sync/atomic can
// load and store it: Go has no 16-bit atomics.
type ring struct {
	desc      []desc
	availWord *uint32
	avail     []uint16
	usedWord  *uint32
	used      []usedElem
	// usedEvent is in the available ring and names the used entry that the driver wants to
	// be interrupted for, availEvent is in the used ring and names the
	// available entry that the device wants to be notified of (§2.7.7, §2.7.10).
	// The first is usedShift bits up in its word.
	usedEvent, availEvent *uint32
	usedShift             int
}

// descLen is the size of a descriptor in bytes.
const descLen = 16

// The sizes of the three areas for n descriptors (§2.7). The rings end in the two bytes
// of an event index, and two more so that it can be loaded in a word.
func descSize(n int) int  { return descLen * n }
func availSize(n int) int { return 8 + 2*n }
func usedSize(n int) int  { return 8 + 8*n }

// ringAlign keeps what the driver writes and what the device writes in
// different cache lines; the specification asks for 16, 2 and 4.
const ringAlign = 64

func align(n int) int { return (n + ringAlign - 1) &^ (ringAlign - 1) }

// ringSize is the size of the Block that newRing lays out.
func ringSize(n int) int { return align(descSize(n)) + align(availSize(n)) + usedSize(n) }

// newRing lays a ring of n descriptors out in b, which is aligned to ringAlign
// and ringSize(n) long, and says where the device finds it.
func newRing(b *dma.Block, n int) (ring, Rings) {
	_ = b.Bytes[ringSize(n)-1]
	availOff := align(descSize(n))
	usedOff := availOff + align(availSize(n))
	base := unsafe.Pointer(unsafe.SliceData(b.Bytes))
	// SAFETY: the line above has checked that the block holds all areas; each
	// offset is a multiple of ringAlign, which suits every type; the pointers
	// keep the block reachable, and Go's heap does not move.
	r := ring{
		desc:      unsafe.Slice((*desc)(base), n),
		availWord: (*uint32)(unsafe.Add(base, availOff)),
		avail:     unsafe.Slice((*uint16)(unsafe.Add(base, availOff+4)), n),
		usedWord:  (*uint32)(unsafe.Add(base, usedOff)),
		used:      unsafe.Slice((*usedElem)(unsafe.Add(base, usedOff+4)), n),

		usedEvent:  (*uint32)(unsafe.Add(base, availOff+4+2*(n&^1))),
		availEvent: (*uint32)(unsafe.Add(base, usedOff+4+8*n)),
	}
	if n == 1 {
		// It shares a word with the only entry, which is always 0.
		r.usedShift = 16
	}
	return r, Rings{
		Size:   n,
		Desc:   b.Addr,
		Driver: b.Addr + dma.Addr(availOff),
		Device: b.Addr + dma.Addr(usedOff),
	}
}
