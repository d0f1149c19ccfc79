package socket_test

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// TestConnectionFlood makes 20,000 attempts to connect against a limit of
// 1,000 sockets, held by clients that do not let go. What is connected before
// goes on working, the rest is refused and counted, and all is given back.
func TestConnectionFlood(t *testing.T) {
	const attempts, limit, callers = 20000, 1000, 8
	task := newTask(t)
	task.SetNoFile(2 * limit)
	before, refusedBefore := socket.Count(), socket.Refused()
	l, addr := listener(t, task)
	if err := task.Listen(l, 4096); err != nil {
		t.Fatal(err)
	}
	client, server := connected(t, task)
	socket.SetMaxSockets(limit)
	defer socket.SetMaxSockets(socket.DefaultMaxSockets)

	acceptor := newAcceptor(task, l)
	var refused, attempted atomic.Int64
	held := make(chan int, limit)
	var wg sync.WaitGroup
	for range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for attempted.Add(1) <= attempts {
				fd, err := attempt(task, addr)
				switch err {
				case nil:
					held <- fd
				case errno.ENFILE:
					refused.Add(1)
				default:
					t.Errorf("attempt: %v", err)
				}
			}
		}()
	}
	stopProbe := probe(t, task, client, server)
	finish(t, &wg)
	echoes := stopProbe()
	n := len(held)
	if n == 0 || n >= limit || refused.Load()+int64(n) != attempts {
		t.Errorf("%d connected and %d refused of %d", n, refused.Load(), attempts)
	}
	if counted := socket.Refused() - refusedBefore; counted < uint64(refused.Load()) {
		t.Errorf("%d refusals are counted, %d were made", counted, refused.Load())
	}
	if echoes == 0 {
		t.Error("the established connection carried nothing meanwhile")
	}
	t.Logf("%d connected, %d refused, %d round trips beside", n, refused.Load(), echoes)

	for range n {
		task.Close(<-held)
	}
	// Room again: the acceptor gets what waited for it.
	acceptor.stop()
	for _, fd := range []int{l, client, server} {
		task.Close(fd)
	}
	if left := socket.Count() - before; left != 0 {
		t.Errorf("%d sockets are left", left)
	}
	fd := open(t, task, socket.SOCK_STREAM)
	if fd != l {
		t.Errorf("a new socket is descriptor %d, want %d again", fd, l)
	}
}

// attempt makes a socket and connects it.
func attempt(task *socket.Task, addr socket.Sockaddr) (int, error) {
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	if err := task.Connect(fd, addr); err != nil {
		task.Close(fd)
		return -1, err
	}
	return fd, nil
}

// An acceptor accepts connections as long as it can, and holds them.
type acceptor struct {
	task *socket.Task
	l    int
	done chan struct{}
	fds  []int
}

func newAcceptor(task *socket.Task, l int) *acceptor {
	a := &acceptor{task: task, l: l, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		for {
			fd, _, err := task.Accept(l)
			if err != nil {
				return // ENFILE: the limit; EINVAL: stopped
			}
			a.fds = append(a.fds, fd)
		}
	}()
	return a
}

// stop closes what was accepted, and what was not.
func (a *acceptor) stop() {
	a.task.Shutdown(a.l, socket.SHUT_RD)
	<-a.done
	for _, fd := range a.fds {
		a.task.Close(fd)
	}
}

// probe sends and receives on a connection until it is told to stop, and then
// tells how often.
func probe(t *testing.T, task *socket.Task, client, server int) (stop func() int) {
	t.Helper()
	quit, result := make(chan struct{}), make(chan int)
	go func() {
		n, b := 0, make([]byte, 16)
		for {
			select {
			case <-quit:
				result <- n
				return
			default:
			}
			if _, err := task.Send(client, []byte("still here?"), 0); err != nil {
				t.Errorf("send: %v", err)
			}
			k, err := task.Recv(server, b[:11], socket.MSG_WAITALL)
			if err != nil || !bytes.Equal(b[:k], []byte("still here?")) {
				t.Errorf("received %q, %v", b[:k], err)
			}
			n++
		}
	}()
	return func() int { close(quit); return <-result }
}

func finish(t *testing.T, wg *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("attempts hang")
	}
}
