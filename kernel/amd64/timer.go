//go:build tamago

package amd64

// timerState is the one-shot timer's state. It is changed by the interrupt handler,
// and by Go with interrupts off.
type timerState struct {
	deadline  uint64 // TSC at which the timer fires, 0 when it is not set
	fired     uint64 // interrupts so far
	tickTSC   uint64 // TSC counts of a preemption tick
	tickCount uint32 // timer counts of a preemption tick, 0 without preemption
	idle      bool   // the processor is halted
}

var timer timerState
