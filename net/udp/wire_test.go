package udp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/udp"
)

// A machine is a task on a network with eth0 beside lo.
type machine struct {
	*socket.Task
	st   *netdev.Stack
	four netip.Addr
	six  netip.Addr
}

func (m *machine) addr(family int, port uint16) socket.Sockaddr {
	if family == socket.AF_INET6 {
		return socket.SockaddrFrom(netip.AddrPortFrom(m.six, port))
	}
	return socket.SockaddrFrom(netip.AddrPortFrom(m.four, port))
}

// cabled returns two machines, joined by a cable for frames of 1514 bytes.
func cabled(t testing.TB) (a, b *machine) {
	t.Helper()
	const macA, macB = "\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02"
	one, two := pipe.New(macA, macB, 1514)
	var ms [2]*machine
	for i, end := range []stack.LinkEndpoint{one, two} {
		task := sockettest.NewTask(t)
		m := &machine{
			st: task.Net, Task: task,
			four: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}),
			six:  netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i + 1)}),
		}
		_, err := m.st.AddInterface(netdev.InterfaceConfig{
			Name: "eth0", Link: ethernet.New(end),
			Addresses: []netip.Prefix{netip.PrefixFrom(m.four, 24), netip.PrefixFrom(m.six, 64)},
		})
		if err != nil {
			t.Fatal(err)
		}
		ms[i] = m
	}
	for _, m := range ms {
		m.awaitAddress(t)
	}
	return ms[0], ms[1]
}

// awaitAddress waits until duplicate address detection has passed.
func (m *machine) awaitAddress(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		fd := m.open(t, socket.AF_INET6)
		err := m.Bind(fd, m.addr(socket.AF_INET6, 0))
		if err == nil {
			err = m.Connect(fd, m.addr(socket.AF_INET6, 9))
		}
		m.Close(fd)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v is not there: %v", m.six, err)
		}
	}
}

func (m *machine) open(t testing.TB, family int) int {
	t.Helper()
	fd, err := m.Socket(family, socket.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// bound returns a socket on a port of the machine's own address.
func (m *machine) bound(t testing.TB, family int) (int, socket.Sockaddr) {
	t.Helper()
	fd := m.open(t, family)
	if err := m.Bind(fd, m.addr(family, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := m.GetSockName(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, name
}

func (m *machine) set(t *testing.T, fd, level, name, v int) {
	t.Helper()
	if err := m.SetSockOpt(fd, level, name, binary.NativeEndian.AppendUint32(nil, uint32(v))); err != nil {
		t.Fatalf("setsockopt %d %d = %d: %v", level, name, v, err)
	}
}

// receives fails unless want comes in within seconds.
func (m *machine) receives(t *testing.T, fd int, want []byte) {
	t.Helper()
	if !m.await(fd) {
		t.Fatalf("%d bytes did not come", len(want))
	}
	got := make([]byte, 1<<16)
	n, _, err := m.RecvFrom(fd, got, socket.MSG_DONTWAIT)
	if err != nil || !bytes.Equal(got[:n], want) {
		t.Fatalf("received %d bytes, %v; want %d", n, err, len(want))
	}
}

func (m *machine) await(fd int) bool {
	p := []socket.PollFd{{Fd: fd, Events: socket.POLLIN}}
	n, err := m.Poll(p, 5*time.Second)
	return n == 1 && err == nil
}

var familyOf = map[string]int{"inet": socket.AF_INET, "inet6": socket.AF_INET6}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// TestOverTheWire sends datagrams of many lengths, fragmented ones among them,
// and reads what a receive tells about them.
func TestOverTheWire(t *testing.T) {
	for name, family := range familyOf {
		t.Run(name, func(t *testing.T) {
			a, b := cabled(t)
			from, _ := a.bound(t, family)
			to, addr := b.bound(t, family)
			for _, n := range []int{0, 1, 64, 1400, 1472, 1473, 9000, 65507} {
				if _, err := a.SendTo(from, pattern(n), 0, addr); err != nil {
					t.Fatalf("%d bytes: %v", n, err)
				}
				b.receives(t, to, pattern(n))
			}
			a.set(t, from, socket.SOL_IP, inet.IP_TTL, 33)
			b.set(t, to, socket.SOL_IP, inet.IP_RECVTTL, 1)
			if family == socket.AF_INET6 {
				a.set(t, from, socket.SOL_IPV6, inet.IPV6_UNICAST_HOPS, 33)
				b.set(t, to, socket.SOL_IPV6, inet.IPV6_RECVHOPLIMIT, 1)
			}
			a.SendTo(from, []byte("x"), 0, addr)
			b.await(to)
			m := socket.Msghdr{Iov: [][]byte{make([]byte, 8)}, Control: make([]byte, 64)}
			if _, err := b.RecvMsg(to, &m, socket.MSG_DONTWAIT); err != nil {
				t.Fatal(err)
			}
			c, _, ok, err := socket.NextCmsg(m.Control[:m.Controllen])
			if !ok || err != nil || binary.NativeEndian.Uint32(c.Data) != 33 {
				t.Errorf("told %+v, %v; want a TTL of 33", c, err)
			}
			if m.Name.IP() != a.addr(family, 0).IP() {
				t.Errorf("came from %v", m.Name)
			}
		})
	}
}

// TestMustNotFragment: a datagram longer than the MTU is EMSGSIZE where path
// MTU discovery wants that, and the error queue tells the MTU.
func TestMustNotFragment(t *testing.T) {
	a, b := cabled(t)
	for _, c := range []struct {
		name                       string
		family, level, opt, v, max int
	}{
		{"IP_MTU_DISCOVER", socket.AF_INET, socket.SOL_IP, inet.IP_MTU_DISCOVER, 2, 1472},
		{"IPV6_MTU_DISCOVER", socket.AF_INET6, socket.SOL_IPV6, inet.IPV6_MTU_DISCOVER, 3, 1452},
		{"IPV6_DONTFRAG", socket.AF_INET6, socket.SOL_IPV6, inet.IPV6_DONTFRAG, 1, 1452},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, _ := a.bound(t, c.family)
			to, addr := b.bound(t, c.family)
			a.set(t, from, c.level, c.opt, c.v)
			a.set(t, from, socket.SOL_IP, inet.IP_RECVERR, 1)
			if c.family == socket.AF_INET6 {
				a.set(t, from, socket.SOL_IPV6, inet.IPV6_RECVERR, 1)
			}
			if _, err := a.SendTo(from, pattern(c.max), 0, addr); err != nil {
				t.Fatalf("what fits: %v", err)
			}
			b.receives(t, to, pattern(c.max))
			if _, err := a.SendTo(from, pattern(c.max+1), 0, addr); err != errno.EMSGSIZE {
				t.Fatalf("a byte more: %v, want EMSGSIZE", err)
			}
			m := socket.Msghdr{Control: make([]byte, 128)}
			if _, err := a.RecvMsg(from, &m, socket.MSG_ERRQUEUE); err != nil {
				t.Fatalf("error queue: %v", err)
			}
			cm, _, ok, _ := socket.NextCmsg(m.Control[:m.Controllen])
			if !ok || binary.NativeEndian.Uint32(cm.Data[8:]) != 1500 {
				t.Errorf("ee_info of %x, want the MTU of 1500", cm.Data)
			}
		})
	}
}

// TestNoChecksumOverIPv6 sends without one; only who asks for it receives it.
func TestNoChecksumOverIPv6(t *testing.T) {
	a, b := cabled(t)
	from, _ := a.bound(t, socket.AF_INET6)
	to, addr := b.bound(t, socket.AF_INET6)
	a.set(t, from, socket.SOL_UDP, udp.UDP_NO_CHECK6_TX, 1)
	a.SendTo(from, []byte("refused"), 0, addr)
	deadline := time.Now().Add(5 * time.Second)
	for b.st.IP().Stats().UDP.ChecksumErrors.Value() == 0 {
		if time.Now().After(deadline) {
			t.Fatal("it was not refused for its checksum")
		}
		time.Sleep(time.Millisecond)
	}
	b.set(t, to, socket.SOL_UDP, udp.UDP_NO_CHECK6_RX, 1)
	a.SendTo(from, []byte("taken"), 0, addr)
	b.receives(t, to, []byte("taken"))
}

// TestFilterOverTheWire: a filter sees the datagram from its UDP header on.
func TestFilterOverTheWire(t *testing.T) {
	a, b := cabled(t)
	from, _ := a.bound(t, socket.AF_INET)
	to, addr := b.bound(t, socket.AF_INET)
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 8, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'y', SkipFalse: 1},
		bpf.RetConstant{Val: 8 + 3}, bpf.RetConstant{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.SetSockOpt(to, socket.SOL_SOCKET, socket.SO_ATTACH_FILTER, socket.AppendSockFilter(nil, prog...)); err != nil {
		t.Fatal(err)
	}
	a.SendTo(from, []byte("no"), 0, addr)
	a.SendTo(from, []byte("yes, and cut"), 0, addr)
	b.receives(t, to, []byte("yes"))
}

// TestBoundToDeviceLater: SO_BINDTODEVICE holds from when it is set, on a
// socket that is bound already.
func TestBoundToDeviceLater(t *testing.T) {
	a, b := cabled(t)
	from := a.open(t, socket.AF_INET)
	to := b.open(t, socket.AF_INET)
	if err := b.Bind(to, socket.SockaddrInet4([4]byte{}, 7798)); err != nil {
		t.Fatal(err)
	}
	device := func(name string) {
		if err := b.SetSockOpt(to, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	send := func(text string) {
		if _, err := a.SendTo(from, []byte(text), 0, b.addr(socket.AF_INET, 7798)); err != nil {
			t.Fatal(err)
		}
	}
	send("any") // and the neighbour is known: no datagram is late
	b.receives(t, to, []byte("any"))
	device("lo")
	send("not by lo")
	device("eth0")
	send("by eth0")
	b.receives(t, to, []byte("by eth0"))
}

// TestMulticastAllIPv6 is IPV6_MULTICAST_ALL: who is no member receives what
// was sent to a group of the machine's, unless it is off.
func TestMulticastAllIPv6(t *testing.T) {
	a, b := cabled(t)
	const port = 7799
	group := netip.MustParseAddr("ff02::77:77")
	mreq := binary.NativeEndian.AppendUint32(group.AsSlice(), uint32(b.st.InterfaceIndex("eth0")))
	var fds [3]int
	for i := range fds {
		fds[i] = b.open(t, socket.AF_INET6)
		b.set(t, fds[i], socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		if err := b.Bind(fds[i], socket.SockaddrInet6([16]byte{}, port, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.SetSockOpt(fds[0], socket.SOL_IPV6, inet.IPV6_ADD_MEMBERSHIP, mreq); err != nil {
		t.Fatal(err)
	}
	b.set(t, fds[2], socket.SOL_IPV6, inet.IPV6_MULTICAST_ALL, 0)
	from := a.open(t, socket.AF_INET6)
	to := socket.SockaddrInet6(group.As16(), port, uint32(a.st.InterfaceIndex("eth0")))
	if _, err := a.SendTo(from, []byte("to all"), 0, to); err != nil {
		t.Fatal(err)
	}
	b.receives(t, fds[0], []byte("to all"))
	b.receives(t, fds[1], []byte("to all"))
	if n, err := b.Recv(fds[2], make([]byte, 8), socket.MSG_DONTWAIT); err != errno.EAGAIN {
		t.Errorf("who wants only its own groups: %d, %v", n, err)
	}
}

// TestUnreachableOverTheWire: the peer's ICMP error is told, with where the
// datagram was to go.
func TestUnreachableOverTheWire(t *testing.T) {
	for name, family := range familyOf {
		t.Run(name, func(t *testing.T) {
			a, b := cabled(t)
			from, _ := a.bound(t, family)
			fd, nobody := b.bound(t, family)
			b.Close(fd)
			a.set(t, from, socket.SOL_IP, inet.IP_RECVERR, 1)
			if family == socket.AF_INET6 {
				a.set(t, from, socket.SOL_IPV6, inet.IPV6_RECVERR, 1)
			}
			if _, err := a.SendTo(from, []byte("hello?"), 0, nobody); err != nil {
				t.Fatal(err)
			}
			p := []socket.PollFd{{Fd: from}}
			if n, _ := a.Poll(p, 5*time.Second); n != 1 || p[0].Revents&socket.POLLERR == 0 {
				t.Fatalf("no error came: %#x", p[0].Revents)
			}
			m := socket.Msghdr{Iov: [][]byte{make([]byte, 16)}, Control: make([]byte, 128)}
			n, err := a.RecvMsg(from, &m, socket.MSG_ERRQUEUE)
			if err != nil || string(m.Iov[0][:n]) != "hello?" || m.Name != nobody {
				t.Errorf("queued %q to %v, %v; want what was sent to %v", m.Iov[0][:n], m.Name, err, nobody)
			}
		})
	}
}

// TestErrorQueueIsBounded: what nobody takes of the queued errors stays within
// SO_RCVBUF, and what is taken makes room.
func TestErrorQueueIsBounded(t *testing.T) {
	a, b := cabled(t)
	from, _ := a.bound(t, socket.AF_INET)
	a.set(t, from, socket.SOL_IP, inet.IP_RECVERR, 1)
	a.set(t, from, socket.SOL_IP, inet.IP_MTU_DISCOVER, inet.IP_PMTUDISC_WANT+1)
	a.set(t, from, socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
	refused := func() {
		if n, err := a.SendTo(from, make([]byte, 4000), 0, b.addr(socket.AF_INET, 9)); err != errno.EMSGSIZE {
			t.Fatalf("sent %d, %v, want EMSGSIZE", n, err)
		}
	}
	taken := func() (n int) {
		for {
			m := socket.Msghdr{Iov: [][]byte{make([]byte, 16)}, Control: make([]byte, 128)}
			if _, err := a.RecvMsg(from, &m, socket.MSG_ERRQUEUE); err != nil {
				return n
			}
			n++
		}
	}
	for range 2 {
		for range 1000 {
			refused()
		}
		// Linux takes 19 of them.
		if n := taken(); n < 15 || n > 25 {
			t.Errorf("%d errors were queued, want about 19", n)
		}
	}
	refused()
	if n := taken(); n != 1 {
		t.Errorf("%d errors were queued, want the one", n)
	}
}

// BenchmarkOverTheWire sends 64 bytes over a cable and receives them.
func BenchmarkOverTheWire(b *testing.B) {
	for _, connected := range []bool{false, true} {
		b.Run(fmt.Sprintf("connected=%v", connected), func(b *testing.B) {
			one, two := cabled(b)
			from, _ := one.bound(b, socket.AF_INET)
			to, addr := two.bound(b, socket.AF_INET)
			if connected {
				one.Connect(from, addr)
			}
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if connected {
					_, err = one.Send(from, buf, 0)
				} else {
					_, err = one.SendTo(from, buf, 0, addr)
				}
				if err == nil {
					_, err = two.Recv(to, buf, 0)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
