//go:build linux

package oracle

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// linux is the real thing: the raw system calls, with nothing between.
type linux struct{}

func (linux) name() string { return "Linux" }

func result(n uintptr, e unix.Errno) (int, error) {
	if e != 0 {
		return -1, errno.Errno(e)
	}
	return int(n), nil
}

func resultOf(n, _ uintptr, e unix.Errno) (int, error) { return result(n, e) }

func onlyError(_ int, err error) error { return err }

func call(trap uintptr, a ...uintptr) (int, error) {
	var v [6]uintptr
	copy(v[:], a)
	r, _, e := unix.Syscall6(trap, v[0], v[1], v[2], v[3], v[4], v[5])
	return result(r, e)
}

// first points to b's first byte. Callers turn it into a number in the argument list
// of the system call itself: only there it keeps b alive and in its place.
func first(b []byte) *byte {
	if len(b) == 0 {
		return &zero[0]
	}
	return &b[0]
}

var zero [1]byte

func (linux) socket(family, typ, protocol int) (int, error) {
	return call(unix.SYS_SOCKET, uintptr(family), uintptr(typ), uintptr(protocol))
}

func (linux) socketpair(family, typ, protocol int) ([2]int, error) {
	var fds [2]int32
	// SAFETY: the kernel writes two ints to fds, which outlives the call.
	_, _, e := unix.Syscall6(unix.SYS_SOCKETPAIR, uintptr(family), uintptr(typ), uintptr(protocol),
		uintptr(unsafe.Pointer(&fds)), 0, 0)
	_, err := result(0, e)
	return [2]int{int(fds[0]), int(fds[1])}, err
}

func (linux) bind(fd int, addr socket.Sockaddr) error {
	return withAddr(unix.SYS_BIND, fd, addr)
}

func (linux) connect(fd int, addr socket.Sockaddr) error {
	return withAddr(unix.SYS_CONNECT, fd, addr)
}

func withAddr(trap uintptr, fd int, addr socket.Sockaddr) error {
	b := addr.Append(make([]byte, 0, socket.SizeofSockaddr))
	full := b[:cap(b)]
	// SAFETY: full outlives the call, and the kernel reads len(b) bytes of it.
	_, _, e := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&full[0])), uintptr(len(b)))
	return onlyError(result(0, e))
}

func (linux) listen(fd, backlog int) error {
	return onlyError(call(unix.SYS_LISTEN, uintptr(fd), uintptr(backlog)))
}

func (linux) shutdown(fd, how int) error {
	return onlyError(call(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how)))
}

func (linux) close(fd int) error { return onlyError(call(unix.SYS_CLOSE, uintptr(fd))) }

func (linux) dup(fd int) (int, error) { return call(unix.SYS_DUP, uintptr(fd)) }

func (linux) accept4(fd, flags int) (int, socket.Sockaddr, error) {
	var nfd int
	addr, err := nameFrom(func(b *byte, n *uint32) (err error) {
		// SAFETY: the kernel writes at most *n bytes to b, and *n.
		r, _, e := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(b)), uintptr(unsafe.Pointer(n)), uintptr(flags), 0, 0)
		nfd, err = result(r, e)
		return err
	})
	return nfd, addr, err
}

// nameFrom gives a call room for an address and parses what it left there.
func nameFrom(f func(b *byte, n *uint32) error) (socket.Sockaddr, error) {
	b := make([]byte, socket.SizeofSockaddr)
	n := uint32(len(b))
	if err := f(&b[0], &n); err != nil {
		return socket.Sockaddr{}, err
	}
	return socket.ParseSockaddr(b[:n])
}

func (linux) getsockname(fd int) (socket.Sockaddr, error) {
	return getname(unix.SYS_GETSOCKNAME, fd)
}

func (linux) getpeername(fd int) (socket.Sockaddr, error) {
	return getname(unix.SYS_GETPEERNAME, fd)
}

func getname(trap uintptr, fd int) (socket.Sockaddr, error) {
	return nameFrom(func(b *byte, n *uint32) error {
		// SAFETY: the kernel writes at most *n bytes to b, and *n.
		_, _, e := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(b)), uintptr(unsafe.Pointer(n)))
		return onlyError(result(0, e))
	})
}

func (linux) send(fd int, b []byte, flags int) (int, error) {
	// SAFETY: b outlives the call.
	r, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(first(b))), uintptr(len(b)),
		uintptr(flags|socket.MSG_NOSIGNAL), 0, 0)
	return result(r, e)
}

func (linux) sendto(fd int, b []byte, flags int, addr socket.Sockaddr) (int, error) {
	a := addr.Append(make([]byte, 0, socket.SizeofSockaddr))
	n := len(a)
	a = a[:cap(a)]
	// SAFETY: a and b outlive the call.
	r, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(first(b))), uintptr(len(b)),
		uintptr(flags|socket.MSG_NOSIGNAL), uintptr(unsafe.Pointer(&a[0])), uintptr(n))
	return result(r, e)
}

func (linux) sendmsg(fd int, iov [][]byte, flags int) (int, error) {
	n, err := unix.SendmsgBuffers(fd, iov, nil, nil, flags|socket.MSG_NOSIGNAL)
	return n, fromGo(err)
}

func fromGo(err error) error {
	if e, ok := err.(unix.Errno); ok {
		return errno.Errno(e)
	}
	return err
}

func (linux) recvfrom(fd int, b []byte, flags int) (int, socket.Sockaddr, error) {
	var got int
	addr, err := nameFrom(func(a *byte, n *uint32) (err error) {
		// SAFETY: the kernel writes at most len(b) bytes to b, *n to a, and *n.
		r, _, e := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(first(b))), uintptr(len(b)), uintptr(flags),
			uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(n)))
		got, err = result(r, e)
		return err
	})
	return got, addr, err
}

func (linux) recvmsg(fd int, iov [][]byte, flags int) (int, socket.Sockaddr, int, error) {
	name := make([]byte, socket.SizeofSockaddr)
	vec := make([]unix.Iovec, len(iov))
	for i, b := range iov {
		if len(b) > 0 {
			vec[i].Base = &b[0]
		}
		vec[i].SetLen(len(b))
	}
	h := unix.Msghdr{Name: &name[0], Namelen: uint32(len(name))}
	if len(vec) > 0 {
		h.Iov = &vec[0]
		h.SetIovlen(len(vec))
	}
	// SAFETY: h and all it points to outlive the call.
	r, _, e := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), uintptr(flags))
	n, err := result(r, e)
	if err != nil {
		return n, socket.Sockaddr{}, 0, err
	}
	from, err := socket.ParseSockaddr(name[:h.Namelen])
	return n, from, int(h.Flags), err
}

func (linux) setsockopt(fd, level, name int, val []byte) error {
	// SAFETY: val outlives the call.
	return onlyError(resultOf(unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(first(val))), uintptr(len(val)), 0)))
}

func (linux) getsockopt(fd, level, name int, val []byte) (int, error) {
	n := uint32(len(val))
	// SAFETY: the kernel writes at most n bytes to val, and n.
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(unsafe.Pointer(first(val))), uintptr(unsafe.Pointer(&n)), 0)
	if _, err := result(0, e); err != nil {
		return 0, err
	}
	return int(n), nil
}

func (linux) setnonblock(fd int, on bool) error { return fromGo(unix.SetNonblock(fd, on)) }

func (linux) fionread(fd int) (int, error) {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return n, fromGo(err)
}

func (linux) poll(fds []socket.PollFd, millis int) (int, error) {
	p := make([]unix.PollFd, len(fds))
	for i, f := range fds {
		p[i] = unix.PollFd{Fd: int32(f.Fd), Events: int16(f.Events)}
	}
	n, err := unix.Poll(p, millis)
	for err == unix.EINTR {
		n, err = unix.Poll(p, millis)
	}
	for i := range p {
		fds[i].Revents = socket.EventMask(uint16(p[i].Revents))
	}
	return n, fromGo(err)
}
