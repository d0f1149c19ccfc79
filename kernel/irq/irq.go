// Package irq is where interrupt lines meet goroutines: a board's interrupt
// handler raises a line, and the goroutine that waits for that line goes on.
//
// A handler does the least that it can. It calls this package's assembly routine with
// the line's number; that counts, marks the line and calls os/signal's Relay, which only
// sets a bit for the scheduler. Everything else happens in goroutines. There are
// two ways from the handler to a goroutine, chosen when the program starts:
//
//   - Signals: where syscall.Signal has a method Wait, as in tamanet's own
//     GOOS=tamago, line n is signal 64+n, and its waiter parks in that method.
//   - Dispatch: everywhere else, every line is SIGTRAP, for which one goroutine
//     asks by os/signal's Notify; it looks through the marks and passes them on.
//
// On an ordinary operating system there are no interrupts; [Raise] stands in for them.
//
// # Concurrency
//
// A line has one waiter at a time. All else may be called from any goroutine.
package irq

import (
	"sync"
	"sync/atomic"
)

// MaxLines is how many lines there can be: signal numbers end at 255.
const MaxLines = 192

// firstSignal is the signal number of line 0.
const firstSignal = 64

// Line is an interrupt line's number, as the machine counts them: the global
// system interrupt on a PC, the GIC's interrupt number on arm.
type Line uint8

// state is a line's state. Interrupt handlers write count and pending, so their
// layout is known to assembly (go_asm.h).
type state struct {
	count   atomic.Uint64 // raises so far
	pending atomic.Uint32 // raised and not yet dispatched; unused with signals
	closed  atomic.Bool
}

var (
	lines [MaxLines]state

	// anyPending is set after a line's pending mark and cleared before the
	// marks are looked through.
	anyPending atomic.Uint32

	names struct {
		sync.Mutex
		of [MaxLines]string
	}
)

// backend is one of the two ways from an interrupt to a goroutine.
type backend interface {
	// wait blocks until the line was raised or woken since wait last
	// returned for it.
	wait(Line)
	// wake ends the line's wait, or the next one.
	wake(Line)
}

// Wait blocks until the line was raised or woken since Wait last returned, and
// returns true. Raises in between count as one. It returns false, at once and for
// good, when the line is closed, or is none (MaxLines or above).
func (l Line) Wait() bool {
	if l >= MaxLines || lines[l].closed.Load() {
		return false
	}
	active.wait(l)
	return !lines[l].closed.Load()
}

// Wake makes Wait return as if the line had been raised. It does not block, and
// does not count as a raise.
func (l Line) Wake() {
	if l < MaxLines {
		active.wake(l)
	}
}

// Close makes Wait return false, from now on and for good.
func (l Line) Close() {
	if l < MaxLines {
		lines[l].closed.Store(true)
		active.wake(l)
	}
}

// Count returns how many times the line was raised since boot.
func (l Line) Count() uint64 {
	if l >= MaxLines {
		return 0
	}
	return lines[l].count.Load()
}

// SetName says who uses the line, for [Lines].
func (l Line) SetName(name string) {
	if l >= MaxLines {
		return
	}
	names.Lock()
	defer names.Unlock()
	names.of[l] = name
}

// Stat is a line's statistics, as a row of Linux's /proc/interrupts.
type Stat struct {
	Line  Line
	Name  string // who uses it, "" when unknown
	Count uint64 // raises since boot
	// PerCPU is how many of them each processor took, nil where that is not counted.
	PerCPU []uint64
}

// PerCPU is set by a board's processor support, before main, where it counts the raises of a line by processor.
var PerCPU func(Line) []uint64

// Lines returns the statistics of the lines that have a name or have been raised, by
// number.
func Lines() []Stat {
	names.Lock()
	defer names.Unlock()

	var s []Stat
	for i := range lines {
		l := Line(i)
		if names.of[l] != "" || l.Count() != 0 {
			stat := Stat{Line: l, Name: names.of[l], Count: l.Count()}
			if PerCPU != nil {
				stat.PerCPU = PerCPU(l)
			}
			s = append(s, stat)
		}
	}
	return s
}
