package socket

import (
	"math"
	"time"

	"github.com/tamanet/tamanet/net/errno"
)

// Events of an epoll set beyond those of [Task.Poll], and the flags that go
// with them (include/uapi/linux/eventpoll.h).
const (
	EPOLLMSG EventMask = 0x400

	// EPOLLEXCLUSIVE is for sets that share a descriptor: Linux then wakes
	// at least one of them. Here all are woken.
	EPOLLEXCLUSIVE EventMask = 1 << 28
	// EPOLLWAKEUP keeps a machine from suspending. None suspends here.
	EPOLLWAKEUP EventMask = 1 << 29
	// EPOLLONESHOT disables the entry once it was reported, until
	// EPOLL_CTL_MOD.
	EPOLLONESHOT EventMask = 1 << 30
	// EPOLLET reports an entry only when something happened since it was
	// reported last.
	EPOLLET EventMask = 1 << 31
)

// Operations of [Task.EpollCtl].
const (
	EPOLL_CTL_ADD = 1
	EPOLL_CTL_DEL = 2
	EPOLL_CTL_MOD = 3
)

// EPOLL_CLOEXEC is SOCK_CLOEXEC for [Task.EpollCreate1].
const EPOLL_CLOEXEC = SOCK_CLOEXEC

const (
	// epollPrivate are the bits that say how, not what (EP_PRIVATE_BITS).
	epollPrivate = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE
	// epollExclusiveOK is what may go with EPOLLEXCLUSIVE.
	epollExclusiveOK = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE
	// epollMaxEvents is the most that one EpollWait takes (EP_MAX_EVENTS).
	epollMaxEvents = math.MaxInt32 / 12
)

// An EpollEvent is what an epoll set is asked to look for, and what it
// reports: C's struct epoll_event.
type EpollEvent struct {
	Events EventMask
	// Data is the caller's, handed back with each report.
	Data uint64
}

// EpollCreate1 makes an epoll set, a descriptor that watches others, and
// returns it (Linux sys_epoll_create1). flags may hold EPOLL_CLOEXEC; others
// are EINVAL. EMFILE.
func (t *Task) EpollCreate1(flags int) (int, error) {
	if flags&^EPOLL_CLOEXEC != 0 {
		return -1, errno.EINVAL
	}
	f := newEventPoll()
	f.flags.Store(O_RDWR)
	f.refs.Store(1)
	return t.fds.install(f, 0, flags&EPOLL_CLOEXEC != 0)
}

// EpollCtl adds fd to the set epfd, changes what it is watched for, or takes
// it out (Linux sys_epoll_ctl); ev is not looked at for EPOLL_CTL_DEL. POLLERR
// and POLLHUP are always watched for. An entry is for the descriptor and what
// it stands for: it goes when the last duplicate is closed. Sets may hold
// sets. The errors, in the order of the checks:
//
//	EFAULT    ev is nil
//	EBADF     epfd or fd is not open
//	EINVAL    epfd is no set, or is fd; EPOLLEXCLUSIVE where it cannot be;
//	          an unknown op
//	ELOOP     the set would contain itself, or sets be nested too deep
//	EEXIST    fd is in the set already
//	ENOENT    fd is not in the set
func (t *Task) EpollCtl(epfd, op, fd int, ev *EpollEvent) error {
	var event EpollEvent
	if op != EPOLL_CTL_DEL {
		if ev == nil {
			return errno.EFAULT
		}
		event = *ev
		event.Events &= math.MaxUint32
	}
	slot, f, err := t.fds.lookup(epfd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	tslot, target, err := t.fds.lookup(fd)
	if err != nil {
		return err
	}
	defer leave(tslot, target)
	if f == target || f.epoll == nil {
		return errno.EINVAL
	}
	if event.Events&EPOLLEXCLUSIVE != 0 {
		if op == EPOLL_CTL_MOD || op == EPOLL_CTL_ADD && (target.epoll != nil || event.Events&^epollExclusiveOK != 0) {
			return errno.EINVAL
		}
	}
	return f.epoll.control(op, epollKey{target, fd}, event)
}

// EpollWait waits until an entry of the set epfd has an event, at most for
// timeout, which may be 0 or [Forever], and reports as many as events has
// room for; it returns how many (Linux sys_epoll_wait). The errors are EBADF,
// also when the set is closed meanwhile, and EINVAL for no room at all and for
// a descriptor that is no set.
func (t *Task) EpollWait(epfd int, events []EpollEvent, timeout time.Duration) (int, error) {
	slot, f, err := t.fds.lookup(epfd)
	if err != nil {
		return 0, err
	}
	defer leave(slot, f)
	if len(events) == 0 || len(events) > epollMaxEvents || f.epoll == nil {
		return 0, errno.EINVAL
	}
	return f.epoll.wait(events, timeout)
}
