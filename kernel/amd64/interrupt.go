//go:build tamago

package amd64

import (
	_ "os/signal" // Relay, called by the interrupt handlers
	"syscall"

	"github.com/tamanet/tamanet/kernel/irq"
)

// Vectors of interrupts. Lines are in global system interrupt order.
const (
	vecLines    = 32
	maxLine     = 63
	vecTimer    = 240
	vecWake     = 241
	vecPreempt  = 242
	vecSpurious = 255
)

// preemptHandler is the address of the runtime's part of the interrupts that preempt a goroutine, 0 where
// it has none.
var preemptHandler uintptr

// preemptProcessor interrupts a processor whose goroutine has to yield. It does not allocate.
func preemptProcessor(id uint64) { sendIPI(cpus[id].apic, icrFixed|vecPreempt) }

// Preempts reports whether a goroutine that makes no calls is preempted, too.
func Preempts() bool { return preemptHandler != 0 }

// sigURG is Unix's signal number, for which the runtime is asked.
const sigURG = 23

// init starts interrupts, and the other processors. Lines are still masked, until [EnableLine].
func init() {
	irq.PerCPU = lineCounts
	hz := initLAPIC()
	initTimer(hz)
	// A method that tamanet's GOOS=tamago adds.
	s, ok := any(syscall.Signal(sigURG)).(interface {
		PreemptHandler(send func(processor uint64)) uintptr
	})
	if ok {
		preemptHandler = s.PreemptHandler(preemptProcessor)
	}
	sti()
	startCPUs()
}
