package socket_test

import (
	"sync"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

func epoll(t testing.TB, task *socket.Task) int {
	t.Helper()
	fd, err := task.EpollCreate1(0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func watch(t testing.TB, task *socket.Task, ep, fd int, events socket.EventMask) {
	t.Helper()
	ev := socket.EpollEvent{Events: events, Data: uint64(fd)}
	if err := task.EpollCtl(ep, socket.EPOLL_CTL_ADD, fd, &ev); err != nil {
		t.Fatal(err)
	}
}

func TestEpollCloseEndsWait(t *testing.T) {
	task := newTask(t)
	ep := epoll(t, task)
	l, _ := listener(t, task)
	watch(t, task, ep, l, socket.POLLIN)
	inside := make(chan struct{})
	got := make(chan error, 1)
	go func() {
		close(inside)
		_, err := task.EpollWait(ep, make([]socket.EpollEvent, 1), patience)
		got <- err
	}()
	<-inside
	if err := task.Close(ep); err != nil {
		t.Fatal(err)
	}
	// Inside or not yet, the set is gone.
	if err := <-got; err != errno.EBADF {
		t.Errorf("wait: %v, want EBADF", err)
	}
}

// TestEpollNesting counts the sets above as well as those below.
func TestEpollNesting(t *testing.T) {
	task := newTask(t)
	sets := make([]int, 6)
	for i := range sets {
		sets[i] = epoll(t, task)
	}
	for i := range 4 {
		watch(t, task, sets[i], sets[i+1], socket.POLLIN)
	}
	ev := socket.EpollEvent{Events: socket.POLLIN}
	if err := task.EpollCtl(sets[4], socket.EPOLL_CTL_ADD, sets[5], &ev); err != errno.ELOOP {
		t.Errorf("a sixth set: %v, want ELOOP", err)
	}
}

// TestEpollAtRandom closes and opens what sets watch, from several
// goroutines, the sets too.
func TestEpollAtRandom(t *testing.T) {
	task := newTask(t)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 300 {
				ep, err1 := task.EpollCreate1(0)
				outer, err2 := task.EpollCreate1(0)
				fd, err3 := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
				if err1 != nil || err2 != nil || err3 != nil {
					t.Error(err1, err2, err3)
					return
				}
				ev := socket.EpollEvent{Events: socket.POLLOUT | socket.EventMask(i%2)*socket.EPOLLET}
				// The others' descriptors are near.
				for at := max(0, fd-4); at < fd+4; at++ {
					task.EpollCtl(ep, socket.EPOLL_CTL_ADD, at, &ev)
					task.EpollCtl(outer, socket.EPOLL_CTL_ADD, at, &ev)
				}
				task.EpollWait(ep, make([]socket.EpollEvent, 3), 0)
				task.EpollWait(outer, make([]socket.EpollEvent, 3), 0)
				task.EpollCtl(ep, socket.EPOLL_CTL_MOD, fd, &ev)
				for _, fd := range [][]int{{ep, outer, fd}, {fd, ep, outer}}[worker%2] {
					task.Close(fd)
				}
			}
		}()
	}
	wg.Wait()
}

// TestEpollEventCostsNothing counts what an event that nobody waits for
// allocates, and one that is waited for.
func TestEpollEventCostsNothing(t *testing.T) {
	task := newTask(t)
	ep := epoll(t, task)
	fd := open(t, task, socket.SOCK_DGRAM)
	watch(t, task, ep, fd, socket.POLLOUT|socket.EPOLLET)
	s, err := task.SocketOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]socket.EpollEvent, 1)
	if n := testing.AllocsPerRun(100, s.Sk.Wake); n != 0 {
		t.Errorf("an event allocates %v times", n)
	}
	n := testing.AllocsPerRun(100, func() {
		s.Sk.Wake()
		if n, err := task.EpollWait(ep, events, 0); n != 1 || err != nil {
			t.Fatalf("%d events, %v", n, err)
		}
	})
	if n != 0 {
		t.Errorf("an event that is waited for allocates %v times", n)
	}
}
