//go:build tamago

package amd64

import (
	"math"
	"runtime/goos"
	"time"

	"github.com/tamanet/tamanet/kernel/clock"
	"github.com/tamanet/tamanet/kernel/irq"
)

// tick is after how long a goroutine that does not stop by itself is asked to
// yield, as in Go's runtime (sysmon's forcePreemptNS).
const tick = 10 * time.Millisecond

// maxSleep bounds how far ahead the timer is set; a longer sleep wakes in
// between and goes on. It keeps the arithmetic from overflowing.
const maxSleep = int64(time.Hour)

// timerState is the one-shot timer's state. The interrupt handler changes it, and Go
// does with interrupts off.
//
// The timer is set lazily, because each time costs an exit from a virtual
// machine: a preemption tick that is running stays so when the processor becomes
// idle, and serves the next busy period too. Only when it fires in vain, or too late for
// what is waited for, is the timer set anew.
type timerState struct {
	deadline uint64 // TSC at which the timer fires, 0 when it is not set
	fired    uint64 // interrupts so far
	idle     bool   // the processor is halted
	since    uint64 // TSC when it was halted last
	idleTSC  uint64 // TSC counts that the processor was halted before that
	sets     uint64 // how often Go set the timer
}

// timings is what the timers of all processors have in common.
type timings struct {
	tickTSC   uint64 // TSC counts of a preemption tick
	tickCount uint32 // timer counts of a preemption tick, 0 without preemption

	toTSC   clock.Ratio // from nanoseconds to TSC counts
	toCount clock.Ratio // from TSC counts to timer counts
}

var timing timings

// initTimer makes the runtime sleep by the timer, which counts at hz.
func initTimer(hz uint64) {
	timing.toTSC = clock.NewRatio(timebase.hz, 1e9)
	timing.toCount = clock.NewRatio(hz, timebase.hz)
	timing.tickTSC = timing.toTSC.Mul(uint64(tick))

	emulated = Emulated()
	if irq.Preempt() {
		timing.tickCount = uint32(timing.toCount.Mul(timing.tickTSC))
		bsp.timer.set(rdtsc(), timing.tickTSC)
	}

	goos.Idle = idle
}

// set makes the timer fire after some TSC counts from now. Interrupts are off.
func (t *timerState) set(now, counts uint64) {
	// Round up: a timer that fires early is set once more.
	n := min(timing.toCount.Mul(counts)+1, math.MaxUint32)
	store32(lapicTimerInitial, uint32(n))
	t.deadline = now + counts
	t.sets++
}

// idle halts the processor until a device's interrupt or wakeCPU, and not past until (nanotime;
// MaxInt64 or 0 is for ever). The scheduler calls it when no goroutine is ready. It
// returns at once when there was either since it returned last: the scheduler
// may have looked for work before that.
func idle(until int64) {
	cli()
	c := thisCPU()
	if c.wake.Load() == 0 && !irq.Kick() {
		c.halt(until)
	}
	c.wake.Store(0)
	if smp {
		lateWake.Store(0)
	}
	sti()
}

// halt halts until the processor is woken or until has passed. Interrupts are off, except
// while the processor is halted.
func (c *cpu) halt(until int64) {
	t := &c.timer
	start := rdtsc()
	now := start
	t.idle = true
	t.since = start
	idleCPUs.Or(1 << c.index)

	for c.wake.Load() == 0 && lateWake.Load() == 0 {
		if until != 0 && until != math.MaxInt64 {
			left := until - nanotime()
			if left <= 0 {
				break
			}
			counts := timing.toTSC.Mul(uint64(min(left, maxSleep)))
			if t.deadline == 0 || t.deadline > now+counts {
				t.set(now, counts)
			}
		}
		stiHlt()
		cli()
		now = rdtsc()
	}

	idleCPUs.And(^uint32(1 << c.index))
	t.idle = false
	t.idleTSC += now - start
	if timing.tickCount != 0 && (t.deadline == 0 || t.deadline > now+timing.tickTSC) {
		t.set(now, timing.tickTSC)
	}
}
