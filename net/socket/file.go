package socket

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/waiter"
)

// file is Linux's struct file: what descriptors made by Dup share. It is a
// socket or an epoll set.
type file struct {
	socket *Socket
	epoll  *eventPoll

	flags atomic.Uint32 // O_RDWR, O_NONBLOCK
	fds   atomic.Int32  // descriptors
	refs  atomic.Int32  // descriptors and calls that are inside

	// watched says that there may be watchers: the entries of epoll sets,
	// whose list watchedMu guards.
	watched  atomic.Bool
	watchers *epItem
}

// get takes a reference unless the last one has gone.
func (f *file) get() bool {
	for {
		n := f.refs.Load()
		if n == 0 {
			return false
		}
		if f.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// put gives a reference back; the last releases the socket (fput).
func (f *file) put() error {
	switch {
	case f.refs.Add(-1) != 0:
		return nil
	case f.epoll != nil:
		f.epoll.release()
		return nil
	}
	return f.socket.Release()
}

// nonblock returns O_NONBLOCK or 0.
func (f *file) nonblock() int { return int(f.flags.Load()) & O_NONBLOCK }

// dontwait returns the file's MSG_DONTWAIT added to flags (sock_sendmsg in
// net/socket.c).
func (f *file) dontwait(flags int) int {
	if f.nonblock() != 0 {
		flags |= MSG_DONTWAIT
	}
	return flags
}

// dropDescriptor counts one descriptor less. With the last one, entries of
// epoll sets go, and calls that are inside end.
func (f *file) dropDescriptor() {
	if f.fds.Add(-1) != 0 {
		return
	}
	for f.watched.Load() {
		watchedMu.Lock()
		item := f.watchers
		watchedMu.Unlock()
		if item == nil {
			break
		}
		item.ep.mu.Lock()
		item.ep.remove(item)
		item.ep.mu.Unlock()
	}
	if f.epoll != nil {
		f.epoll.interrupt()
		return
	}
	f.socket.Sk.Interrupt()
}

// poll returns all events that are there.
func (f *file) poll() EventMask {
	if f.epoll != nil {
		return f.epoll.poll()
	}
	return f.socket.Poll()
}

// queue is where waits for the file's events are registered.
func (f *file) queue() *waiter.Queue {
	if f.epoll != nil {
		return &f.epoll.wq
	}
	return f.socket.Sk.WQ
}

// dying reports whether calls on the file are being ended.
func (f *file) dying() bool {
	if f.epoll != nil {
		return f.epoll.dying.Load()
	}
	return f.socket.Sk.dying.Load()
}

// watch notes that an epoll set watches the file, or returns false when its
// last descriptor has gone.
func (f *file) watch(item *epItem) bool {
	watchedMu.Lock()
	item.nextWatcher, f.watchers = f.watchers, item
	watchedMu.Unlock()
	// Before fds is looked at: dropDescriptor looks the other way round.
	f.watched.Store(true)
	if f.fds.Load() > 0 {
		return true
	}
	f.unwatch(item)
	return false
}

// unwatch undoes watch, if it has not been undone.
func (f *file) unwatch(item *epItem) {
	watchedMu.Lock()
	defer watchedMu.Unlock()
	for at := &f.watchers; *at != nil; at = &(*at).nextWatcher {
		if *at == item {
			*at = item.nextWatcher
			return
		}
	}
}
