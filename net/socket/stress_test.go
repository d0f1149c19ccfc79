package socket_test

import (
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/socket"
)

// TestCallsAtRandom makes random calls on shared descriptors from several
// goroutines. Nothing may panic, hang, race or be left over; what the calls
// return does not matter here.
func TestCallsAtRandom(t *testing.T) {
	task := newTask(t)
	const descriptors, callers, calls = 6, 4, 1500
	fds := make([]int, descriptors)
	for i := range fds {
		fds[i] = open(t, task, 1+i%2)
	}
	_, addr := listener(t, task)
	var wg sync.WaitGroup
	for seed := range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewSource(int64(seed)))
			for range calls {
				randomCall(task, r, fds[r.Intn(descriptors)], addr)
			}
		}()
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("calls hang")
	}
}

// randomCall makes one call that does not block.
func randomCall(task *socket.Task, r *rand.Rand, fd int, addr socket.Sockaddr) {
	b := make([]byte, r.Intn(3000))
	to := []socket.Sockaddr{addr, lo(0), lo(9), {Family: socket.AF_UNSPEC, Len: 16}, {Family: 77, Len: 16}, {}}[r.Intn(6)]
	task.SetNonblock(fd, true)
	switch r.Intn(16) {
	case 0:
		task.Bind(fd, to)
	case 1:
		task.Listen(fd, r.Intn(4)-1)
	case 2, 3, 4:
		task.Connect(fd, to)
	case 5:
		if nfd, _, err := task.Accept(fd); err == nil {
			task.Close(nfd)
		}
	case 6, 7:
		task.Send(fd, b, 0)
	case 8:
		task.SendTo(fd, b, 0, to)
	case 9, 10:
		task.Recv(fd, b, r.Intn(2)*socket.MSG_PEEK)
	case 11:
		task.Shutdown(fd, r.Intn(3))
	case 12:
		task.GetSockName(fd)
		task.GetPeerName(fd)
		socket.Sockets()
	case 13:
		task.Poll([]socket.PollFd{{Fd: fd, Events: socket.POLLIN}}, time.Duration(r.Intn(2))*time.Millisecond)
	case 14:
		name := []int{socket.SO_KEEPALIVE, socket.SO_REUSEADDR, socket.SO_SNDBUF, socket.SO_RCVBUF, socket.SO_ERROR}[r.Intn(5)]
		task.SetSockOptInt(fd, socket.SOL_SOCKET, name, r.Intn(10000))
		task.GetSockOptInt(fd, socket.SOL_SOCKET, name)
	case 15:
		// Close it and take its place, or another's.
		if task.Close(fd) == nil {
			task.Socket(socket.AF_INET, 1+r.Intn(2), 0)
		}
	}
}
