//go:build !tamago

package irq

import (
	"os"
	"syscall"
)

// trap carries the stand-in for the signal that interrupts raise.
var (
	trap           = make(chan os.Signal, 1)
	active backend = hostDispatcher()
)

func hostDispatcher() *dispatcher {
	d := newDispatcher()
	go d.run(trap)
	return d
}

// Raise raises the line as its device's interrupt would. It exists on ordinary
// operating systems only, for tests.
func Raise(l Line) {
	if l >= MaxLines {
		return
	}

	lines[l].count.Add(1)
	lines[l].pending.Store(1)
	anyPending.Store(1)

	select {
	case trap <- syscall.SIGTRAP:
	default:
	}
}
