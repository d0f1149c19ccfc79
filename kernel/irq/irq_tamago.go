//go:build tamago

package irq

import (
	"os"
	"os/signal"
	"syscall"
)

// Implemented in assembly. raise is for interrupt handlers, which pass the line in
// a register; relay calls os/signal's Relay.
func raise()
func relay(sig int)

var (
	active backend

	// native is whether lines have signals of their own. Assembly reads it.
	native bool
)

func init() {
	if s := newSignals(systemSignal, relay); s != nil {
		native = true
		active = s
		return
	}

	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTRAP)
	d := newDispatcher()
	go d.run(c)
	active = d
}

// Preempt reports whether the runtime takes a relayed SIGURG (23) as a timer tick, at
// which a goroutine that has run since the last one yields. Without, boards must not relay it.
func Preempt() bool { return native }

// Kick is for the idle loop, with interrupts off, before it halts. It reports
// whether a raised line has not reached its goroutine yet, and if so tries again:
// without signals of their own, lines depend on a goroutine that may have been
// busy when the interrupt came. It does not allocate.
func Kick() bool {
	if native || anyPending.Load() == 0 {
		return false
	}
	relay(int(syscall.SIGTRAP))
	return true
}
