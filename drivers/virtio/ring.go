package virtio

import "github.com/tamanet/tamanet/drivers/dma"

// maxQueueSize is the largest queue (§2.7, §2.8.10.1).
const maxQueueSize = 32768

// Flags of a descriptor, of both kinds of ring (§2.7.5, §2.8.13).
const (
	descNext     = 1
	descWrite    = 2
	descIndirect = 4
)

// descLen is the size of a descriptor of either kind in bytes.
const descLen = 16

// ringAlign keeps what the driver writes and what the device writes in
// different cache lines; the specification asks for 16, 2 and 4.
const ringAlign = 64

func align(n int) int { return (n + ringAlign - 1) &^ (ringAlign - 1) }

// ring is the memory that driver and device share, with the driver's positions in it: a
// split or a packed one. What it returns from there was loaded once, and not checked.
type ring interface {
	// areas says where the device finds the ring.
	areas() Rings
	// clear puts memory and positions to where a reset device expects them.
	clear()
	// chain makes the n segments of the list at slots[h] available, in n descriptors; not before
	// publish does the device see them.
	chain(slots []slot, h uint16, n int)
	// indirect does so for segs in one descriptor, with a table that the device finds at addr.
	indirect(h uint16, table []byte, addr dma.Addr, segs []Segment)
	// publish shows the device what was made available since the last time, and says
	// whether there was something.
	publish() (some bool)
	// wanted says whether the device wants to be notified of what was published since wanted
	// was called last. A barrier comes between.
	wanted() bool
	// pending says whether the device has used more than skip chains, or, where that cannot be told,
	// any.
	pending(skip int) bool
	// used returns the next used entry. ok is false when there is none; sane when there cannot be
	// as many as the device says, with inFlight chains.
	used(inFlight int) (id, length uint32, ok, sane bool)
	// advance goes on to the used entry behind that of a chain of n descriptors.
	advance(n int)
	// arm asks for an interrupt when more are used than so many chains, which take so many descriptors;
	// disarm for none. Both are no more than a hint.
	arm(chains, descriptors int)
	disarm()
}

// passed says whether an index that ran from before to now has passed event (§2.7.10,
// §2.8.20).
func passed(event, now, before uint16) bool { return now-event-1 < now-before }

// flagsOf are the flags of a descriptor for s, beside those of the ring.
func flagsOf(s *Segment, more bool) (f uint16) {
	if s.Dir == dma.FromDevice {
		f = descWrite
	}
	if more {
		f |= descNext
	}
	return f
}
