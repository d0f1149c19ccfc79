package socket_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// patience bounds what must happen at once.
const patience = 10 * time.Second

// untilWaiting returns once a call waits on fd's socket.
func untilWaiting(t *testing.T, task *socket.Task, fd int) {
	t.Helper()
	s, err := task.SocketOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); s.Sk.WQ.IsEmpty(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("no call waits")
		}
	}
}

// TestCloseEndsBlockedCalls closes a descriptor with each blocking call
// inside.
func TestCloseEndsBlockedCalls(t *testing.T) {
	task := newTask(t)
	blackhole := socket.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)
	for name, c := range map[string]struct {
		fd   func() int
		call func(fd int) error
	}{
		"accept": {
			func() int { fd, _ := listener(t, task); return fd },
			func(fd int) error { return third(task.Accept(fd)) },
		},
		"receive": {
			func() int { fd, _ := connected(t, task); return fd },
			func(fd int) error { return second(task.Recv(fd, make([]byte, 1), 0)) },
		},
		"receive a datagram": {
			func() int {
				fd := open(t, task, socket.SOCK_DGRAM)
				task.Bind(fd, blackhole)
				return fd
			},
			func(fd int) error { return second(task.Recv(fd, make([]byte, 1), 0)) },
		},
		"send": {
			func() int {
				fd, _ := connected(t, task)
				for err := error(nil); err == nil; {
					_, err = task.Send(fd, make([]byte, 1<<16), socket.MSG_DONTWAIT)
				}
				return fd
			},
			func(fd int) error { return second(task.Send(fd, make([]byte, 1<<20), 0)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			fd := c.fd()
			got := make(chan error, 1)
			go func() { got <- c.call(fd) }()
			untilWaiting(t, task, fd)
			if err := task.Close(fd); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-got:
				if err != errno.EBADF {
					t.Errorf("returned %v, want EBADF", err)
				}
			case <-time.After(patience):
				t.Error("did not return")
			}
		})
	}
}

func TestPollNoticesClose(t *testing.T) {
	task := newTask(t)
	fd, _ := listener(t, task)
	p := []socket.PollFd{{Fd: fd, Events: socket.POLLIN}}
	done := make(chan int, 1)
	go func() {
		n, _ := task.Poll(p, patience)
		done <- n
	}()
	untilWaiting(t, task, fd)
	task.Close(fd)
	if n := <-done; n != 1 || p[0].Revents != socket.POLLNVAL {
		t.Errorf("%d ready, events %#x; want POLLNVAL", n, p[0].Revents)
	}
}

func TestSecondCloseIsRefused(t *testing.T) {
	task := newTask(t)
	fd := open(t, task, socket.SOCK_STREAM)
	if err := task.Close(fd); err != nil {
		t.Fatal(err)
	}
	if err := task.Close(fd); err != errno.EBADF {
		t.Errorf("%v, want EBADF", err)
	}
}

// TestLingerWaitsForThePeer holds a close with SO_LINGER until all is
// acknowledged.
func TestLingerWaitsForThePeer(t *testing.T) {
	task := newTask(t)
	client, server := connected(t, task)
	linger := []byte{1, 0, 0, 0, 10, 0, 0, 0}
	if err := task.SetSockOpt(client, socket.SOL_SOCKET, socket.SO_LINGER, linger); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Send(client, []byte("bye"), 0); err != nil {
		t.Fatal(err)
	}
	if err := task.Close(client); err != nil {
		t.Fatal(err)
	}
	// The FIN is there when close returns, so nothing has to be waited for.
	b := make([]byte, 10)
	if n, err := task.Recv(server, b, socket.MSG_DONTWAIT); n != 3 || err != nil {
		t.Errorf("received %d, %v", n, err)
	}
	if n, err := task.Recv(server, b, socket.MSG_DONTWAIT); n != 0 || err != nil {
		t.Errorf("then %d, %v; want the end", n, err)
	}
}
