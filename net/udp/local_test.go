package udp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/netfilter"
	"github.com/tamanet/tamanet/net/socket"
)

// warm sends from one socket to another, so that the way between them is
// known.
func warm(t *testing.T, task *socket.Task, from, to int, addr socket.Sockaddr) {
	t.Helper()
	for range 3 {
		if _, err := task.SendTo(from, []byte("warm"), 0, addr); err != nil {
			t.Fatal(err)
		}
		if n, err := task.Recv(to, make([]byte, 8), socket.MSG_DONTWAIT); n != 4 || err != nil {
			t.Fatalf("received %d, %v", n, err)
		}
	}
}

// TestKnownWayIsForgotten changes what the way between two sockets depends
// on, after it was used.
func TestKnownWayIsForgotten(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, st *netdev.Stack)
		undo   func(st *netdev.Stack)
		arrive bool
	}{
		{"a filter refuses", func(_ *testing.T, st *netdev.Stack) {
			netfilter.SetInput(st, func(*netfilter.Packet) bool { return false })
		}, func(st *netdev.Stack) { netfilter.SetInput(st, nil) }, false},
		{"a filter accepts", func(_ *testing.T, st *netdev.Stack) {
			netfilter.SetInput(st, func(*netfilter.Packet) bool { return true })
		}, func(st *netdev.Stack) { netfilter.SetInput(st, nil) }, true},
		{"lo goes down", func(t *testing.T, st *netdev.Stack) {
			if err := st.SetUp(netdev.LoopbackIndex, false); err != nil {
				t.Fatal(err)
			}
		}, func(st *netdev.Stack) { st.SetUp(netdev.LoopbackIndex, true) }, false},
		{"the address goes", func(t *testing.T, st *netdev.Stack) {
			if err := st.RemoveAddress(netdev.LoopbackIndex, netip.MustParsePrefix("127.0.0.1/8")); err != nil {
				t.Fatal(err)
			}
		}, func(st *netdev.Stack) {
			st.AddAddress(netdev.LoopbackIndex, netip.MustParsePrefix("127.0.0.1/8"))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := newTask(t)
			from, to := openAny(t, task), openAny(t, task)
			name, _ := task.GetSockName(to)
			addr := loopback(socket.AF_INET, name.Port)
			warm(t, task, from, to, addr)
			c.change(t, task.Net)
			task.SendTo(from, []byte("changed"), socket.MSG_DONTWAIT, addr)
			if n, err := task.Recv(to, make([]byte, 8), socket.MSG_DONTWAIT); (err == nil) != c.arrive {
				t.Errorf("received %d, %v; want it to arrive: %v", n, err, c.arrive)
			}
			c.undo(task.Net)
			warm(t, task, from, to, addr)
		})
	}
}

// TestConnectionToAddressThatWent: a connected socket keeps its route, but
// where that leads is no longer this machine.
func TestConnectionToAddressThatWent(t *testing.T) {
	task := newTask(t)
	from, to := openAny(t, task), openAny(t, task)
	name, _ := task.GetSockName(to)
	if err := task.Connect(from, loopback(socket.AF_INET, name.Port)); err != nil {
		t.Fatal(err)
	}
	for _, there := range []bool{true, false} {
		task.Send(from, []byte("x"), socket.MSG_DONTWAIT)
		if n, err := task.Recv(to, make([]byte, 8), socket.MSG_DONTWAIT); (err == nil) != there {
			t.Errorf("the address is there: %v; received %d, %v", there, n, err)
		}
		task.Net.RemoveAddress(netdev.LoopbackIndex, netip.MustParsePrefix("127.0.0.1/8"))
	}
}

// openAny returns a socket on a port of every address.
func openAny(t *testing.T, task *socket.Task) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
	if err == nil {
		err = task.Bind(fd, socket.SockaddrInet4([4]byte{}, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestReceiveBufferIsBounded floods a socket: what it keeps stays within
// SO_RCVBUF, the first ones are kept, in order, and SO_RXQ_OVFL counts the
// rest.
func TestReceiveBufferIsBounded(t *testing.T) {
	const sent = 5000
	task := newTask(t)
	from, _ := bound(t, task, socket.AF_INET)
	to, addr := bound(t, task, socket.AF_INET)
	set := func(name, v int) {
		if err := task.SetSockOpt(to, socket.SOL_SOCKET, name, binary.NativeEndian.AppendUint32(nil, uint32(v))); err != nil {
			t.Fatal(err)
		}
	}
	set(socket.SO_RCVBUF, 32<<10)
	set(socket.SO_RXQ_OVFL, 1)
	for i := range sent {
		if _, err := task.SendTo(from, binary.BigEndian.AppendUint32(nil, uint32(i)), 0, addr); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	b := make([]byte, 8)
	for ; ; kept++ {
		n, err := task.Recv(to, b, socket.MSG_DONTWAIT)
		if err == errno.EAGAIN {
			break
		}
		if n != 4 || binary.BigEndian.Uint32(b) != uint32(kept) {
			t.Fatalf("datagram %d: %x, %v", kept, b[:n], err)
		}
	}
	// Each counts for 768 bytes at least, on Linux too.
	if kept == 0 || kept > 64<<10/768+1 {
		t.Errorf("kept %d datagrams of 4 bytes in a buffer of 64 KiB", kept)
	}
	task.SendTo(from, []byte("last"), 0, addr)
	m := socket.Msghdr{Iov: [][]byte{b}, Control: make([]byte, 64)}
	if _, err := task.RecvMsg(to, &m, socket.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
	c, _, ok, _ := socket.NextCmsg(m.Control[:m.Controllen])
	if !ok || binary.NativeEndian.Uint32(c.Data) != uint32(sent-kept) {
		t.Errorf("told of %x drops, want %d", c.Data, sent-kept)
	}
}

// TestLoopbackIsCounted: datagrams that take the short way are in lo's
// counters and in UDP's.
func TestLoopbackIsCounted(t *testing.T) {
	task := newTask(t)
	from, to := openAny(t, task), openAny(t, task)
	name, _ := task.GetSockName(to)
	before, _ := task.Net.InterfaceByIndex(netdev.LoopbackIndex)
	warm(t, task, from, to, loopback(socket.AF_INET, name.Port))
	after, _ := task.Net.InterfaceByIndex(netdev.LoopbackIndex)
	want := netdev.Counters{RxPackets: 3, RxBytes: 3 * 32, TxPackets: 3, TxBytes: 3 * 32}
	got := after.Counters
	got.RxPackets -= before.Counters.RxPackets
	got.RxBytes -= before.Counters.RxBytes
	got.TxPackets -= before.Counters.TxPackets
	got.TxBytes -= before.Counters.TxBytes
	if got != want {
		t.Errorf("lo counted %+v, want %+v", got, want)
	}
	if n := task.Net.IP().Stats().UDP.PacketsReceived.Value(); n != 3 {
		t.Errorf("UDP received %d, want 3", n)
	}
}

// TestAllAtOnce has many goroutines send, receive, connect, dissolve, close
// and bind at once. Whatever arrives is whole, and nothing is left waiting.
func TestAllAtOnce(t *testing.T) {
	task := newTask(t)
	task.SetNoFile(1 << 12)
	const ports, senders, rounds = 4, 4, 300
	var addrs [ports]socket.Sockaddr
	var fds [ports]atomic.Int64
	for i := range addrs {
		fd, addr := bound(t, task, socket.AF_INET)
		fds[i].Store(int64(fd))
		addrs[i] = addr
	}
	var work, receivers sync.WaitGroup
	var done atomic.Bool
	var received atomic.Int64
	for i := range fds {
		receivers.Add(1)
		go func() {
			defer receivers.Done()
			b := make([]byte, 4096)
			for !done.Load() {
				n, _, err := task.RecvFrom(int(fds[i].Load()), b, 0)
				if err == nil && n > 0 {
					received.Add(1)
					if !bytes.Equal(b[:n], bytes.Repeat(b[:1], n)) {
						t.Errorf("a datagram of %d bytes is not whole", n)
					}
				}
			}
		}()
	}
	for s := range senders {
		work.Add(1)
		go func() {
			defer work.Done()
			fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer task.Close(fd)
			for n := range rounds {
				b := bytes.Repeat([]byte{byte(n)}, 1+(n*37+s)%3000)
				switch n % 5 {
				case 0:
					task.Connect(fd, addrs[n%ports])
					task.Send(fd, b, 0)
				case 1:
					task.Connect(fd, socket.Sockaddr{Family: socket.AF_UNSPEC, Len: socket.SizeofSockaddrIn})
				default:
					task.SendTo(fd, b, 0, addrs[(n+s)%ports])
				}
			}
		}()
	}
	work.Add(1)
	go func() {
		defer work.Done()
		for n := range rounds / 10 {
			i := n % ports
			old := int(fds[i].Load())
			task.Close(old)
			fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
			for err == nil {
				if err = task.Bind(fd, addrs[i]); err != errno.EADDRINUSE {
					break
				}
				err = nil // the old one is still inside of a call
				time.Sleep(time.Millisecond)
			}
			if err != nil {
				t.Error(err)
			}
			fds[i].Store(int64(fd))
		}
	}()
	work.Wait()
	done.Store(true)
	for i := range fds {
		task.Close(int(fds[i].Load()))
	}
	receivers.Wait()
	if received.Load() == 0 {
		t.Error("nothing was received")
	}
}

// BenchmarkManyDestinations sends to more sockets in turn than an endpoint
// keeps ways to.
func BenchmarkManyDestinations(b *testing.B) {
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			task := newTask(b)
			from, _ := bound(b, task, socket.AF_INET)
			fds, addrs := make([]int, n), make([]socket.Sockaddr, n)
			for i := range fds {
				fds[i], addrs[i] = bound(b, task, socket.AF_INET)
			}
			buf := make([]byte, 64)
			b.ReportAllocs()
			for i := 0; b.Loop(); i = (i + 1) % n {
				if _, err := task.SendTo(from, buf, 0, addrs[i]); err != nil {
					b.Fatal(err)
				}
				if _, err := task.Recv(fds[i], buf, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
