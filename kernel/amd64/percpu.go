//go:build tamago

package amd64

import (
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/kernel/irq"
)

// maxCPUs is how many processors are used at most.
const maxCPUs = 16

// msrGSBase is IA32_GS_BASE, SDM vol. 4. A processor finds its own state there.
const msrGSBase = 0xc000_0101

// cpu is what each processor has for itself. Assembly reaches the processor's own
// through GS.
type cpu struct {
	self  *cpu
	tls   [2]uintptr // thread-local storage before there is any: no goroutine
	index uint32     // in cpus
	apic  uint32     // number of its local APIC

	// wake is set by every device's interrupt that this processor takes and by
	// wakeCPU, and cleared by the idle loop. It makes sure that nothing between
	// the scheduler's last look for work and the halt is slept through.
	wake atomic.Uint32

	timer timerState

	lines [maxLine + 1]uint64 // interrupts of each line that this processor took

	wakeups, preempts, spurious, strays uint64

	// What runtime/goos.Task was told, for a processor that waits for it; fn is set last.
	sp, gp uintptr
	fn     atomic.Uintptr

	trap     trapFrame // the last exception
	handling bool      // handleException runs

	tss taskState

	// Handlers' stacks. cpuinit uses the first of bsp before there are interrupts; a further
	// processor waits for its task on the last.
	interruptStack   [8192]byte
	exceptionStack   [16384]byte
	doubleFaultStack [8192]byte
}

var (
	// bsp is the processor that the machine boots with.
	bsp cpu

	// cpus are the processors in use, of which there are ncpu. It is written by
	// startCPUs only.
	cpus = [maxCPUs]*cpu{&bsp}
	ncpu = 1

	// idleCPUs has a bit for each processor that is halted, or about to be: it is set
	// before wake and lateWake are looked at for the last time.
	idleCPUs atomic.Uint32

	// lateWake is set by the interrupt of a device that a busy processor took: the
	// next processor that becomes idle looks for work once more, in case that no
	// idle one was there to be woken.
	lateWake atomic.Uint32

	// smp is whether there are several processors.
	smp bool
)

// thisCPU returns the processor that this runs on. A goroutine may be on another one
// at its next instruction; code that runs with interrupts off or on g0 stays. Implemented in
// cpu_amd64.s.
func thisCPU() *cpu

// ProcessorIndex returns which processor the caller runs on, from 0. It may be on another one when
// this returns.
func ProcessorIndex() int { return int(thisCPU().index) }

// each calls f with all processors in use.
func each(f func(*cpu)) {
	for _, c := range cpus[:ncpu] {
		f(c)
	}
}

// lineCounts returns how many interrupts of a line each processor took.
func lineCounts(l irq.Line) []uint64 {
	if l > maxLine {
		return nil
	}
	counts := make([]uint64, 0, ncpu)
	each(func(c *cpu) { counts = append(counts, atomic.LoadUint64(&c.lines[l])) })
	return counts
}

// Interrupts counts the processors' own interrupts since boot, those that no line
// has.
type Interrupts struct {
	Timer    uint64 // the local APICs' timers: sleeps and preemption ticks
	Set      uint64 // how often those timers were set when a processor became idle or woke up
	Wake     uint64 // sent by another processor, to one that was halted
	Preempt  uint64 // sent by another processor, to one whose goroutine has to yield
	Spurious uint64 // withdrawn before they were taken (SDM vol. 3 §10.9)
	Stray    uint64 // vectors that nothing was set up to raise
}

// LocalInterrupts returns the counts of the processors' own interrupts, of all processors
// together.
func LocalInterrupts() (i Interrupts) {
	each(func(c *cpu) {
		i.Timer += c.timer.fired
		i.Set += c.timer.sets
		i.Wake += c.wakeups
		i.Preempt += c.preempts
		i.Spurious += c.spurious
		i.Stray += c.strays
	})
	return i
}

// IdleTime returns how long the processors have been halted since boot, all of them
// together.
func IdleTime() time.Duration {
	var counts uint64
	each(func(c *cpu) {
		counts += c.timer.idleTSC
		if idleCPUs.Load()&(1<<c.index) != 0 {
			counts += rdtsc() - c.timer.since
		}
	})
	return time.Duration(timebase.toNS.Mul(counts))
}
