package link_test

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/drivers/nic"
)

// TestUDPWriterIsWoken writes more than a socket's send buffer holds to a peer
// that never answers: the writer goes on only when its sent packets are released,
// of which no received frame reminds the driver.
func TestUDPWriterIsWoken(t *testing.T) {
	const size = 1400
	for _, tc := range []struct {
		name      string
		buffer    int
		datagrams int
	}{
		{"small buffer, a few frames in flight", 4 << 10, 200},
		{"buffer for half a ring", 64 << 10, 2000},
		{"buffer for more than a ring", 256 << 10, 2000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := newHost(t, 1, 1500, 256), newHost(t, 2, 1500, 256)
			connect(t, a, b, perfect)
			opt := tcpip.SendBufferSizeOption{Min: 4 << 10, Default: tc.buffer, Max: 1 << 20}
			if err := a.s.SetOption(opt); err != nil {
				t.Fatal(err)
			}
			// While ARP is under way gVisor keeps clones, which a socket's buffer does not
			// count, and drops the oldest.
			if err := a.s.AddStaticNeighbor(1, ipv4.ProtocolNumber, b.full(0).Addr, b.ep.LinkAddress()); err != nil {
				t.Fatal(err)
			}
			// A socket that nobody reads keeps the peer from sending ICMP errors.
			to := b.full(9)
			in, err := gonet.DialUDP(b.s, &to, nil, ipv4.ProtocolNumber)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			writeDatagrams(t, a, to, tc.datagrams, size)
			waitFor(t, "all datagrams to leave", func() bool { return a.ep.Stats().TxPackets >= uint64(tc.datagrams) })
			if s := a.ep.Stats(); s.TxQueueFull != 0 {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

// writeDatagrams writes n datagrams and waits for room as a socket layer does: it listens
// for room first and tries then. (gonet has it the other way round, and misses events.)
func writeDatagrams(t *testing.T, a *host, to tcpip.FullAddress, n, size int) {
	t.Helper()
	var wq waiter.Queue
	ep, err := a.s.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if err != nil {
		t.Fatal(err)
	}
	defer ep.Close()
	entry, writable := waiter.NewChannelEntry(waiter.WritableEvents)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	deadline := time.After(30 * time.Second)
	payload := make([]byte, size)
	for i := range n {
		for {
			_, err := ep.Write(bytes.NewReader(payload), tcpip.WriteOptions{To: &to})
			if err == nil {
				break
			}
			if !is[*tcpip.ErrWouldBlock](err) {
				t.Fatalf("datagram %d: %v", i, err)
			}
			select {
			case <-writable:
			case <-deadline:
				t.Fatalf("datagram %d: no room for 30 s: %+v", i, a.ep.Device().(nic.Statistics).Stats())
			}
		}
	}
}

// waitFor waits for what raises no event.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for begin := time.Now(); !cond(); runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("still waiting for %s", what)
		}
	}
}

// TestTCPSurvivesResets has both devices ask for a reset again and again during a transfer.
func TestTCPSurvivesResets(t *testing.T) {
	a, b := newHost(t, 1, 1500, 64), newHost(t, 2, 1500, 64)
	var frames atomic.Int64
	connect(t, a, b, func(frame []byte, send func([]byte) bool) {
		switch frames.Add(1) % 2000 {
		case 0:
			a.net.NeedReset()
		case 1000:
			b.net.NeedReset()
		}
		send(frame)
	})
	transfer(t, a, b, 8<<20)
	for _, h := range []*host{a, b} {
		if s := h.ep.Device().(nic.Statistics).Stats(); s.Resets == 0 || !h.ep.Link().Up {
			t.Errorf("link up %v, counters %+v, want resets", h.ep.Link().Up, s)
		}
	}
}
