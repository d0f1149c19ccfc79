package stdnet

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/netdev"
)

// lossy drops percent of the frames.
type lossy struct {
	stack.LinkEndpoint
	mu      sync.Mutex
	rand    *rand.Rand
	percent int
}

func (l *lossy) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range pkts.AsSlice() {
		l.mu.Lock()
		lost := l.rand.Intn(100) < l.percent
		l.mu.Unlock()
		if lost {
			continue
		}
		var one stack.PacketBufferList
		one.PushBack(p)
		if _, err := l.LinkEndpoint.WritePackets(one); err != nil {
			return 0, err
		}
	}
	return pkts.Len(), nil
}

// cabled returns two networks, 192.0.2.1 and 192.0.2.2, joined by an Ethernet
// cable that loses percent of the frames.
func cabled(t testing.TB, percent int) (a, b *Network) {
	t.Helper()
	return joined(t, func(i int, end stack.LinkEndpoint) stack.LinkEndpoint {
		return &lossy{LinkEndpoint: end, rand: rand.New(rand.NewSource(int64(i))), percent: percent}
	})
}

// joined is cabled with the ends of the cable as impair makes them.
func joined(t testing.TB, impair func(i int, end stack.LinkEndpoint) stack.LinkEndpoint) (a, b *Network) {
	t.Helper()
	if err := families.Register(); err != nil {
		t.Fatal(err)
	}
	one, two := pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", 1514)
	nets := make([]*Network, 2)
	for i, end := range []stack.LinkEndpoint{one, two} {
		st, err := netdev.New(netdev.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(st.Close)
		link := impair(i, end)
		_, err = st.AddInterface(netdev.InterfaceConfig{
			Name:      "eth0",
			Link:      ethernet.New(link),
			Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 24)},
		})
		if err != nil {
			t.Fatal(err)
		}
		nets[i] = New(st)
	}
	return nets[0], nets[1]
}

// transfer sends size bytes from a to b over TCP and compares their sums.
func transfer(t testing.TB, a, b *Network, size int64) {
	t.Helper()
	l := listen(t, b, "tcp", syscall.AF_INET, "192.0.2.2")
	client, err := dial(t, a, "tcp", syscall.AF_INET, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(2 * time.Minute))
	}
	sent := sha256.New()
	errs := make(chan error, 1)
	go func() {
		source := io.TeeReader(io.LimitReader(rand.New(rand.NewSource(7)), size), sent)
		_, err := io.Copy(client, source)
		if err == nil {
			err = client.CloseWrite()
		}
		errs <- err
	}()
	received := sha256.New()
	n, err := io.Copy(received, server)
	if err != nil || n != size {
		t.Fatalf("received %d bytes of %d, %v", n, size, err)
	}
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if [32]byte(sent.Sum(nil)) != [32]byte(received.Sum(nil)) {
		t.Error("the data differs")
	}
}

func TestAcrossACable(t *testing.T) {
	a, b := cabled(t, 0)
	transfer(t, a, b, 8<<20)
	refused := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}
	if _, err := dial(t, a, "tcp", syscall.AF_INET, refused); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port that nobody listens on: %v", err)
	}
	for _, i := range a.task.Net.Interfaces() {
		if i.Name == "eth0" && (i.Counters.TxPackets == 0 || i.Counters.RxPackets == 0 || i.Counters.TxBytes < 8<<20) {
			t.Errorf("counters %+v", i.Counters)
		}
	}
}

func TestAcrossALossyCable(t *testing.T) {
	a, b := cabled(t, 1)
	transfer(t, a, b, 1<<20)
}

// TestDatagramsAcrossACable sends what fits a frame and what must be
// fragmented.
func TestDatagramsAcrossACable(t *testing.T) {
	a, b := cabled(t, 0)
	server := udpConn(t, b, "udp", syscall.AF_INET, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2)}, nil)
	client := udpConn(t, a, "udp", syscall.AF_INET, nil, server.LocalAddr())
	buf := make([]byte, 1<<16)
	for _, size := range []int{0, 1, 1472, 1473, 8192, 65507} {
		if _, err := client.Write(make([]byte, size)); err != nil {
			t.Fatalf("send %d: %v", size, err)
		}
		server.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := server.Read(buf); n != size || err != nil {
			t.Errorf("sent %d, received %d, %v", size, n, err)
		}
	}
}

// TestNobodyThere dials an address that no machine answers for.
func TestNobodyThere(t *testing.T) {
	a, _ := cabled(t, 0)
	nobody := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 77), Port: 80}
	if _, err := dial(t, a, "tcp", syscall.AF_INET, nobody); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("dial: %v, want EHOSTUNREACH", err)
	}
}
