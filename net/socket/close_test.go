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
			func(fd int) error {
				for {
					// The peer's window may still grow.
					if _, err := task.Send(fd, make([]byte, 1<<20), 0); err != nil {
						return err
					}
				}
			},
		},
		"connect": {
			func() int { return open(t, task, socket.SOCK_STREAM) },
			func(fd int) error { return task.Connect(fd, unanswered(t, task)) },
		},
		"receive all": {
			func() int {
				fd, peer := connected(t, task)
				task.Send(peer, []byte("x"), 0)
				task.Poll([]socket.PollFd{{Fd: fd, Events: socket.POLLIN}}, patience)
				task.Recv(fd, make([]byte, 1), 0)
				return fd
			},
			func(fd int) error { return second(task.Recv(fd, make([]byte, 9), socket.MSG_WAITALL)) },
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

// unanswered is the address of a listener whose backlog is full.
func unanswered(t *testing.T, task *socket.Task) socket.Sockaddr {
	l := open(t, task, socket.SOCK_STREAM)
	if err := task.Bind(l, lo(0)); err != nil {
		t.Error(err)
	}
	task.Listen(l, 0)
	addr, _ := task.GetSockName(l)
	for range 3 {
		fd := open(t, task, socket.SOCK_STREAM)
		task.SetNonblock(fd, true)
		task.Connect(fd, addr)
		task.Poll([]socket.PollFd{{Fd: fd, Events: socket.POLLOUT}}, 50*time.Millisecond)
	}
	return addr
}

// TestShutdownEndsWaits shuts a socket down with each wait inside that it
// ends.
func TestShutdownEndsWaits(t *testing.T) {
	task := newTask(t)
	stream := func() int { fd, _ := connected(t, task); return fd }
	listen := func() int { fd, _ := listener(t, task); return fd }
	poll := func(events socket.EventMask) func(fd int) error {
		return func(fd int) error {
			p := []socket.PollFd{{Fd: fd, Events: events}}
			if n, err := task.Poll(p, patience); n != 1 || err != nil {
				t.Errorf("poll: %d ready, %v", n, err)
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		fd   func() int
		call func(fd int) error
		want error
	}{
		"receive":            {stream, func(fd int) error { return second(task.Recv(fd, make([]byte, 1), 0)) }, nil},
		"poll of a stream":   {stream, poll(socket.POLLRDHUP), nil},
		"poll of a listener": {listen, poll(0), nil},
		"accept":             {listen, func(fd int) error { return third(task.Accept(fd)) }, errno.EINVAL},
	} {
		t.Run(name, func(t *testing.T) {
			fd := c.fd()
			got := make(chan error, 1)
			go func() { got <- c.call(fd) }()
			untilWaiting(t, task, fd)
			if err := task.Shutdown(fd, socket.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-got:
				if err != c.want {
					t.Errorf("returned %v, want %v", err, c.want)
				}
			case <-time.After(patience):
				t.Error("did not return")
			}
		})
	}
}

// TestAcceptRacesWithClose closes listeners while connections come in and are
// accepted. No socket may be left, and no call may hang.
func TestAcceptRacesWithClose(t *testing.T) {
	task := newTask(t)
	before := socket.Count()
	for i := range 100 {
		l, addr := listener(t, task)
		done := make(chan struct{}, 3)
		go func() {
			for {
				fd, _, err := task.Accept(l)
				if err != nil {
					break
				}
				task.Close(fd)
			}
			done <- struct{}{}
		}()
		for range 2 {
			go func() {
				for {
					fd, err := attempt(task, addr)
					if err != nil {
						break
					}
					task.Close(fd)
				}
				done <- struct{}{}
			}()
		}
		for range i {
			runtime.Gosched()
		}
		task.Close(l)
		for range 3 {
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("a call hangs")
			}
		}
	}
	if left := socket.Count() - before; left != 0 {
		t.Errorf("%d sockets are left", left)
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
