package raw_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/socket"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const patience = 10 * time.Second

var newTask = sockettest.NewTask

func lo(family int) socket.Sockaddr {
	ip := "127.0.0.1"
	if family == socket.AF_INET6 {
		ip = "::1"
	}
	return socket.SockaddrFrom(netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
}

var families46 = map[string]int{"inet": socket.AF_INET, "inet6": socket.AF_INET6}

// TestNeedsPrivilege makes raw sockets without CAP_NET_RAW.
func TestNeedsPrivilege(t *testing.T) {
	task := newTask(t)
	task.Caps = 0
	for name, family := range families46 {
		if _, err := task.Socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP); err != errno.EPERM {
			t.Errorf("%s: %v, want EPERM", name, err)
		}
	}
	if _, err := task.Socket(socket.AF_PACKET, socket.SOCK_RAW, 0); err != errno.EPERM {
		t.Errorf("packet: %v, want EPERM", err)
	}
}

// TestEachSocketHasACopy sends one packet to two sockets of its protocol and
// none to one of another; the latter is unread when all are closed.
func TestEachSocketHasACopy(t *testing.T) {
	for name, family := range families46 {
		t.Run(name, func(t *testing.T) {
			task := newTask(t)
			var fds [3]int
			for i, protocol := range []int{254, 254, 47} {
				var err error
				if fds[i], err = task.Socket(family, socket.SOCK_RAW, protocol); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if _, err := task.SendTo(fds[0], []byte("payload"), 0, lo(family)); err != nil {
					t.Fatal(err)
				}
			}
			b := make([]byte, 100)
			for _, fd := range fds[:2] {
				p := []socket.PollFd{{Fd: fd, Events: socket.POLLIN}}
				if n, err := task.Poll(p, patience); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				n, err := task.Recv(fd, b, socket.MSG_DONTWAIT)
				if err != nil || !bytes.HasSuffix(b[:n], []byte("payload")) {
					t.Errorf("received %q, %v", b[:max(n, 0)], err)
				}
			}
			if _, err := task.Recv(fds[2], b, socket.MSG_DONTWAIT); err != errno.EAGAIN {
				t.Errorf("another protocol's: %v, want EAGAIN", err)
			}
		})
	}
}

// TestPingMany has two ping sockets ask at once; each has its own replies.
func TestPingMany(t *testing.T) {
	for name, family := range families46 {
		t.Run(name, func(t *testing.T) {
			task := newTask(t)
			request, protocol := byte(8), socket.IPPROTO_ICMP
			if family == socket.AF_INET6 {
				request, protocol = 128, socket.IPPROTO_ICMPV6
			}
			var fds [2]int
			for i := range fds {
				var err error
				if fds[i], err = task.Socket(family, socket.SOCK_DGRAM, protocol); err != nil {
					t.Fatal(err)
				}
				m := []byte{request, 0, 0, 0, 0, 0, 0, byte(i), 'x'}
				if _, err := task.SendTo(fds[i], m, 0, lo(family)); err != nil {
					t.Fatal(err)
				}
			}
			for i, fd := range fds {
				p := []socket.PollFd{{Fd: fd, Events: socket.POLLIN}}
				if n, err := task.Poll(p, patience); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				b := make([]byte, 20)
				n, err := task.Recv(fd, b, socket.MSG_DONTWAIT)
				if n != 9 || err != nil || b[7] != byte(i) {
					t.Errorf("socket %d received %x, %v", i, b[:max(n, 0)], err)
				}
			}
		})
	}
}

// TestCloseEndsReceive closes a socket with a receive inside.
func TestCloseEndsReceive(t *testing.T) {
	task := newTask(t)
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_RAW, 254)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		close(begun)
		_, err := task.Recv(fd, make([]byte, 1), 0)
		got <- err
	}()
	<-begun
	task.Close(fd)
	select {
	case err := <-got:
		if err != errno.EBADF {
			t.Errorf("%v, want EBADF", err)
		}
	case <-time.After(patience):
		t.Fatal("did not return")
	}
}
