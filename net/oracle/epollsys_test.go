//go:build linux

package oracle

import (
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/socket"
)

// epollSys is what scenarios with epoll sets need more.
type epollSys interface {
	epollCreate(flags int) (int, error)
	epollCtl(epfd, op, fd int, ev *socket.EpollEvent) error
	epollWait(epfd int, events []socket.EpollEvent, millis int) (int, error)
}

var (
	_ epollSys = linux{}
	_ epollSys = tamanet{}
)

func (linux) epollCreate(flags int) (int, error) {
	return call(unix.SYS_EPOLL_CREATE1, uintptr(flags))
}

func (linux) epollCtl(epfd, op, fd int, ev *socket.EpollEvent) error {
	var e *unix.EpollEvent
	if ev != nil {
		// Fd and Pad are the two halves of C's epoll_data_t.
		e = &unix.EpollEvent{Events: uint32(ev.Events), Fd: int32(ev.Data), Pad: int32(ev.Data >> 32)}
	}
	// SAFETY: the kernel reads e, which outlives the call.
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(e)), 0, 0)
	return onlyError(result(0, errno))
}

func (linux) epollWait(epfd int, events []socket.EpollEvent, millis int) (int, error) {
	list := make([]unix.EpollEvent, len(events), len(events)+1)
	for {
		// SAFETY: the kernel writes at most len(list) events to list.
		r, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&list[:1][0])), uintptr(len(list)), uintptr(millis), 0, 0)
		if errno == unix.EINTR {
			continue
		}
		n, err := result(r, errno)
		for i := range max(n, 0) {
			e := list[i]
			events[i] = socket.EpollEvent{Events: socket.EventMask(e.Events), Data: uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32}
		}
		return n, err
	}
}

func (s tamanet) epollCreate(flags int) (int, error) { return s.t.EpollCreate1(flags) }

func (s tamanet) epollCtl(epfd, op, fd int, ev *socket.EpollEvent) error {
	return s.t.EpollCtl(epfd, op, fd, ev)
}

func (s tamanet) epollWait(epfd int, events []socket.EpollEvent, millis int) (int, error) {
	timeout := time.Duration(millis) * time.Millisecond
	if millis < 0 {
		timeout = socket.Forever
	}
	return s.t.EpollWait(epfd, events, timeout)
}

// The steps.

func (r *run) EpollCreate(flags int) int {
	fd, err := r.sys.(epollSys).epollCreate(flags)
	r.outcome("epoll_create1", err)
	if err == nil {
		r.own(fd)
	}
	return fd
}

// epoll makes a set that the scenario cannot do without.
func (r *run) epoll() int {
	fd, err := r.sys.(epollSys).epollCreate(0)
	must(r, fd, err)
	r.own(fd)
	return fd
}

func (r *run) EpollAdd(ep, fd int, events socket.EventMask, data uint64) {
	r.outcome("add", r.sys.(epollSys).epollCtl(ep, socket.EPOLL_CTL_ADD, fd, &socket.EpollEvent{Events: events, Data: data}))
}

func (r *run) EpollMod(ep, fd int, events socket.EventMask, data uint64) {
	r.outcome("mod", r.sys.(epollSys).epollCtl(ep, socket.EPOLL_CTL_MOD, fd, &socket.EpollEvent{Events: events, Data: data}))
}

func (r *run) EpollDel(ep, fd int) {
	r.outcome("del", r.sys.(epollSys).epollCtl(ep, socket.EPOLL_CTL_DEL, fd, nil))
}

// EpollWait notes what a wait reports.
func (r *run) EpollWait(ep, room, millis int) {
	events := make([]socket.EpollEvent, room)
	n, err := r.sys.(epollSys).epollWait(ep, events, millis)
	r.outcome("epoll_wait", err, reported(events, n))
}

// EpollLook notes what is reported at once. It may only be used where a
// report changes nothing: for entries watched by level.
func (r *run) EpollLook(ep, room int) {
	var text string
	err := r.eventually("epoll_wait", func() (string, error) {
		events := make([]socket.EpollEvent, room)
		n, err := r.sys.(epollSys).epollWait(ep, events, 0)
		text = reported(events, n)
		return text, err
	})
	r.outcome("epoll_wait", err, text)
}

func reported(events []socket.EpollEvent, n int) string {
	var list []string
	for _, e := range events[:max(n, 0)] {
		list = append(list, fmt.Sprintf("%#x of %d", uint64(e.Events), e.Data))
	}
	return fmt.Sprintf("[%s]", strings.Join(list, ", "))
}
