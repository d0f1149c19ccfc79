package irq

import (
	"os"
	"syscall"
)

// waiter is the method that tamanet's GOOS=tamago adds to syscall.Signal: it
// parks the goroutine until the signal was relayed since the last Wait on
// that signal returned.
type waiter interface{ Wait() }

// signals waits by the runtime's own wait for a relayed signal.
type signals struct {
	waiters [MaxLines]waiter
	relay   func(sig int)
}

// newSignals returns the backend for signals of which of(n) is the n-th, or nil when
// they have no method Wait.
func newSignals(of func(n int) any, relay func(sig int)) *signals {
	s := &signals{relay: relay}
	for l := range s.waiters {
		w, ok := of(firstSignal + l).(waiter)
		if !ok {
			return nil
		}
		s.waiters[l] = w
	}
	return s
}

// systemSignal returns a signal of package syscall.
func systemSignal(n int) any { return syscall.Signal(n) }

func (s *signals) wait(l Line) { s.waiters[l].Wait() }
func (s *signals) wake(l Line) { s.relay(firstSignal + int(l)) }

// dispatcher passes lines on to their waiters from one goroutine, which is
// woken by a signal that all lines share.
type dispatcher struct {
	woken [MaxLines]chan struct{} // of capacity 1: a raise while nobody waits is kept
}

// newDispatcher returns a dispatcher; run makes it work.
func newDispatcher() *dispatcher {
	d := new(dispatcher)
	for l := range d.woken {
		d.woken[l] = make(chan struct{}, 1)
	}
	return d
}

// run looks through the lines' marks for each value of c, until c is closed.
// Signals may be lost or merged, as os/signal does, since one that comes later
// finds all marks.
func (d *dispatcher) run(c <-chan os.Signal) {
	for range c {
		d.dispatch()
	}
}

// dispatch wakes the waiters of all lines that are marked.
func (d *dispatcher) dispatch() {
	anyPending.Store(0)
	for l := range lines {
		if lines[l].pending.Swap(0) != 0 {
			d.wake(Line(l))
		}
	}
}

func (d *dispatcher) wait(l Line) { <-d.woken[l] }

func (d *dispatcher) wake(l Line) {
	select {
	case d.woken[l] <- struct{}{}:
	default:
	}
}
