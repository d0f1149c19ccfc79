//go:build linux

package oracle

import (
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// tamanet is the socket layer under test.
type tamanet struct{ t *socket.Task }

func (tamanet) name() string { return "tamanet" }

func (s tamanet) socket(family, typ, protocol int) (int, error) {
	return s.t.Socket(family, typ, protocol)
}

func (s tamanet) socketpair(family, typ, protocol int) ([2]int, error) {
	return s.t.SocketPair(family, typ, protocol)
}
func (s tamanet) bind(fd int, addr socket.Sockaddr) error    { return s.t.Bind(fd, addr) }
func (s tamanet) listen(fd, backlog int) error               { return s.t.Listen(fd, backlog) }
func (s tamanet) connect(fd int, addr socket.Sockaddr) error { return s.t.Connect(fd, addr) }
func (s tamanet) shutdown(fd, how int) error                 { return s.t.Shutdown(fd, how) }
func (s tamanet) close(fd int) error                         { return s.t.Close(fd) }
func (s tamanet) dup(fd int) (int, error)                    { return s.t.Dup(fd) }

func (s tamanet) accept4(fd, flags int) (int, socket.Sockaddr, error) {
	return s.t.Accept4(fd, flags)
}
func (s tamanet) getsockname(fd int) (socket.Sockaddr, error) { return s.t.GetSockName(fd) }
func (s tamanet) getpeername(fd int) (socket.Sockaddr, error) { return s.t.GetPeerName(fd) }

func (s tamanet) send(fd int, b []byte, flags int) (int, error) { return s.t.Send(fd, b, flags) }

func (s tamanet) sendto(fd int, b []byte, flags int, addr socket.Sockaddr) (int, error) {
	return s.t.SendTo(fd, b, flags, addr)
}

func (s tamanet) sendmsg(fd int, iov [][]byte, flags int) (int, error) {
	return s.t.SendMsg(fd, &socket.Msghdr{Iov: iov}, flags)
}

func (s tamanet) recvfrom(fd int, b []byte, flags int) (int, socket.Sockaddr, error) {
	return s.t.RecvFrom(fd, b, flags)
}

func (s tamanet) recvmsg(fd int, iov [][]byte, flags int) (int, socket.Sockaddr, int, error) {
	m := socket.Msghdr{Iov: iov}
	n, err := s.t.RecvMsg(fd, &m, flags)
	return n, m.Name, m.Flags, err
}

func (s tamanet) setsockopt(fd, level, name int, val []byte) error {
	return s.t.SetSockOpt(fd, level, name, val)
}

func (s tamanet) getsockopt(fd, level, name int, val []byte) (int, error) {
	return s.t.GetSockOpt(fd, level, name, val)
}
func (s tamanet) setnonblock(fd int, on bool) error { return s.t.SetNonblock(fd, on) }

func (s tamanet) fionread(fd int) (int, error) {
	var n int
	err := s.t.Ioctl(fd, socket.FIONREAD, &n)
	return n, err
}

func (s tamanet) poll(fds []socket.PollFd, millis int) (int, error) {
	timeout := time.Duration(millis) * time.Millisecond
	if millis < 0 {
		timeout = socket.Forever
	}
	return s.t.Poll(fds, timeout)
}

// errorName writes an outcome's error.
func errorName(err error) string {
	if e, ok := err.(errno.Errno); ok {
		return e.Name()
	}
	return err.Error()
}
