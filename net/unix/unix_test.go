package unix_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/unix"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds what must happen at once.
const patience = 10 * time.Second

// newTask returns a task in a network of its own, whose end must leave no
// socket open.
func newTask(t testing.TB) *socket.Task {
	t.Helper()
	before := socket.Count()
	t.Cleanup(func() { // once the task has ended
		if n := socket.Count() - before; n != 0 {
			t.Errorf("%d sockets are open", n)
		}
	})
	return sockettest.NewTask(t)
}

func pair(t testing.TB, task *socket.Task, typ int) (a, b int) {
	t.Helper()
	fds, err := task.SocketPair(socket.AF_UNIX, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

var types = map[string]int{
	"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET,
}

func rights(fds ...int) []byte {
	var data []byte
	for _, fd := range fds {
		data = binary.NativeEndian.AppendUint32(data, uint32(fd))
	}
	return socket.AppendCmsg(nil, socket.SOL_SOCKET, socket.SCM_RIGHTS, data)
}

func pass(t testing.TB, task *socket.Task, over int, fds ...int) {
	t.Helper()
	m := socket.Msghdr{Iov: [][]byte{{'x'}}, Control: rights(fds...)}
	if _, err := task.SendMsg(over, &m, socket.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
}

// received takes a message and returns the descriptors that came with it.
func received(t testing.TB, task *socket.Task, fd int) (fds []int) {
	t.Helper()
	m := socket.Msghdr{Iov: [][]byte{make([]byte, 1)}, Control: make([]byte, 256)}
	if _, err := task.RecvMsg(fd, &m, socket.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
	c, _, ok, err := socket.NextCmsg(m.Control[:m.Controllen])
	if !ok || err != nil {
		t.Fatalf("no control message: %v", err)
	}
	for b := c.Data; len(b) >= 4; b = b[4:] {
		fds = append(fds, int(binary.NativeEndian.Uint32(b)))
	}
	return fds
}

// TestRingsAreCollected leaves sockets that hold only each other, in several
// shapes, and expects them to be closed.
func TestRingsAreCollected(t *testing.T) {
	for name, build := range map[string]func(t *testing.T, task *socket.Task) []int{
		"itself": func(t *testing.T, task *socket.Task) []int {
			a, b := pair(t, task, socket.SOCK_DGRAM)
			pass(t, task, a, b)
			return []int{a, b}
		},
		"both ends in both queues": func(t *testing.T, task *socket.Task) []int {
			a, b := pair(t, task, socket.SOCK_STREAM)
			pass(t, task, a, a, b)
			pass(t, task, b, a, b)
			return []int{a, b}
		},
		"a ring of three": func(t *testing.T, task *socket.Task) (fds []int) {
			var in, out [3]int
			for i := range in {
				in[i], out[i] = pair(t, task, socket.SOCK_STREAM)
				fds = append(fds, in[i], out[i])
			}
			for i := range in {
				pass(t, task, in[i], out[(i+1)%3])
			}
			return fds
		},
		"a chain that hangs on a ring": func(t *testing.T, task *socket.Task) []int {
			a, b := pair(t, task, socket.SOCK_STREAM)
			c, d := pair(t, task, socket.SOCK_STREAM)
			pass(t, task, c, c)
			pass(t, task, a, b, d)
			return []int{a, b, c, d}
		},
		"a connection not accepted": func(t *testing.T, task *socket.Task) []int {
			l, _ := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			name := socket.SockaddrUnix("\x00ring")
			if err := task.Bind(l, name); err != nil {
				t.Fatal(err)
			}
			if err := task.Listen(l, 1); err != nil {
				t.Fatal(err)
			}
			c, _ := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			if err := task.Connect(c, name); err != nil {
				t.Fatal(err)
			}
			pass(t, task, c, l)
			return []int{l, c}
		},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t)
			before := socket.Count()
			for _, fd := range build(t, task) {
				if err := task.Close(fd); err != nil {
					t.Fatal(err)
				}
			}
			// The ring may have closed with a descriptor that was not the last
			// of its socket; the next release, of any socket, finds it.
			x, y := pair(t, task, socket.SOCK_DGRAM)
			task.Close(x)
			task.Close(y)
			if n := socket.Count() - before; n != 0 {
				t.Errorf("%d sockets are left", n)
			}
		})
	}
}

// TestReachableIsKept passes a socket that has a ring in its queue out of it
// again.
func TestReachableIsKept(t *testing.T) {
	task := newTask(t)
	a, b := pair(t, task, socket.SOCK_STREAM)
	c, d := pair(t, task, socket.SOCK_STREAM)
	pass(t, task, c, d, c) // d holds itself and c
	pass(t, task, a, d)    // and b, which is open, leads to d
	task.Close(c)
	task.Close(d)
	x, y := pair(t, task, socket.SOCK_STREAM)
	task.Close(x) // runs the collector
	task.Close(y)
	got := received(t, task, b)
	if len(got) != 1 {
		t.Fatalf("%d descriptors came", len(got))
	}
	inner := received(t, task, got[0])
	if len(inner) != 2 {
		t.Fatalf("%d descriptors came", len(inner))
	}
	if _, err := task.Send(inner[1], []byte("alive"), 0); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 8)
	if n, err := task.Recv(inner[0], buf, socket.MSG_DONTWAIT); string(buf[:n]) != "alive" || err != nil {
		t.Errorf("received %q, %v", buf[:n], err)
	}
}

// TestRightsBetweenTasks passes a descriptor from one task to another.
func TestRightsBetweenTasks(t *testing.T) {
	from := newTask(t)
	to := socket.NewTask(from.Net)
	t.Cleanup(to.Exit)
	if _, err := to.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0); err != nil {
		t.Fatal(err) // takes number 0
	}
	a, b := pair(t, from, socket.SOCK_STREAM)
	l, err := to.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := socket.SockaddrUnix("/run/service")
	if err := errors.Join(to.Bind(l, name), to.Listen(l, 1)); err != nil {
		t.Fatal(err)
	}
	c, _ := from.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err := from.Connect(c, name); err != nil {
		t.Fatal(err)
	}
	s, _, err := to.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	pass(t, from, c, b)
	from.Close(b)
	got := received(t, to, s)
	if len(got) != 1 {
		t.Fatalf("%d descriptors came", len(got))
	}
	if _, err := to.Send(got[0], []byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if n, err := from.Recv(a, buf, 0); string(buf[:n]) != "hello" || err != nil {
		t.Errorf("received %q, %v", buf[:n], err)
	}
}

// TestCredentialsNeedPrivilege names another user with and without all
// privileges.
func TestCredentialsNeedPrivilege(t *testing.T) {
	task := newTask(t)
	a, b := pair(t, task, socket.SOCK_DGRAM)
	if err := task.SetSockOptInt(b, socket.SOL_SOCKET, socket.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	other := socket.Ucred{Pid: 7, Uid: 8, Gid: 9}
	control := socket.AppendCmsg(nil, socket.SOL_SOCKET, socket.SCM_CREDENTIALS, other.Append(nil))
	m := socket.Msghdr{Iov: [][]byte{{'x'}}, Control: control}
	if _, err := task.SendMsg(a, &m, 0); err != nil {
		t.Fatal(err)
	}
	task.Caps = 0
	if _, err := task.SendMsg(a, &m, 0); err != errno.EPERM {
		t.Errorf("%v, want EPERM", err)
	}
	r := socket.Msghdr{Iov: [][]byte{make([]byte, 1)}, Control: make([]byte, 64)}
	if _, err := task.RecvMsg(b, &r, 0); err != nil {
		t.Fatal(err)
	}
	c, _, _, _ := socket.NextCmsg(r.Control[:r.Controllen])
	if string(c.Data) != string(other.Append(nil)) {
		t.Errorf("%x came", c.Data)
	}
}

// TestNetworksHaveTheirOwnNames binds one name in two networks.
func TestNetworksHaveTheirOwnNames(t *testing.T) {
	one, two := newTask(t), newTask(t)
	defer one.Exit()
	for _, name := range []string{"/a", "\x00a"} {
		addr := socket.SockaddrUnix(name)
		for _, task := range []*socket.Task{one, two} {
			fd, err := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := task.Bind(fd, addr); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	if err := unix.Unlink(one.Net, "/b"); !errors.Is(err, errno.ENOENT) {
		t.Errorf("unlink: %v, want ENOENT", err)
	}
}

// TestCloseEndsBlockedCalls closes a descriptor with each blocking call
// inside.
func TestCloseEndsBlockedCalls(t *testing.T) {
	for name, c := range map[string]func(t *testing.T, task *socket.Task) (fd int, call func() error){
		"receive a stream": func(t *testing.T, task *socket.Task) (int, func() error) {
			a, _ := pair(t, task, socket.SOCK_STREAM)
			return a, func() error { _, err := task.Recv(a, make([]byte, 1), 0); return err }
		},
		"receive a datagram": func(t *testing.T, task *socket.Task) (int, func() error) {
			a, _ := pair(t, task, socket.SOCK_DGRAM)
			return a, func() error { _, err := task.Recv(a, make([]byte, 1), 0); return err }
		},
		"send": func(t *testing.T, task *socket.Task) (int, func() error) {
			a, _ := pair(t, task, socket.SOCK_STREAM)
			fill(task, a)
			return a, func() error { _, err := task.Send(a, make([]byte, 1), 0); return err }
		},
		"send to a full queue": func(t *testing.T, task *socket.Task) (int, func() error) {
			name := socket.SockaddrUnix("/full")
			b, _ := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
			a, _ := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
			if err := errors.Join(task.Bind(b, name), task.Connect(a, name)); err != nil {
				t.Fatal(err)
			}
			fill(task, a)
			return a, func() error { _, err := task.Send(a, make([]byte, 1), 0); return err }
		},
		"connect": func(t *testing.T, task *socket.Task) (int, func() error) {
			name := socket.SockaddrUnix("/busy")
			l, _ := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			first, _ := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			if err := errors.Join(task.Bind(l, name), task.Listen(l, 0), task.Connect(first, name)); err != nil {
				t.Fatal(err)
			}
			a, _ := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			return a, func() error { return task.Connect(a, name) }
		},
		"accept": func(t *testing.T, task *socket.Task) (int, func() error) {
			l, _ := task.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			if err := errors.Join(task.Bind(l, socket.SockaddrUnix("/idle")), task.Listen(l, 0)); err != nil {
				t.Fatal(err)
			}
			return l, func() error { _, _, err := task.Accept(l); return err }
		},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t)
			fd, call := c(t, task)
			got := make(chan error, 1)
			begun := make(chan struct{})
			go func() { close(begun); got <- call() }()
			<-begun
			if err := task.Close(fd); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-got:
				if err != errno.EBADF {
					t.Errorf("returned %v, want EBADF", err)
				}
			case <-time.After(patience):
				t.Fatal("did not return")
			}
		})
	}
}

func fill(task *socket.Task, fd int) {
	for err := error(nil); err == nil; {
		_, err = task.Send(fd, make([]byte, 1<<14), socket.MSG_DONTWAIT)
	}
}

// TestManySendersOneReceiver moves numbered datagrams from several sockets to
// one whose queue is short, and expects each sender's in order.
func TestManySendersOneReceiver(t *testing.T) {
	const senders, each = 8, 500
	task := newTask(t)
	name := socket.SockaddrUnix("\x00sink")
	sink, _ := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
	if err := task.Bind(sink, name); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for id := range senders {
		wg.Go(func() {
			fd, err := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer task.Close(fd)
			for n := range each {
				b := binary.BigEndian.AppendUint32([]byte{byte(id)}, uint32(n))
				if _, err := task.SendTo(fd, b, 0, name); err != nil {
					t.Errorf("sender %d: %v", id, err)
					return
				}
			}
		})
	}
	var next [senders]uint32
	b := make([]byte, 16)
	for range senders * each {
		n, err := task.Recv(sink, b, 0)
		if n != 5 || err != nil {
			t.Fatalf("received %d, %v", n, err)
		}
		if got := binary.BigEndian.Uint32(b[1:]); got != next[b[0]] {
			t.Fatalf("sender %d: got %d, want %d", b[0], got, next[b[0]])
		}
		next[b[0]]++
	}
	wg.Wait()
}

// TestStressRightsAndClose sends, receives, passes and closes at random from
// several goroutines; what is left at the end is counted by newTask.
func TestStressRightsAndClose(t *testing.T) {
	task := newTask(t)
	task.SetNoFile(4096)
	var wg sync.WaitGroup
	shared := [2]int{}
	shared[0], shared[1] = pair(t, task, socket.SOCK_SEQPACKET)
	for id := range 6 {
		wg.Go(func() {
			for n := range 300 {
				a, b := pair(t, task, []int{socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET}[n%3])
				m := socket.Msghdr{Iov: [][]byte{{'x'}}, Control: rights(a, b)}
				task.SendMsg(shared[n&1], &m, socket.MSG_DONTWAIT)
				m = socket.Msghdr{Iov: [][]byte{{'x'}}, Control: rights(b, shared[0])}
				task.SendMsg(a, &m, socket.MSG_DONTWAIT)
				task.Close(a)
				if id&1 == 0 {
					r := socket.Msghdr{Iov: [][]byte{make([]byte, 1)}, Control: make([]byte, 64)}
					task.RecvMsg(b, &r, socket.MSG_DONTWAIT|socket.MSG_PEEK)
					closeAll(task, &r)
					r.Flags = 0
					task.RecvMsg(shared[n&1], &r, socket.MSG_DONTWAIT)
					closeAll(task, &r)
				}
				task.Close(b)
			}
		})
	}
	wg.Wait()
}

// closeAll closes the descriptors that came with m.
func closeAll(task *socket.Task, m *socket.Msghdr) {
	c, _, ok, err := socket.NextCmsg(m.Control[:m.Controllen])
	if !ok || err != nil {
		return
	}
	for b := c.Data; len(b) >= 4; b = b[4:] {
		task.Close(int(binary.NativeEndian.Uint32(b)))
	}
}

func BenchmarkPingPong(b *testing.B) {
	for name, typ := range types {
		b.Run(name, func(b *testing.B) {
			task := newTask(b)
			x, y := pair(b, task, typ)
			buf, in := make([]byte, 64), make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				task.Send(x, buf, 0)
				task.Recv(y, in, 0)
			}
		})
	}
}

func BenchmarkBulk(b *testing.B) {
	task := newTask(b)
	x, y := pair(b, task, socket.SOCK_STREAM)
	const size = 1 << 20
	done := make(chan error, 1)
	go func() {
		in := make([]byte, 1<<17)
		for {
			n, err := task.Recv(y, in, 0)
			if n == 0 || err != nil {
				done <- err
				return
			}
		}
	}()
	buf := make([]byte, size)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := task.Send(x, buf, 0); err != nil {
			b.Fatal(err)
		}
	}
	task.Close(x)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// FuzzSendControl sends arbitrary control messages: each is refused, or sent
// and received, and nothing is left.
func FuzzSendControl(f *testing.F) {
	f.Add([]byte{})
	f.Add(rights(0, 1))
	f.Add(rights(0, -1))
	f.Add(append(rights(1), rights(0, 0, 0)...))
	f.Add(socket.AppendCmsg(nil, socket.SOL_SOCKET, socket.SCM_CREDENTIALS, socket.Ucred{Pid: 1}.Append(nil)))
	f.Add(socket.AppendCmsg(nil, 41, 50, make([]byte, 20)))
	f.Add(rights(0)[:17])
	f.Fuzz(func(t *testing.T, control []byte) {
		task := newTask(t)
		a, b := pair(t, task, socket.SOCK_DGRAM)
		task.SetSockOptInt(b, socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
		m := socket.Msghdr{Iov: [][]byte{{'x'}}, Control: control}
		_, sent := task.SendMsg(a, &m, 0)
		r := socket.Msghdr{Iov: [][]byte{make([]byte, 1)}, Control: make([]byte, len(control)%64)}
		n, err := task.RecvMsg(b, &r, socket.MSG_DONTWAIT)
		switch {
		case sent == nil && (n != 1 || err != nil):
			t.Errorf("sent, and received %d, %v", n, err)
		case sent != nil && err != errno.EAGAIN:
			t.Errorf("refused with %v, and received %d, %v", sent, n, err)
		}
		if r.Controllen > len(r.Control) {
			t.Errorf("%d bytes of control messages in %d", r.Controllen, len(r.Control))
		}
	})
}

// Example passes a message over a path.
func Example() {
	families.Register()
	st, _ := netdev.New(netdev.Config{})
	defer st.Close()
	task := socket.NewTask(st)
	defer task.Exit()
	name := socket.SockaddrUnix("/run/log")
	log, _ := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
	task.Bind(log, name)
	program, _ := task.Socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
	task.SendTo(program, []byte("started"), 0, name)
	b := make([]byte, 32)
	n, _, err := task.RecvFrom(log, b, 0)
	fmt.Println(string(b[:n]), err)
	// Output: started <nil>
}
