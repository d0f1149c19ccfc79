package inet_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
	"github.com/tamanet/tamanet/net/udp"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var newTask = sockettest.NewTask

// spy counts what a protocol is asked to send.
type spy struct {
	*udp.Proto
	sent atomic.Int32
}

func (p *spy) Name() string { return "SPY" }

func (p *spy) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	p.sent.Add(1)
	return p.Proto.SendMsg(sk, m, flags)
}

// entry is a protosw for a protocol number that nothing else has.
func entry(flags inet.ProtoSWFlags) (*inet.ProtoSW, *spy) {
	p := &spy{Proto: udp.Prot}
	return &inet.ProtoSW{Type: socket.SOCK_DGRAM, Protocol: 200, Prot: p, Ops: inet.DgramOps, Flags: flags}, p
}

func TestProtocolOfOnesOwn(t *testing.T) {
	task := newTask(t)
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 200); err != errno.EPROTONOSUPPORT {
		t.Fatalf("before: %v", err)
	}
	sw, p := entry(0)
	if err := inet.RegisterProtosw(sw); err != nil {
		t.Fatal(err)
	}
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.SendTo(fd, []byte("x"), 0, socket.SockaddrInet4([4]byte{127, 0, 0, 1}, 9)); err != nil {
		t.Fatal(err)
	}
	if p.sent.Load() != 1 {
		t.Error("the protocol did not see the message")
	}
	if v, _ := task.GetSockOptInt(fd, socket.SOL_SOCKET, socket.SO_PROTOCOL); v != 200 {
		t.Errorf("SO_PROTOCOL is %d", v)
	}
	if err := inet.UnregisterProtosw(sw); !errors.Is(err, errno.EBUSY) {
		t.Errorf("unregister with a socket open: %v, want EBUSY", err)
	}
	task.Close(fd)
	if err := inet.UnregisterProtosw(sw); err != nil {
		t.Fatal(err)
	}
	if err := inet.UnregisterProtosw(sw); !errors.Is(err, errno.ENOENT) {
		t.Errorf("unregister twice: %v, want ENOENT", err)
	}
}

func TestOverride(t *testing.T) {
	task := newTask(t)
	first, p1 := entry(0)
	second, p2 := entry(0)
	for _, sw := range []*inet.ProtoSW{first, second} {
		if err := inet.RegisterProtosw(sw); err != nil {
			t.Fatal(err)
		}
	}
	send := func() {
		fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 200)
		if err != nil {
			t.Fatal(err)
		}
		task.SendTo(fd, []byte("x"), 0, socket.SockaddrInet4([4]byte{127, 0, 0, 1}, 9))
		task.Close(fd)
	}
	send()
	if p1.sent.Load() != 0 || p2.sent.Load() != 1 {
		t.Errorf("first %d, second %d: the later entry must win", p1.sent.Load(), p2.sent.Load())
	}
	if err := inet.UnregisterProtosw(second); err != nil {
		t.Fatal(err)
	}
	send()
	if p1.sent.Load() != 1 {
		t.Error("the old behaviour did not return")
	}
	if err := inet.UnregisterProtosw(first); err != nil {
		t.Fatal(err)
	}
}

func TestPermanentStays(t *testing.T) {
	task := newTask(t)
	mine := &inet.ProtoSW{Type: socket.SOCK_STREAM, Protocol: socket.IPPROTO_TCP, Prot: tcp.Prot, Ops: inet.StreamOps}
	if err := inet.RegisterProtosw(mine); !errors.Is(err, errno.EPERM) {
		t.Errorf("overriding TCP: %v, want EPERM", err)
	}
	permanent, _ := entry(inet.INET_PROTOSW_PERMANENT)
	if err := inet.UnregisterProtosw(permanent); !errors.Is(err, errno.EPERM) {
		t.Errorf("removing a permanent entry: %v, want EPERM", err)
	}
	if err := inet.RegisterProtosw(&inet.ProtoSW{Type: socket.SOCK_MAX}); !errors.Is(err, errno.EINVAL) {
		t.Errorf("type outside the table: %v, want EINVAL", err)
	}
	// A wildcard does not take protocol 0 from a permanent entry.
	wild := &inet.ProtoSW{Type: socket.SOCK_STREAM, Prot: tcp.Prot, Ops: inet.StreamOps, Flags: inet.INET_PROTOSW_REUSE}
	if err := inet.RegisterProtosw(wild); err != nil {
		t.Fatal(err)
	}
	defer inet.UnregisterProtosw(wild)
	for protocol, want := range map[int]int{0: socket.IPPROTO_TCP, 77: 77} {
		fd, err := task.Socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := task.GetSockOptInt(fd, socket.SOL_SOCKET, socket.SO_PROTOCOL); v != want {
			t.Errorf("protocol %d became %d", protocol, v)
		}
		reuse, _ := task.GetSockOptInt(fd, socket.SOL_SOCKET, socket.SO_REUSEADDR)
		if (reuse != 0) != (protocol == 77) {
			t.Errorf("protocol %d: SO_REUSEADDR is %d", protocol, reuse)
		}
		task.Close(fd)
	}
}

func TestAcceptedSocketsHoldTheirEntry(t *testing.T) {
	task := newTask(t)
	sw := &inet.ProtoSW{Type: socket.SOCK_STREAM, Protocol: 201, Prot: tcp.Prot, Ops: inet.StreamOps}
	if err := inet.RegisterProtosw(sw); err != nil {
		t.Fatal(err)
	}
	make := func() int {
		fd, err := task.Socket(socket.AF_INET, socket.SOCK_STREAM, 201)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	l, c := make(), make()
	if err := task.Listen(l, 1); err != nil {
		t.Fatal(err)
	}
	addr, _ := task.GetSockName(l)
	if err := task.Connect(c, addr); err != nil {
		t.Fatal(err)
	}
	s, _, err := task.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	task.Close(l)
	task.Close(c)
	if err := inet.UnregisterProtosw(sw); !errors.Is(err, errno.EBUSY) {
		t.Errorf("with the accepted socket open: %v, want EBUSY", err)
	}
	task.Close(s)
	if err := inet.UnregisterProtosw(sw); err != nil {
		t.Errorf("with all closed: %v", err)
	}
}

func TestLoaderBringsAProtocol(t *testing.T) {
	task := newTask(t)
	sw, _ := entry(0)
	var asked []string
	socket.SetLoader(func(name string) {
		asked = append(asked, name)
		if name == "net-pf-2-proto-200" {
			inet.RegisterProtosw(sw)
		}
	})
	defer socket.SetLoader(nil)
	fd, err := task.Socket(socket.AF_INET, socket.SOCK_DGRAM, 200)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"net-pf-2-proto-200-type-2", "net-pf-2-proto-200"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	task.Close(fd)
	if err := inet.UnregisterProtosw(sw); err != nil {
		t.Fatal(err)
	}
}

func TestRawNeedsPrivilege(t *testing.T) {
	task := newTask(t)
	sw := &inet.ProtoSW{Type: socket.SOCK_RAW, Prot: udp.Prot, Ops: inet.DgramOps}
	if err := inet.RegisterProtosw(sw); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := inet.UnregisterProtosw(sw); err != nil {
			t.Error(err)
		}
	}()
	task.Caps &^= socket.CAP_NET_RAW
	if _, err := task.Socket(socket.AF_INET, socket.SOCK_RAW, 1); err != errno.EPERM {
		t.Errorf("%v, want EPERM", err)
	}
	s, err := task.Create(socket.AF_INET, socket.SOCK_RAW, 1, true)
	if err != nil {
		t.Fatalf("the kernel's own: %v", err)
	}
	s.Release()
}
