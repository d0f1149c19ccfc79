package udp_test

import (
	"testing"

	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/socket"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// newTask returns a task on a network of its own.
var newTask = sockettest.NewTask

// loopback is the family's loopback address and a port.
func loopback(family int, port uint16) socket.Sockaddr {
	if family == socket.AF_INET6 {
		return socket.SockaddrInet6([16]byte{15: 1}, port, 0)
	}
	return socket.SockaddrInet4([4]byte{127, 0, 0, 1}, port)
}

// bound returns a socket on a loopback port, and its name.
func bound(t testing.TB, task *socket.Task, family int) (int, socket.Sockaddr) {
	t.Helper()
	fd, err := task.Socket(family, socket.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Bind(fd, loopback(family, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := task.GetSockName(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, name
}
