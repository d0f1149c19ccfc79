package virtiotest

import (
	"sync"

	"github.com/tamanet/tamanet/drivers/nic"
)

// Line is an edge-triggered interrupt line: any number of rises before a Wait count as one.
type Line struct {
	c     chan struct{}
	done  chan struct{}
	close sync.Once
}

var _ nic.Interrupt = (*Line)(nil)

// NewLine returns a line on which nothing has happened.
func NewLine() *Line { return &Line{c: make(chan struct{}, 1), done: make(chan struct{})} }

// Wait implements nic.Interrupt.
func (l *Line) Wait() bool {
	select {
	case <-l.c:
		return true
	case <-l.done:
		return false
	}
}

// Wake implements nic.Interrupt.
func (l *Line) Wake() {
	select {
	case l.c <- struct{}{}:
	default:
	}
}

// Close makes every Wait return false.
func (l *Line) Close() { l.close.Do(func() { close(l.done) }) }

// Pending says whether a Wait would return true at once.
func (l *Line) Pending() bool { return len(l.c) > 0 }
