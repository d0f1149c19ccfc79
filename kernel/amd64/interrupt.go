//go:build tamago

package amd64

import (
	_ "os/signal" // Relay, called by the interrupt handlers

	_ "github.com/tamanet/tamanet/kernel/irq" // raise, called by the interrupt handlers
)

// Vectors of interrupts. The lines are in global system interrupt order.
const (
	vecLines    = 32
	vecTimer    = 240
	vecSpurious = 255
)

var (
	// wake is set by every interrupt and cleared by the idle loop: it makes
	// sure that no interrupt between the scheduler's last look for work and the
	// halt is slept through.
	wake bool

	spurious, strays uint64
)
