//go:build linux

package oracle

import (
	"github.com/tamanet/tamanet/net/socket"
)

// sys is the socket calls that scenarios are written in. Errors are
// errno.Errno.
type sys interface {
	name() string
	socket(family, typ, protocol int) (int, error)
	socketpair(family, typ, protocol int) ([2]int, error)
	bind(fd int, addr socket.Sockaddr) error
	listen(fd, backlog int) error
	accept4(fd, flags int) (int, socket.Sockaddr, error)
	connect(fd int, addr socket.Sockaddr) error
	shutdown(fd, how int) error
	close(fd int) error
	dup(fd int) (int, error)
	getsockname(fd int) (socket.Sockaddr, error)
	getpeername(fd int) (socket.Sockaddr, error)
	send(fd int, b []byte, flags int) (int, error)
	sendto(fd int, b []byte, flags int, addr socket.Sockaddr) (int, error)
	sendmsg(fd int, iov [][]byte, flags int) (int, error)
	recvfrom(fd int, b []byte, flags int) (int, socket.Sockaddr, error)
	recvmsg(fd int, iov [][]byte, flags int) (n int, from socket.Sockaddr, msgflags int, err error)
	setsockopt(fd, level, name int, val []byte) error
	getsockopt(fd, level, name int, val []byte) (int, error)
	setnonblock(fd int, on bool) error
	fionread(fd int) (int, error)
	poll(fds []socket.PollFd, millis int) (int, error)
}
