package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
)

// Wait sleeps until ready returns true, at most for timeo. It returns nil
// then, EAGAIN when the time is over, and EBADF when the socket is closed
// meanwhile. ready runs at once, and again whenever one of events happens on
// the Sock; it must not block. No lock of the caller's may be held. Waiting
// does not allocate.
func (sk *Sock) Wait(events EventMask, timeo time.Duration, ready func() bool) error {
	return waitOn(sk.WQ, &sk.dying, events, timeo, ready)
}

// waitOn is Wait on any queue; dying ends it.
func waitOn(q *waiter.Queue, dying *atomic.Bool, events EventMask, timeo time.Duration, ready func() bool) error {
	if timeo <= 0 {
		if ready() {
			return nil
		}
		return errno.EAGAIN
	}
	w := sleepers.Get().(*sleeper)
	defer sleepers.Put(w)
	// What wakes from an earlier use left is only a spurious look.
	w.entry.Init(w, events)
	q.EventRegister(&w.entry)
	defer q.EventUnregister(&w.entry)
	if timeo != Forever {
		w.timer.Reset(timeo)
		defer w.timer.Stop()
	}
	for {
		if dying.Load() {
			return errno.EBADF
		}
		if ready() {
			return nil
		}
		select {
		case <-w.wake:
		case <-w.timer.C:
			if ready() {
				return nil
			}
			return errno.EAGAIN
		}
	}
}

// Interrupt makes the waits on the Sock end with EBADF, from now on.
func (sk *Sock) Interrupt() {
	sk.dying.Store(true)
	sk.Wake()
}

// Dying reports whether the Sock was interrupted.
func (sk *Sock) Dying() bool { return sk.dying.Load() }

// A sleeper is one goroutine's wait: Linux's wait_queue_entry and timer.
type sleeper struct {
	entry waiter.Entry
	wake  chan struct{}
	timer *time.Timer
}

var sleepers = sync.Pool{New: func() any {
	w := &sleeper{wake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}}

// NotifyEvent implements waiter.EventListener.
func (w *sleeper) NotifyEvent(EventMask) {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
