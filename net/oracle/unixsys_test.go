//go:build linux

package oracle

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
	unixfamily "github.com/tamanet/tamanet/net/unix"
)

// controlSys is what scenarios with control messages and paths need more.
type controlSys interface {
	// sendctl is sendmsg with control messages; to is nil for the peer.
	sendctl(fd int, b, control []byte, flags int, to *socket.Sockaddr) (int, error)
	// recvctl is recvmsg with room for control messages, none if it is nil.
	recvctl(fd int, b, control []byte, flags int) (n, controllen, msgflags int, err error)
	unlink(path string) error
	siocoutq(fd int) (int, error)
	// attach gives fd a filter, from its C structures.
	attach(fd int, prog []byte) error
	// cred is who the caller is.
	cred() socket.Ucred
}

var (
	_ controlSys = linux{}
	_ controlSys = tamanet{}
)

func (linux) sendctl(fd int, b, control []byte, flags int, to *socket.Sockaddr) (int, error) {
	var h unix.Msghdr
	iov := unix.Iovec{}
	if len(b) > 0 {
		iov.Base = &b[0]
	}
	iov.SetLen(len(b))
	h.Iov = &iov
	h.SetIovlen(1)
	if len(control) > 0 {
		h.Control = &control[0]
		h.SetControllen(len(control))
	}
	if to != nil {
		name := to.Append(make([]byte, 0, socket.SizeofSockaddr))
		h.Namelen = uint32(len(name))
		h.Name = &name[:1][0]
	}
	// SAFETY: h and all it points to outlive the call.
	r, _, e := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), uintptr(flags))
	return result(r, e)
}

func (linux) recvctl(fd int, b, control []byte, flags int) (int, int, int, error) {
	var h unix.Msghdr
	iov := unix.Iovec{}
	if len(b) > 0 {
		iov.Base = &b[0]
	}
	iov.SetLen(len(b))
	h.Iov = &iov
	h.SetIovlen(1)
	if control != nil {
		h.Control = &control[:1][0]
		h.SetControllen(len(control))
	}
	// SAFETY: h and all it points to outlive the call.
	r, _, e := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), uintptr(flags))
	n, err := result(r, e)
	if err != nil {
		return n, 0, 0, err
	}
	return n, int(h.Controllen), int(h.Flags), nil
}

func (linux) unlink(path string) error { return fromGo(unix.Unlink(path)) }

func (linux) siocoutq(fd int) (int, error) {
	n, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	return n, fromGo(err)
}

func (linux) attach(fd int, prog []byte) error {
	fprog := unix.SockFprog{Len: uint16(len(prog) / socket.SizeofSockFilter)}
	if len(prog) > 0 {
		// SAFETY: struct sock_filter has the layout of prog, which outlives
		// the call.
		fprog.Filter = (*unix.SockFilter)(unsafe.Pointer(&prog[0]))
	}
	// SAFETY: the kernel reads fprog and what it points to.
	_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		uintptr(unsafe.Pointer(&fprog)), unsafe.Sizeof(fprog), 0)
	_, err := result(0, e)
	return err
}

func (linux) cred() socket.Ucred {
	return socket.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
}

func (s tamanet) sendctl(fd int, b, control []byte, flags int, to *socket.Sockaddr) (int, error) {
	m := socket.Msghdr{Iov: [][]byte{b}, Control: control}
	if to != nil {
		m.Name, m.HasName = *to, true
	}
	return s.t.SendMsg(fd, &m, flags)
}

func (s tamanet) recvctl(fd int, b, control []byte, flags int) (int, int, int, error) {
	m := socket.Msghdr{Iov: [][]byte{b}, Control: control}
	n, err := s.t.RecvMsg(fd, &m, flags)
	return n, m.Controllen, m.Flags, err
}

func (s tamanet) unlink(path string) error {
	if unixfamily.Unlink(s.t.Net, path) != nil {
		return errno.ENOENT
	}
	return nil
}

func (s tamanet) siocoutq(fd int) (int, error) {
	var n int
	err := s.t.Ioctl(fd, socket.SIOCOUTQ, &n)
	return n, err
}

func (s tamanet) attach(fd int, prog []byte) error {
	return s.t.SetSockOpt(fd, socket.SOL_SOCKET, socket.SO_ATTACH_FILTER, prog)
}

func (s tamanet) cred() socket.Ucred { return s.t.Cred }
