package link_test

import (
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
	"github.com/tamanet/tamanet/net/link"
)

// host is a gVisor stack over link, virtionet and a fake device.
type host struct {
	net   *virtionettest.Net
	ep    *link.Endpoint
	s     *stack.Stack
	addr  netip.Addr
	proto tcpip.NetworkProtocolNumber
}

func newHost(tb testing.TB, n byte, mtu int, ring uint32) *host {
	tb.Helper()
	return newHostOver(tb, netip.AddrFrom4([4]byte{10, 9, 0, n}), mtu, ring, 0)
}

// newHostOver is newHost with an address of any kind, and a device that offers more.
func newHostOver(tb testing.TB, addr netip.Addr, mtu int, ring uint32, offered virtio.Features) *host {
	tb.Helper()
	return newHostWith(tb, addr, mtu, ring, offered, link.Options{})
}

// newHostWith is newHostOver with options of its endpoint.
func newHostWith(tb testing.TB, addr netip.Addr, mtu int, ring uint32, offered virtio.Features, o link.Options) *host {
	tb.Helper()
	b := addr.As16()
	h := &host{addr: addr, proto: ipv4.ProtocolNumber}
	if addr.Is6() {
		h.proto = ipv6.ProtocolNumber
	}
	h.net = virtionettest.New(nic.MAC{2, 0, 0, 0, 0, b[15]}, mtu, ring).Offer(offered)
	o.Logf = tb.Logf
	var err error
	if h.ep, err = link.New(h.net.NewDriver(tb), o); err != nil {
		tb.Fatal(err)
	}
	h.s = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := h.s.CreateNIC(1, h.ep); err != nil {
		tb.Fatal(err)
	}
	// With RACK, gVisor recovers from a burst that was lost by two segments each
	// timeout: of 25 runs of TestTCPSurvivesResets the slowest took 55 s, without it 1 s.
	recovery := tcpip.TCPRecovery(0)
	if err := h.s.SetTransportProtocolOption(tcp.ProtocolNumber, &recovery); err != nil {
		tb.Fatal(err)
	}
	on := tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(addr.AsSlice()), PrefixLen: addr.BitLen() - 8}
	if err := h.s.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: h.proto, AddressWithPrefix: on}, stack.AddressProperties{}); err != nil {
		tb.Fatal(err)
	}
	h.s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}, {Destination: header.IPv6EmptySubnet, NIC: 1}})
	return h
}

func (h *host) full(port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: 1, Addr: tcpip.AddrFromSlice(h.addr.AsSlice()), Port: port}
}

// connect joins two hosts back to back; wire may drop or change a frame on its way. When
// the test ends, both are torn down and nothing may be left of a packet.
func connect(tb testing.TB, a, b *host, wire func(frame []byte, send func([]byte) bool)) {
	tb.Helper()
	a.net.Start(func(f []byte) { wire(f, b.net.DeliverWait) })
	b.net.Start(func(f []byte) { wire(f, a.net.DeliverWait) })
	tb.Cleanup(func() {
		a.s.Destroy()
		b.s.Destroy()
		a.net.Stop(tb)
		b.net.Stop(tb)
	})
}

func perfect(frame []byte, send func([]byte) bool) { send(frame) }

// impaired loses and corrupts frames, the same ones of a sequence each time.
func impaired(seed uint64, loss, corrupt float64) func([]byte, func([]byte) bool) {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, seed))
	return func(frame []byte, send func([]byte) bool) {
		mu.Lock()
		x, bit := r.Float64(), r.IntN(len(frame)*8)
		mu.Unlock()
		if x < loss {
			return
		}
		if x < loss+corrupt {
			frame[bit/8] ^= 1 << (bit % 8)
		}
		send(frame)
	}
}

// transfer sends n pseudo-random bytes from a to b over TCP and compares what arrives.
func transfer(tb testing.TB, a, b *host, n int64) {
	tb.Helper()
	transferTo(tb, a, b, 80, n)
}

// transferTo is transfer to a port.
func transferTo(tb testing.TB, a, b *host, port uint16, n int64) {
	tb.Helper()
	l, err := gonet.ListenTCP(b.s, b.full(port), b.proto)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	type result struct {
		n   int64
		sum [32]byte
		err error
	}
	got := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- result{err: err}
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Minute))
		h := sha256.New()
		n, err := io.Copy(h, c)
		got <- result{n, [32]byte(h.Sum(nil)), err}
	}()

	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	c, err := gonet.DialContextTCP(ctx, a.s, b.full(port), b.proto)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	want := sha256.New()
	src := io.LimitReader(rand.NewChaCha8([32]byte{1}), n)
	if _, err := io.Copy(io.MultiWriter(c, want), src); err != nil {
		tb.Fatalf("send: %v", err)
	}
	if err := c.CloseWrite(); err != nil {
		tb.Fatal(err)
	}
	r := <-got
	if r.err != nil || r.n != n || r.sum != [32]byte(want.Sum(nil)) {
		tb.Fatalf("received %d of %d bytes, SHA-256 %x, want %x: %v", r.n, n, r.sum, want.Sum(nil), r.err)
	}
}

func TestTCP(t *testing.T) {
	const MiB = 1 << 20
	for _, tc := range []struct {
		name string
		size int64
		mtu  int
		ring uint32
		wire func([]byte, func([]byte) bool)
	}{
		{"64 MiB", 64 * MiB, 1500, 256, perfect},
		{"64 MiB with 0.1% lost and 0.1% corrupted", 64 * MiB, 1500, 256, impaired(1, 0.001, 0.001)},
		{"tiny rings", 4 * MiB, 1500, 8, perfect},
		{"jumbo frames", 16 * MiB, 9000, 256, perfect},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := newHost(t, 1, tc.mtu, tc.ring), newHost(t, 2, tc.mtu, tc.ring)
			connect(t, a, b, tc.wire)
			start := time.Now()
			transfer(t, a, b, tc.size)
			t.Logf("%.0f Mbit/s", float64(tc.size)*8/1e6/time.Since(start).Seconds())
			t.Logf("sender: %+v %+v", a.ep.Stats(), a.ep.Device().(nic.Statistics).Stats())
			t.Logf("receiver: %+v %+v", b.ep.Stats(), b.ep.Device().(nic.Statistics).Stats())
		})
	}
}
