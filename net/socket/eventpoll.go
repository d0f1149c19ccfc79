package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
)

// An eventPoll is an epoll set: Linux's struct eventpoll (fs/eventpoll.c).
//
// Each entry is registered for good with what it watches. An event puts the
// entry on the ready list; a wait looks at that list only, asks each entry
// what is really there, and leaves those watched by level on it. So an event
// costs a list operation, and nothing more when nobody waits.
//
// Locks, in order: epNested; mu of a set, then of the sets in it; watchedMu;
// whatever a poll takes, down to the wait queue's; readyMu.
type eventPoll struct {
	// file is what descriptors of the set share.
	file *file

	// wq is where waits, and sets that hold this one, are registered.
	wq    waiter.Queue
	dying atomic.Bool

	// mu is held to change entries and to report them.
	mu    sync.Mutex
	items map[epollKey]*epItem

	// readyMu guards the ready list, from ready to last, of count entries.
	readyMu     sync.Mutex
	ready, last *epItem
	count       int
}

// An epollKey is what an entry stands for: Linux's struct epoll_filefd.
type epollKey struct {
	file *file
	fd   int
}

// An epItem is an entry of a set: Linux's struct epitem.
type epItem struct {
	waiter.Entry
	ep  *eventPoll
	key epollKey

	// interest is what is watched for. It is changed under ep.mu.
	interest atomic.Uint32
	data     uint64 // guarded by ep.mu
	gone     bool   // guarded by ep.mu: no longer in the set

	// Guarded by ep.readyMu.
	nextReady *epItem
	queued    bool

	// nextWatcher links the entries of one file; guarded by watchedMu.
	nextWatcher *epItem
}

// epMaxNests is how deep sets may be nested (EP_MAX_NESTS).
const epMaxNests = 4

var (
	// epNested is held while a set is put into a set, so that no two make a
	// loop together.
	epNested sync.Mutex
	// watchedMu guards the lists of the entries that watch a file.
	watchedMu sync.Mutex
)

func newEventPoll() *file {
	f := &file{}
	f.epoll = &eventPoll{file: f, items: map[epollKey]*epItem{}}
	return f
}

// control is Linux's do_epoll_ctl, after its checks.
func (ep *eventPoll) control(op int, key epollKey, ev EpollEvent) error {
	if op == EPOLL_CTL_ADD && key.file.epoll != nil {
		epNested.Lock()
		defer epNested.Unlock()
		if key.file.epoll.leadsTo(ep, 1+ep.holders()) {
			return errno.ELOOP
		}
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	item := ep.items[key]
	switch {
	case op == EPOLL_CTL_ADD && item != nil:
		return errno.EEXIST
	case op == EPOLL_CTL_ADD:
		return ep.insert(key, ev)
	case op != EPOLL_CTL_DEL && op != EPOLL_CTL_MOD:
		return errno.EINVAL
	case item == nil:
		return errno.ENOENT
	case op == EPOLL_CTL_DEL:
		ep.remove(item)
	case EventMask(item.interest.Load())&EPOLLEXCLUSIVE != 0:
		return errno.EINVAL
	default:
		item.data = ev.Data
		item.interest.Store(uint32(ev.Events | POLLERR | POLLHUP))
		item.check()
	}
	return nil
}

// holders returns how many sets hold ep, each in the next, where most do
// (ep_get_upwards_depth_proc). epNested is held.
func (ep *eventPoll) holders() (most int) {
	var sets []*eventPoll
	watchedMu.Lock()
	for i := ep.file.watchers; i != nil; i = i.nextWatcher {
		sets = append(sets, i.ep)
	}
	watchedMu.Unlock()
	for _, holder := range sets {
		most = max(most, 1+holder.holders())
	}
	return most
}

// leadsTo reports whether target is ep or in it, or sets, of which ep is the
// depth's, are nested deeper than is allowed (ep_loop_check_proc). epNested is
// held.
func (ep *eventPoll) leadsTo(target *eventPoll, depth int) bool {
	if ep == target || depth > epMaxNests {
		return true
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for key := range ep.items {
		if key.file.epoll != nil && key.file.epoll.leadsTo(target, depth+1) {
			return true
		}
	}
	return false
}

// insert adds an entry (ep_insert). Locked. The caller's call is inside the
// file, but its last descriptor may go meanwhile: EBADF then.
func (ep *eventPoll) insert(key epollKey, ev EpollEvent) error {
	item := &epItem{ep: ep, key: key, data: ev.Data}
	item.interest.Store(uint32(ev.Events | POLLERR | POLLHUP))
	if !key.file.watch(item) {
		item.gone = true // for who is about to take it out
		return errno.EBADF
	}
	ep.items[key] = item
	item.Init(item, waiter.AllEvents)
	key.file.queue().EventRegister(&item.Entry)
	item.check()
	return nil
}

// remove takes an entry out (ep_remove). Locked. A place on the ready list is
// passed over later.
func (ep *eventPoll) remove(item *epItem) {
	if item.gone {
		return
	}
	item.gone = true
	delete(ep.items, item.key)
	item.key.file.queue().EventUnregister(&item.Entry)
	item.key.file.unwatch(item)
}

// check puts the entry on the ready list if something is there already.
func (i *epItem) check() {
	if i.poll() != 0 {
		i.ep.enqueue(i)
		i.ep.wake()
	}
}

// poll returns what is there of what is watched for (ep_item_poll). A
// disabled entry watches for nothing.
func (i *epItem) poll() EventMask {
	interest := EventMask(i.interest.Load())
	if interest&^epollPrivate == 0 {
		return 0
	}
	return i.key.file.poll() & interest &^ epollPrivate
}

// NotifyEvent implements waiter.EventListener: Linux's ep_poll_callback.
func (i *epItem) NotifyEvent(mask waiter.EventMask) {
	if mask&POLLIN != 0 {
		mask |= POLLRDNORM | POLLRDBAND
	}
	if mask&POLLOUT != 0 {
		mask |= POLLWRNORM | POLLWRBAND
	}
	if mask&EventMask(i.interest.Load())&^epollPrivate == 0 {
		return
	}
	i.ep.enqueue(i)
	i.ep.wake()
}

func (ep *eventPoll) wake() {
	if !ep.wq.IsEmpty() {
		ep.wq.Notify(waiter.ReadableEvents)
	}
}

// enqueue appends an entry to the ready list unless it is on it.
func (ep *eventPoll) enqueue(i *epItem) {
	ep.readyMu.Lock()
	defer ep.readyMu.Unlock()
	if i.queued {
		return
	}
	i.queued, i.nextReady = true, nil
	if ep.last == nil {
		ep.ready = i
	} else {
		ep.last.nextReady = i
	}
	ep.last = i
	ep.count++
}

// dequeue takes the first entry off the ready list, or returns nil.
func (ep *eventPoll) dequeue() *epItem {
	ep.readyMu.Lock()
	defer ep.readyMu.Unlock()
	i := ep.ready
	if i == nil {
		return nil
	}
	if ep.ready = i.nextReady; ep.ready == nil {
		ep.last = nil
	}
	i.queued, i.nextReady = false, nil
	ep.count--
	return i
}

// pending is the length of the ready list.
func (ep *eventPoll) pending() int {
	ep.readyMu.Lock()
	defer ep.readyMu.Unlock()
	return ep.count
}

// send reports what is ready (ep_send_events). What has no room stays at the
// front of the list, what is watched by level goes to its end.
func (ep *eventPoll) send(events []EpollEvent) (n int) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for left := ep.pending(); left > 0 && n < len(events); left-- {
		item := ep.dequeue()
		if item == nil {
			break
		}
		if item.gone {
			continue
		}
		revents := item.poll()
		if revents == 0 {
			continue
		}
		events[n] = EpollEvent{Events: revents, Data: item.data}
		n++
		switch interest := EventMask(item.interest.Load()); {
		case interest&EPOLLONESHOT != 0:
			item.interest.Store(uint32(interest & epollPrivate))
		case interest&EPOLLET == 0:
			ep.enqueue(item)
		}
	}
	return n
}

// poll reports whether a wait would return at once (ep_eventpoll_poll).
func (ep *eventPoll) poll() EventMask {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for left := ep.pending(); left > 0; left-- {
		item := ep.dequeue()
		if item == nil {
			break
		}
		if !item.gone && item.poll() != 0 {
			ep.enqueue(item)
			return POLLIN | POLLRDNORM
		}
	}
	return 0
}

// wait is Linux's ep_poll.
func (ep *eventPoll) wait(events []EpollEvent, timeout time.Duration) (int, error) {
	if ep.pending() > 0 {
		if n := ep.send(events); n > 0 {
			return n, nil
		}
	}
	if timeout <= 0 {
		return 0, nil
	}
	n := 0
	err := waitOn(&ep.wq, &ep.dying, waiter.ReadableEvents|waiter.EventHUp, timeout, func() bool {
		if ep.pending() > 0 {
			n = ep.send(events)
		}
		return n > 0
	})
	if err == errno.EAGAIN {
		return 0, nil
	}
	return n, err
}

// release empties the set when its last descriptor has gone. (ep_free)
func (ep *eventPoll) release() {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for _, item := range ep.items {
		ep.remove(item)
	}
}

// interrupt makes waits on the set end with EBADF.
func (ep *eventPoll) interrupt() {
	ep.dying.Store(true)
	ep.wq.Notify(waiter.AllEvents)
}
