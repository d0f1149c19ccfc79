package packet_test

import (
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/socket"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	patience  = 10 * time.Second
	etherType = 0x88b5 // for experiments (IEEE 802)
)

// macs are the two ends of a cable.
var macs = [2]string{"\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02"}

// cable returns tasks in two networks that an Ethernet joins, each with the
// interface eth0, index 2.
func cable(t testing.TB) (tasks [2]*socket.Task) {
	t.Helper()
	a, b := pipe.New(tcpip.LinkAddress(macs[0]), tcpip.LinkAddress(macs[1]), 1514)
	for i, end := range []*pipe.Endpoint{a, b} {
		tasks[i] = sockettest.NewTask(t)
		if _, err := tasks[i].Net.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: ethernet.New(end)}); err != nil {
			t.Fatal(err)
		}
	}
	return tasks
}

const eth0 = 2

func open(t testing.TB, task *socket.Task, typ int, protocol uint16) int {
	t.Helper()
	fd, err := task.Socket(socket.AF_PACKET, typ, packet.Htons(protocol))
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Bind(fd, packet.SockaddrLL{Ifindex: eth0, Protocol: protocol}.Sockaddr()); err != nil {
		t.Fatal(err)
	}
	return fd
}

func receive(t testing.TB, task *socket.Task, fd int) (string, packet.SockaddrLL) {
	t.Helper()
	p := []socket.PollFd{{Fd: fd, Events: socket.POLLIN}}
	if n, err := task.Poll(p, patience); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b := make([]byte, 2000)
	n, from, err := task.RecvFrom(fd, b, socket.MSG_DONTWAIT)
	if err != nil {
		t.Fatal(err)
	}
	a, err := packet.ParseSockaddrLL(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), a
}

// TestCookedToRaw sends by address and receives the frame, and the other way.
func TestCookedToRaw(t *testing.T) {
	tasks := cable(t)
	cooked, raw := open(t, tasks[0], socket.SOCK_DGRAM, etherType), open(t, tasks[1], socket.SOCK_RAW, etherType)
	to := packet.SockaddrLL{Ifindex: eth0, Protocol: etherType, Halen: 6}
	copy(to.Addr[:], macs[1])
	if _, err := tasks[0].SendTo(cooked, []byte("hello"), 0, to.Sockaddr()); err != nil {
		t.Fatal(err)
	}
	frame, from := receive(t, tasks[1], raw)
	if want := macs[1] + macs[0] + "\x88\xb5hello"; frame != want {
		t.Errorf("frame %x, want %x", frame, want)
	}
	want := packet.SockaddrLL{Ifindex: eth0, Protocol: etherType, Hatype: packet.ARPHRD_ETHER, Halen: 6}
	copy(want.Addr[:], macs[0])
	if from != want {
		t.Errorf("from %+v, want %+v", from, want)
	}
	if _, err := tasks[1].Send(raw, []byte(macs[0]+macs[1]+"\x88\xb5world"), 0); err != nil {
		t.Fatal(err)
	}
	if data, _ := receive(t, tasks[0], cooked); data != "world" {
		t.Errorf("data %q", data)
	}
	if _, err := tasks[0].Send(cooked, []byte("to nobody"), 0); err != errno.EINVAL {
		t.Errorf("without an address: %v, want EINVAL", err)
	}
	long := make([]byte, 1519)
	if _, err := tasks[1].Send(raw, long, 0); err != errno.EMSGSIZE {
		t.Errorf("too long: %v, want EMSGSIZE", err)
	}
}

// TestPromiscuousIsCounted joins twice and leaves by option and by close.
func TestPromiscuousIsCounted(t *testing.T) {
	task := cable(t)[0]
	promisc := func() bool {
		for _, i := range task.Net.Interfaces() {
			if i.Index == eth0 {
				return i.Flags&netdev.IFF_PROMISC != 0
			}
		}
		t.Fatal("no eth0")
		return false
	}
	mreq := make([]byte, 16)
	mreq[0], mreq[4] = eth0, packet.PACKET_MR_PROMISC
	a, b := open(t, task, socket.SOCK_RAW, etherType), open(t, task, socket.SOCK_RAW, etherType)
	for _, fd := range []int{a, a, b} {
		if err := task.SetSockOpt(fd, socket.SOL_PACKET, packet.PACKET_ADD_MEMBERSHIP, mreq); err != nil {
			t.Fatal(err)
		}
	}
	for i, leave := range []func() error{
		func() error { return task.SetSockOpt(a, socket.SOL_PACKET, packet.PACKET_DROP_MEMBERSHIP, mreq) },
		func() error { return task.Close(b) },
	} {
		if err := leave(); err != nil || !promisc() {
			t.Errorf("step %d: %v, promiscuous %v", i, err, promisc())
		}
	}
	if task.Close(a); promisc() {
		t.Error("still promiscuous")
	}
}

// TestBindWhileReceiving changes the binding while frames come in.
func TestBindWhileReceiving(t *testing.T) {
	tasks := cable(t)
	in, out := open(t, tasks[1], socket.SOCK_RAW, etherType), open(t, tasks[0], socket.SOCK_RAW, etherType)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				tasks[0].Send(out, []byte(macs[1]+macs[0]+"\x88\xb5x"), 0)
			}
		}
	})
	b := make([]byte, 100)
	for i := range 500 {
		a := packet.SockaddrLL{Ifindex: int32(i % 2 * eth0), Protocol: etherType}
		if err := tasks[1].Bind(in, a.Sockaddr()); err != nil {
			t.Fatal(err)
		}
		tasks[1].Recv(in, b, socket.MSG_DONTWAIT)
	}
	close(stop)
	wg.Wait()
}

// FuzzSockaddrLL reads arbitrary addresses; what is taken comes back.
func FuzzSockaddrLL(f *testing.F) {
	f.Add(packet.SockaddrLL{Ifindex: 1, Protocol: 3, Halen: 6}.Sockaddr().Append(nil))
	f.Add([]byte{17, 0})
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, err := socket.ParseSockaddr(b)
		if err != nil {
			return
		}
		a, err := packet.ParseSockaddrLL(addr)
		if err != nil {
			if err != errno.EINVAL {
				t.Fatal(err)
			}
			return
		}
		again, err := packet.ParseSockaddrLL(a.Sockaddr())
		if a.Halen <= 8 && (err != nil || again != a) {
			t.Fatalf("%+v came back as %+v, %v", a, again, err)
		}
	})
}
