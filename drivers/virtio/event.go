package virtio

import (
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/dma"
)

// UseEventIdx has the queue say by event indices, in place of flags, when it wants an interrupt,
// and go by the device's (§2.7.10). It is called once, before the first Add, and
// needs FeatureEventIdx negotiated.
func (q *Queue) UseEventIdx() { q.eventIdx = true }

// passed says whether an index that ran from before to now has passed event (§2.7.10:
// vring_need_event).
func passed(event, now, before uint16) bool { return now-event-1 < now-before }

// wantsNotice says whether the device wants to know what became available since before.
func (q *Queue) wantsNotice(before uint16) bool {
	if q.eventIdx {
		return passed(uint16(atomic.LoadUint32(q.ring.availEvent)), q.published, before)
	}
	return atomic.LoadUint32(q.ring.usedWord)&usedNoNotify == 0
}

// setUsedEvent asks for an interrupt when the device uses the entry of that index.
func (q *Queue) setUsedEvent(index uint16) {
	atomic.StoreUint32(q.ring.usedEvent, uint32(index)<<q.ring.usedShift)
}

// DisableInterrupts asks the device not to interrupt for this queue. It is a
// hint: an interrupt may still come (§2.7.7).
func (q *Queue) DisableInterrupts() {
	switch {
	case !q.eventIdx && q.availFlags&availNoInterrupt == 0:
		q.availFlags |= availNoInterrupt
		q.publish()
	case q.eventIdx && q.armed:
		// The entry that is furthest away.
		q.setUsedEvent(q.lastUsed - 1)
		q.armed = false
	}
}

// EnableInterrupts asks for an interrupt when the next chain is used, and says
// whether some were already: for those no interrupt will come (§2.7.14).
func (q *Queue) EnableInterrupts() (pending bool) {
	switch {
	case q.eventIdx:
		q.setUsedEvent(q.lastUsed)
		q.armed = true
	case q.availFlags&availNoInterrupt != 0:
		q.availFlags &^= availNoInterrupt
		q.publish()
	default:
		return q.pending() != 0
	}
	// The flag or event before the index: else a chain could be used in between
	// unnoticed (§2.7.14).
	dma.Barrier()
	return q.pending() != 0
}
