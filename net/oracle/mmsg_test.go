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

// mmsgSys is what scenarios with many messages in a call need more.
type mmsgSys interface {
	// sendmmsg sends each of msgs, to the peer where to is nil.
	sendmmsg(fd int, msgs []string, to *socket.Sockaddr, flags int) (int, error)
	// recvmmsg receives messages of at most size bytes into as many places.
	recvmmsg(fd, places, size, flags int) ([]string, error)
}

var (
	_ mmsgSys = linux{}
	_ mmsgSys = tamanet{}
)

// mmsghdr is C's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

func (linux) sendmmsg(fd int, msgs []string, to *socket.Sockaddr, flags int) (int, error) {
	list := make([]mmsghdr, len(msgs), len(msgs)+1)
	var name []byte
	if to != nil {
		name = to.Append(make([]byte, 0, socket.SizeofSockaddr))
	}
	for i, m := range msgs {
		b := append([]byte(m), 0)
		iov := &unix.Iovec{Base: &b[0]}
		iov.SetLen(len(m))
		list[i].hdr.Iov = iov
		list[i].hdr.SetIovlen(1)
		if name != nil {
			list[i].hdr.Name, list[i].hdr.Namelen = &name[0], uint32(len(name))
		}
	}
	// SAFETY: list and all it points to outlive the call.
	r, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&list[:1][0])), uintptr(len(list)),
		uintptr(flags|socket.MSG_NOSIGNAL), 0, 0)
	return result(r, e)
}

func (linux) recvmmsg(fd, places, size, flags int) ([]string, error) {
	list := make([]mmsghdr, places, places+1)
	bufs := make([][]byte, places)
	for i := range list {
		bufs[i] = make([]byte, size+1)
		iov := &unix.Iovec{Base: &bufs[i][0]}
		iov.SetLen(size)
		list[i].hdr.Iov = iov
		list[i].hdr.SetIovlen(1)
	}
	// SAFETY: list and all it points to outlive the call.
	r, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&list[:1][0])), uintptr(places), uintptr(flags), 0, 0)
	n, err := result(r, e)
	var got []string
	for i := range max(n, 0) {
		got = append(got, message(bufs[i][:size], int(list[i].len), int(list[i].hdr.Flags)))
	}
	return got, err
}

func message(b []byte, n, flags int) string {
	return fmt.Sprintf("%d %s flags %#x", n, quote(b, n), flags)
}

func (s tamanet) sendmmsg(fd int, msgs []string, to *socket.Sockaddr, flags int) (int, error) {
	var list []*socket.Msghdr
	for _, m := range msgs {
		h := &socket.Msghdr{Iov: [][]byte{[]byte(m)}}
		if to != nil {
			h.Name, h.HasName = *to, true
		}
		list = append(list, h)
	}
	return s.t.SendMMsg(fd, list, flags)
}

func (s tamanet) recvmmsg(fd, places, size, flags int) ([]string, error) {
	list := make([]*socket.Msghdr, places)
	for i := range list {
		list[i] = &socket.Msghdr{Iov: [][]byte{make([]byte, size)}}
	}
	lens := make([]int, places)
	n, err := s.t.RecvMMsg(fd, list, lens, flags)
	var got []string
	for i := range max(n, 0) {
		got = append(got, message(list[i].Iov[0], lens[i], list[i].Flags))
	}
	return got, err
}

func (r *run) SendMMsg(fd, flags int, msgs ...string) {
	n, err := r.sys.(mmsgSys).sendmmsg(fd, msgs, nil, flags)
	r.outcome("sendmmsg", err, n)
}

func (r *run) RecvMMsg(fd, places, size, flags int) {
	got, err := r.sys.(mmsgSys).recvmmsg(fd, places, size, flags)
	r.outcome("recvmmsg", err, strings.Join(got, "; "))
}

// arrived waits until a stream has n bytes to receive, or another socket any.
func (r *run) arrived(fd, n int) {
	r.await(fd, socket.POLLIN)
	for deadline := time.Now().Add(settle); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var typ [socket.SizeofInt]byte
		_, err := r.getsockopt(fd, socket.SOL_SOCKET, socket.SO_TYPE, typ[:])
		queued, _ := r.fionread(fd)
		if v, _ := socket.OptInt(typ[:]); err != nil || v != stream || queued >= n {
			return
		}
	}
}

func mmsgScenarios() []scenario {
	var list []scenario
	for _, kind := range pairKinds {
		add := func(name string, f func(r *run, a, b int)) {
			list = append(list, scenario{"mmsg/" + name + "/" + kind.name, func(r *run) {
				a, b := kind.make(r)
				r.receiveTimeout(a, 100)
				f(r, a, b)
			}})
		}
		add("send and receive", func(r *run, a, b int) {
			r.SendMMsg(b, 0, "one", "three", "five")
			r.arrived(a, len("onethreefive"))
			r.RecvMMsg(a, 2, 3, socket.MSG_DONTWAIT)
			r.RecvMMsg(a, 4, 9, socket.MSG_DONTWAIT)
			r.RecvMMsg(a, 4, 9, socket.MSG_DONTWAIT)
		})
		add("none", func(r *run, a, b int) {
			r.SendMMsg(b, 0)
			r.RecvMMsg(a, 0, 9, 0)
			r.RecvMMsg(1<<20, 0, 9, 0)
			r.RecvMMsg(a, 1, 9, 0)
		})
		add("wait for one", func(r *run, a, b int) {
			r.SendMMsg(b, 0, "one")
			r.RecvMMsg(a, 1, 9, socket.MSG_WAITFORONE)
			r.SendMMsg(b, 0, "two")
			r.RecvMMsg(a, 5, 9, socket.MSG_WAITFORONE)
		})
		add("for so long", func(r *run, a, b int) {
			r.SendMMsg(b, 0, "one")
			r.RecvMMsg(a, 5, 9, 0)
		})
		add("peek", func(r *run, a, b int) {
			r.SendMMsg(b, 0, "one")
			r.await(a, socket.POLLIN)
			r.RecvMMsg(a, 2, 2, socket.MSG_PEEK|socket.MSG_DONTWAIT)
			r.RecvMMsg(a, 2, 9, socket.MSG_DONTWAIT)
		})
		add("shut down", func(r *run, a, b int) {
			r.Shutdown(b, socket.SHUT_WR)
			r.SendMMsg(b, 0, "one", "two")
			r.Shutdown(a, socket.SHUT_RD)
			r.RecvMMsg(a, 3, 2, socket.MSG_DONTWAIT)
		})
	}
	return append(list, both("mmsg/too long is the last", func(r *run, family int) {
		a, b := r.peers(family)
		r.SendMMsg(b, 0, "one", strings.Repeat("x", 1<<16), "three")
		r.SendMMsg(b, 0, strings.Repeat("x", 1<<16), "three")
		r.await(a, socket.POLLIN)
		r.RecvMMsg(a, 3, 9, socket.MSG_DONTWAIT)
	})...)
}
