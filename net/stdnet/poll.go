package stdnet

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// A pollDesc waits for a socket's events: what internal/poll and the
// runtime's netpoll are to a descriptor. The socket is used without blocking;
// a call that finds EAGAIN waits here and tries again.
type pollDesc struct {
	entry  waiter.Entry
	closed atomic.Bool

	read, write side
}

// A side is one direction of a pollDesc.
type side struct {
	// mu is held during a call, so that the bytes of two are not mixed.
	mu sync.Mutex
	// wake has a token when something happened since it was last taken: an event
	// of the socket, the deadline, close. One channel costs a wait a quarter of
	// what a choice among several does.
	wake     chan struct{}
	deadline deadline
}

// init registers with the socket, for good: an event costs little when nobody
// waits.
func (p *pollDesc) init(s *socket.Socket) {
	p.read.init()
	p.write.init()
	p.entry.Init(p, waiter.AllEvents)
	s.Sk.WQ.EventRegister(&p.entry)
}

func (s *side) init() {
	s.wake = make(chan struct{}, 1)
	s.deadline.notify = s.notify
}

const (
	readEvents  = waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr | waiter.EventRdHUp
	writeEvents = waiter.WritableEvents | waiter.EventHUp | waiter.EventErr
)

// NotifyEvent implements waiter.EventListener.
func (p *pollDesc) NotifyEvent(mask waiter.EventMask) {
	if mask&readEvents != 0 {
		p.read.notify()
	}
	if mask&writeEvents != 0 {
		p.write.notify()
	}
}

func (s *side) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close ends the waits; it reports whether it is the first to.
func (p *pollDesc) close(s *socket.Socket) bool {
	if p.closed.Swap(true) {
		return false
	}
	s.Sk.WQ.EventUnregister(&p.entry)
	p.read.deadline.stop()
	p.write.deadline.stop()
	p.read.notify()
	p.write.notify()
	return true
}

// check returns net.ErrClosed after close and os.ErrDeadlineExceeded after
// the deadline, whether or not the call could go on.
func (p *pollDesc) check(s *side) error {
	if p.closed.Load() {
		return net.ErrClosed
	}
	if s.deadline.past.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// do calls op until it returns something else than EAGAIN, waiting between.
// The caller holds s.mu.
func (p *pollDesc) do(s *side, op func() (int, error)) (int, error) {
	for {
		if err := p.check(s); err != nil {
			return 0, err
		}
		n, err := op()
		if err != errno.EAGAIN {
			if err != nil && p.closed.Load() {
				// What the socket says once closed is not the reader's.
				return n, net.ErrClosed
			}
			return n, err
		}
		<-s.wake
	}
}

// A deadline is a time that may be moved, even while it is waited for.
type deadline struct {
	notify func() // called once it has passed

	mu    sync.Mutex
	timer *time.Timer
	past  atomic.Bool
	// some says that there is a deadline, passed or not: net/http takes one away before each request, that is mostly not there.
	some atomic.Bool
}

// set moves the deadline to t; the zero time is never.
func (d *deadline) set(t time.Time) {
	if t.IsZero() && !d.some.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopLocked()
	d.past.Store(false)
	d.some.Store(!t.IsZero())
	if t.IsZero() {
		return
	}
	if dur := time.Until(t); dur > 0 {
		var timer *time.Timer
		timer = time.AfterFunc(dur, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			// A timer that fired while it was being replaced counts no more.
			if d.timer == timer {
				d.timer = nil
				d.pass()
			}
		})
		d.timer = timer
		return
	}
	d.pass()
}

// pass notes that the deadline is over. mu is held.
func (d *deadline) pass() {
	d.past.Store(true)
	d.notify()
}

func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopLocked()
}

func (d *deadline) stopLocked() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
