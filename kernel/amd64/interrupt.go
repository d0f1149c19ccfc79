//go:build tamago

package amd64

import (
	_ "os/signal" // Relay, called by the interrupt handlers

	"github.com/tamanet/tamanet/kernel/irq"
)

// Vectors of interrupts. Lines are in global system interrupt order.
const (
	vecLines    = 32
	maxLine     = 63
	vecTimer    = 240
	vecWake     = 241
	vecSpurious = 255
)

// init starts interrupts, and the other processors. Lines are still masked, until [EnableLine].
func init() {
	irq.PerCPU = lineCounts
	hz := initLAPIC()
	initTimer(hz)
	sti()
	startCPUs()
}
