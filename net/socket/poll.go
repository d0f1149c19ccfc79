package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/waiter"
)

// Events of Poll (include/uapi/asm-generic/poll.h).
const (
	POLLIN     EventMask = 0x0001
	POLLPRI    EventMask = 0x0002
	POLLOUT    EventMask = 0x0004
	POLLERR    EventMask = 0x0008
	POLLHUP    EventMask = 0x0010
	POLLNVAL   EventMask = 0x0020
	POLLRDNORM EventMask = 0x0040
	POLLRDBAND EventMask = 0x0080
	POLLWRNORM EventMask = 0x0100
	POLLWRBAND EventMask = 0x0200
	POLLRDHUP  EventMask = 0x2000
)

// A PollFd asks for Events of a descriptor and is told Revents: those that
// are there, and POLLERR, POLLHUP and POLLNVAL unasked (C's struct pollfd).
// A negative Fd is passed over.
type PollFd struct {
	Fd      int
	Events  EventMask
	Revents EventMask
}

// Poll waits until one of the descriptors has an event, at most for timeout,
// which may be 0 or [Forever], and returns how many have one (Linux sys_poll).
// Events are levels: they are there until what causes them has gone. A closed
// descriptor is not an error but POLLNVAL.
func (t *Task) Poll(fds []PollFd, timeout time.Duration) (int, error) {
	if n := t.pollNow(fds); n > 0 || timeout <= 0 {
		return n, nil
	}
	p := poller{entries: make([]pollEntry, len(fds))}
	p.sleeper = sleepers.Get().(*sleeper)
	defer sleepers.Put(p.sleeper)
	p.register(t, fds)
	defer p.unregister()
	if timeout != Forever {
		p.sleeper.timer.Reset(timeout)
		defer p.sleeper.timer.Stop()
	}
	for {
		// The first look after registering misses nothing.
		if n := p.look(fds); n > 0 {
			return n, nil
		}
		select {
		case <-p.sleeper.wake:
		case <-p.sleeper.timer.C:
			return p.look(fds), nil
		}
	}
}

// pollNow looks at each descriptor once.
func (t *Task) pollNow(fds []PollFd) (n int) {
	for i := range fds {
		slot, f, err := t.fds.lookup(fds[i].Fd)
		n += fds[i].look(f, err)
		if err == nil {
			leave(slot, f)
		}
	}
	return n
}

// look sets Revents and returns 1 if there are any (do_pollfd).
func (p *PollFd) look(f *file, err error) int {
	p.Revents = 0
	switch {
	case p.Fd < 0:
	case err != nil || f.dying():
		p.Revents = POLLNVAL
	default:
		p.Revents = f.poll() & (p.Events | POLLERR | POLLHUP)
	}
	return BoolInt(p.Revents != 0)
}

// A poller holds a waiting Poll's registrations, one for each descriptor, and
// the references that keep their sockets.
type poller struct {
	sleeper *sleeper
	entries []pollEntry
}

type pollEntry struct {
	waiter.Entry
	slot *fdSlot
	file *file
	err  error
}

func (p *poller) register(t *Task, fds []PollFd) {
	for i := range p.entries {
		e := &p.entries[i]
		if e.slot, e.file, e.err = t.fds.lookup(fds[i].Fd); e.err == nil {
			e.Init(p.sleeper, waiter.AllEvents)
			e.file.queue().EventRegister(&e.Entry)
		}
	}
}

func (p *poller) unregister() {
	for i := range p.entries {
		if e := &p.entries[i]; e.err == nil {
			e.file.queue().EventUnregister(&e.Entry)
			leave(e.slot, e.file)
		}
	}
}

func (p *poller) look(fds []PollFd) (n int) {
	for i := range fds {
		n += fds[i].look(p.entries[i].file, p.entries[i].err)
	}
	return n
}

// Poll returns all events that are there on the socket.
func (s *Socket) Poll() EventMask { return s.Ops.Poll(s) }
