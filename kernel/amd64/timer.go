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
	deadline  uint64 // TSC at which the timer fires, 0 when it is not set
	fired     uint64 // interrupts so far
	tickTSC   uint64 // TSC counts of a preemption tick
	tickCount uint32 // timer counts of a preemption tick, 0 without preemption
	idle      bool   // the processor is halted

	toTSC   clock.Ratio // from nanoseconds to TSC counts
	toCount clock.Ratio // from TSC counts to timer counts
	idleTSC uint64      // TSC counts that the processor was halted
	sets    uint64      // how often Go set the timer
}

var timer timerState

// initTimer makes the runtime sleep by the timer, which counts at hz.
func initTimer(hz uint64) {
	timer.toTSC = clock.NewRatio(timebase.hz, 1e9)
	timer.toCount = clock.NewRatio(hz, timebase.hz)
	timer.tickTSC = timer.toTSC.Mul(uint64(tick))

	if irq.Preempt() {
		timer.tickCount = uint32(timer.toCount.Mul(timer.tickTSC))
		timer.set(rdtsc(), timer.tickTSC)
	}

	goos.Idle = idle
}

// set makes the timer fire after some TSC counts from now. Interrupts are off.
func (t *timerState) set(now, counts uint64) {
	// Round up: a timer that fires early is set once more.
	n := min(t.toCount.Mul(counts)+1, math.MaxUint32)
	store32(lapicTimerInitial, uint32(n))
	t.deadline = now + counts
	t.sets++
}

// idle halts the processor until a device's interrupt, and not past until (nanotime;
// MaxInt64 or 0 is for ever). The scheduler calls it when no goroutine is ready. It
// returns at once when there was an interrupt since it returned last: the scheduler
// may have looked for work before that.
func idle(until int64) {
	cli()
	if !wake && !irq.Kick() {
		timer.halt(until)
	}
	wake = false
	sti()
}

// halt halts until wake is set or until has passed. Interrupts are off, except
// while the processor is halted.
func (t *timerState) halt(until int64) {
	start := rdtsc()
	now := start
	t.idle = true

	for !wake {
		if until != 0 && until != math.MaxInt64 {
			left := until - nanotime()
			if left <= 0 {
				break
			}
			counts := t.toTSC.Mul(uint64(min(left, maxSleep)))
			if t.deadline == 0 || t.deadline > now+counts {
				t.set(now, counts)
			}
		}
		stiHlt()
		cli()
		now = rdtsc()
	}

	t.idle = false
	t.idleTSC += now - start
	if t.tickCount != 0 && (t.deadline == 0 || t.deadline > now+t.tickTSC) {
		t.set(now, t.tickTSC)
	}
}

// IdleTime returns how long the processor has been halted since boot.
func IdleTime() time.Duration {
	return time.Duration(timebase.toNS.Mul(timer.idleTSC))
}
