//go:build tamago

package amd64

import (
	_ "os/signal" // Relay, called by the interrupt handlers
)

// Vectors of interrupts. Lines are in global system interrupt order.
const (
	vecLines    = 32
	maxLine     = 63
	vecTimer    = 240
	vecSpurious = 255
)

var (
	// wake is set by every device's interrupt and cleared by the idle loop. It makes
	// sure that no interrupt between the scheduler's last look for work and
	// the halt is slept through.
	wake bool

	spurious, strays uint64
)

// init starts interrupts. Lines are still masked, until [EnableLine].
func init() {
	hz := initLAPIC()
	initTimer(hz)
	sti()
}

// Interrupts counts the processor's own interrupts since boot, those that no line
// has.
type Interrupts struct {
	Timer    uint64 // the local APIC's timer: sleeps and preemption ticks
	Set      uint64 // how often that timer was set when the processor became idle or woke up
	Spurious uint64 // withdrawn before they were taken (SDM vol. 3 §10.9)
	Stray    uint64 // vectors that nothing was set up to raise
}

// LocalInterrupts returns the counts of the processor's own interrupts.
func LocalInterrupts() Interrupts {
	return Interrupts{Timer: timer.fired, Set: timer.sets, Spurious: spurious, Stray: strays}
}
