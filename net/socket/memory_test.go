package socket_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// nothingHeld waits until the last acknowledgement has been worked off, which
// is held as well.
func nothingHeld(t *testing.T, task *socket.Task) {
	t.Helper()
	m := socket.Memory(task.Net)
	for ; m.Bytes != 0; m = socket.Memory(task.Net) {
		time.Sleep(time.Millisecond)
	}
	if m.Pressure || m.Exhausted {
		t.Errorf("nothing is held, and %+v", m)
	}
}

// What sockets hold is bounded: past it no more are made, nothing is lost,
// and once it is read there is room again.
func TestMemoryLimit(t *testing.T) {
	task := newTask(t)
	l, addr := listener(t, task)
	waiting := open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(waiting, addr); err != nil {
		t.Fatal(err)
	}
	client, server := connected(t, task)
	nothingHeld(t, task)

	const size = 64 << 10
	task.Net.Sysctl.MemPressure.Store(size / 4)
	task.Net.Sysctl.MemMax.Store(size / 2)
	if n, err := task.Send(client, make([]byte, size), 0); n != size || err != nil {
		t.Fatalf("sent %d, %v", n, err)
	}
	if n, err := task.Recv(server, make([]byte, size), socket.MSG_PEEK|socket.MSG_WAITALL); n == 0 || err != nil {
		t.Fatalf("peeked %d, %v", n, err)
	}
	for socket.Memory(task.Net).Bytes <= size/2 { // until it is all there
		if _, err := task.Poll([]socket.PollFd{{Fd: server, Events: socket.POLLIN}}, socket.Forever); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0); err != errno.ENOBUFS {
		t.Errorf("socket: %v, want ENOBUFS", err)
	}
	if _, _, err := task.Accept(l); err != nil {
		t.Errorf("accept: %v; who holds all may do so for good, others are served nevertheless", err)
	}
	if m := socket.Memory(task.Net); !m.Pressure || m.Pressures != 1 || !m.Exhausted || m.Refused != 1 {
		t.Errorf("%+v; want pressure, entered once, exhausted, and 1 refused", m)
	}

	if n, err := task.Recv(server, make([]byte, size), socket.MSG_WAITALL); n != size || err != nil {
		t.Fatalf("received %d, %v", n, err)
	}
	nothingHeld(t, task)
	open(t, task, socket.SOCK_DGRAM)
}

// full writes to fd until no more is taken, and returns what was.
func full(t *testing.T, task *socket.Task, fd int) (taken int) {
	t.Helper()
	for buf := make([]byte, 64<<10); ; {
		n, err := task.Send(fd, buf, socket.MSG_DONTWAIT)
		taken += max(0, n)
		if err == errno.EAGAIN {
			// A moment later the peer may have acknowledged some, but in the end it does not.
			p := []socket.PollFd{{Fd: fd, Events: socket.POLLOUT}}
			if ready, err := task.Poll(p, 200*time.Millisecond); err != nil {
				t.Fatal(err)
			} else if ready == 0 {
				return taken
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// drained receives until there is no more, and returns why.
func drained(task *socket.Task, fd int) error {
	for buf := make([]byte, 64<<10); ; {
		if n, err := task.Recv(fd, buf, 0); n == 0 || err != nil {
			return err
		}
	}
}

// A connection that its program closed is counted as long as the peer leaves
// what was sent. With memory to spare that is delivered; without, the
// connection is reset, be it exhausted before the close or after
// (tcp_check_oom).
func TestOrphansEndWhenMemoryIsExhausted(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after int64 // MemMax when it is closed, and later
		want          error
	}{
		{"memory to spare", 1 << 30, 1 << 30, nil},
		{"exhausted before", 1, 1, errno.ECONNRESET},
		{"exhausted after", 1 << 30, 1, errno.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := newTask(t)
			client, server := connected(t, task)
			taken := full(t, task, client)
			task.Net.Sysctl.MemMax.Store(c.before)
			if m := socket.Memory(task.Net); m.Bytes < taken || m.Orphans != 0 {
				t.Errorf("%d bytes were taken, and %+v", taken, m)
			}
			if err := task.Close(client); err != nil {
				t.Fatal(err)
			}
			if m := socket.Memory(task.Net); c.want == nil && (m.Bytes < taken || m.Orphans != 1) {
				t.Errorf("after the close %+v; want %d bytes and the orphan", m, taken)
			}
			task.Net.Sysctl.MemMax.Store(c.after)
			socket.Memory(task.Net) // acts on what it finds
			m := socket.Memory(task.Net)
			if ended := c.want != nil; ended != (m.Aborted == 1) || ended != (m.Orphans == 0) {
				t.Errorf("later %+v; want it aborted: %t", m, ended)
			}
			if err := drained(task, server); err != c.want {
				t.Errorf("the peer receives: %v, want %v", err, c.want)
			}
			if err := task.Close(server); err != nil {
				t.Fatal(err)
			}
			for socket.Memory(task.Net).Orphans != 0 { // until the last FIN is there
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// A connection that nobody has accepted holds what its peer sends.
func TestUnacceptedConnectionsAreCounted(t *testing.T) {
	task := newTask(t)
	_, addr := listener(t, task)
	client := open(t, task, socket.SOCK_STREAM)
	if err := task.Connect(client, addr); err != nil {
		t.Fatal(err)
	}
	const size = 8 << 10
	if n, err := task.Send(client, make([]byte, size), 0); n != size || err != nil {
		t.Fatalf("sent %d, %v", n, err)
	}
	for unacked := 1; unacked > 0; time.Sleep(time.Millisecond) {
		if err := task.Ioctl(client, socket.SIOCOUTQ, &unacked); err != nil {
			t.Fatal(err)
		}
	}
	if m := socket.Memory(task.Net); m.Bytes < size {
		t.Errorf("%+v; want %d bytes and more", m, size)
	}
}

// sizeOf returns SO_SNDBUF or SO_RCVBUF.
func sizeOf(t *testing.T, task *socket.Task, fd, option int) int {
	t.Helper()
	n, err := task.GetSockOptInt(fd, socket.SOL_SOCKET, option)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// carry sends many bytes from one to the other.
func carry(t *testing.T, task *socket.Task, from, to int) {
	t.Helper()
	const all = 32 << 20
	go func() {
		for sent, buf := 0, make([]byte, 256<<10); sent < all; sent += len(buf) {
			task.Send(from, buf, 0)
		}
	}()
	for got, buf := 0, make([]byte, 256<<10); got < all; {
		n, err := task.Recv(to, buf, 0)
		if n == 0 || err != nil {
			t.Fatalf("received %d, %v", n, err)
		}
		got += n
	}
}

// Under pressure buffers keep, or come back to, their first size, but for
// those whose size the program set; afterwards they grow.
func TestBuffersDoNotGrowUnderPressure(t *testing.T) {
	task := newTask(t)
	first := task.Net.Memory().TCPSend.Default
	client, server := connected(t, task)
	set, _ := connected(t, task)
	chosen := 2 * first
	if err := task.SetSockOptInt(set, socket.SOL_SOCKET, socket.SO_SNDBUF, chosen); err != nil {
		t.Fatal(err)
	}
	grows := func(when string, want bool) {
		t.Helper()
		carry(t, task, client, server)
		if n := sizeOf(t, task, client, socket.SO_SNDBUF); n > first != want {
			t.Errorf("%s the buffer has %d bytes, %d at first", when, n, first)
		}
	}
	grows("before", true)
	task.Net.Sysctl.MemPressure.Store(-1)
	socket.Memory(task.Net)
	grows("under pressure", false)
	if n := full(t, task, set); n < chosen {
		t.Errorf("the buffer that was set to %d bytes takes %d", chosen, n)
	}
	task.Net.Sysctl.MemPressure.Store(1 << 30)
	socket.Memory(task.Net)
	grows("afterwards", true)
}

// While the memory is exhausted a connection that nobody reads receives no
// more than its first buffer holds, however large that has become; later the
// peer's bytes come, all of them.
func TestExhaustedMemoryTakesNoMoreThanTheFirstBuffer(t *testing.T) {
	task := newTaskOn(t, netdev.Config{RAM: 64 << 20})
	first, longest := task.Net.Memory().TCPReceive.Default, 64<<10
	client, server := connected(t, task)
	for range 20 {
		if carry(t, task, client, server); sizeOf(t, task, server, socket.SO_RCVBUF) > 2*(first+longest) {
			break
		}
	}
	if n := sizeOf(t, task, server, socket.SO_RCVBUF); n <= 2*(first+longest) {
		t.Fatalf("the buffer has %d bytes, %d at first", n, first)
	}
	most := task.Net.Sysctl.MemMax.Swap(-1)
	socket.Memory(task.Net)
	taken := full(t, task, client)
	var queued int
	if err := task.Ioctl(server, socket.FIONREAD, &queued); err != nil {
		t.Fatal(err)
	}
	if queued > first+longest {
		t.Errorf("%d bytes are in a queue that had %d at first", queued, first)
	}
	task.Net.Sysctl.MemMax.Store(most)
	socket.Memory(task.Net)
	if n, err := task.Recv(server, make([]byte, taken), socket.MSG_WAITALL); n != taken || err != nil {
		t.Errorf("received %d, %v; %d were taken", n, err, taken)
	}
}

func TestProtocols(t *testing.T) {
	task := newTask(t)
	count := func(name string) int {
		for _, p := range socket.Protocols() {
			if p.Name == name {
				return p.Sockets
			}
		}
		t.Fatalf("no protocol %s", name)
		return 0
	}
	before := count("TCP")
	open(t, task, socket.SOCK_STREAM)
	if n := count("TCP") - before; n != 1 {
		t.Errorf("%d more sockets, want 1", n)
	}

	var b strings.Builder
	if err := socket.WriteProtocols(&b); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(b.String()) {
		names = append(names, strings.Fields(line)[0])
	}
	for _, want := range []string{"PACKET", "PING", "PINGv6", "RAW", "RAWv6", "TCP", "TCPv6", "UDP", "UDPv6", "UNIX", "UNIX-STREAM"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing:\n%s", want, b.String())
		}
	}
}

// slowHolder tells what is put into held, once that has come.
type slowHolder struct {
	asked chan struct{}
	held  chan int
	limit []int // what it was told
}

func (h *slowHolder) Held() socket.MemStat {
	h.asked <- struct{}{}
	return socket.MemStat{Bytes: <-h.held}
}

func (h *slowHolder) Limit(m socket.MemStat) { h.limit = append(h.limit, m.Bytes) }

// TestMemoryIsCountedInTurn has one count take long, and another begin meanwhile: what is known in the end is of the later one.
// Who only wants to know about waits for neither.
func TestMemoryIsCountedInTurn(t *testing.T) {
	task := newTask(t)
	h := &slowHolder{asked: make(chan struct{}), held: make(chan int)}
	socket.RememberHolder(task.Net, h)
	var both sync.WaitGroup
	both.Go(func() { socket.Memory(task.Net) })
	<-h.asked
	socket.CheckMemory(task.Net)
	both.Go(func() { socket.Memory(task.Net) })
	select {
	case <-h.asked:
		t.Error("two count at the same time")
		h.held <- 5
	case <-time.After(20 * time.Millisecond):
	}
	h.held <- 1000
	if !t.Failed() {
		<-h.asked
		h.held <- 5
	}
	both.Wait()
	if !slices.Equal(h.limit, []int{1000, 5}) {
		t.Errorf("holder was told of %d, want 1000, 5", h.limit)
	}
}
