package link_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
	"github.com/tamanet/tamanet/net/link"
)

// rig is an endpoint over virtionet and a fake device whose wire counts.
type rig struct {
	net      *virtionettest.Net
	ep       *link.Endpoint
	sent     atomic.Int64
	received atomic.Int64
}

func newRig(tb testing.TB) *rig {
	tb.Helper()
	withoutLeakCheck(tb)
	r := &rig{net: virtionettest.New(nic.MAC{2, 0, 0, 0, 0, 1}, 1500, 256)}
	var err error
	if r.ep, err = link.New(r.net.NewDriver(tb), link.Options{Logf: tb.Logf}); err != nil {
		tb.Fatal(err)
	}
	r.ep.Attach(dispatcherFunc(func(*stack.PacketBuffer) { r.received.Add(1) }))
	r.net.Start(func([]byte) { r.sent.Add(1) })
	tb.Cleanup(func() {
		r.ep.Close()
		r.net.Stop(tb)
	})
	return r
}

// reach waits until n has come to want.
func reach(tb testing.TB, n *atomic.Int64, want int64) {
	for begin := time.Now(); n.Load() < want; runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			tb.Fatalf("%d frames came through, want %d", n.Load(), want)
		}
	}
}

func TestFramesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector a sync.Pool drops some of what it is given")
	}
	r := newRig(t)
	frame := ethernet(ourMAC, otherMAC, protocol, string(make([]byte, 1000)))
	receive := func() {
		want := r.received.Load() + 1
		r.net.DeliverWait(frame)
		reach(t, &r.received, want)
	}
	var l stack.PacketBufferList
	l.PushBack(packet(r.ep, string(make([]byte, 1000))))
	defer l.DecRef()
	transmit := func() {
		want := r.sent.Load() + 1
		if _, err := r.ep.WritePackets(l); err != nil {
			t.Fatal(err)
		}
		reach(t, &r.sent, want)
	}
	long := sent{payload: make([]byte, 20000), pieces: 2, mss: 1460, flags: header.TCPFlagAck}
	var segments stack.PacketBufferList
	segments.PushBack(long.packet(r.ep))
	defer segments.DecRef()
	cut := func() {
		want := r.sent.Load() + 14
		if _, err := r.ep.WritePackets(segments); err != nil {
			t.Fatal(err)
		}
		reach(t, &r.sent, want)
	}
	for _, tc := range []struct {
		name string
		one  func()
	}{{"receive", receive}, {"transmit", transmit}, {"a long segment", cut}} {
		for range 1000 {
			tc.one()
		}
		if n := testing.AllocsPerRun(1000, tc.one); n >= 1 {
			t.Errorf("%s: %v allocations for a frame, want 0", tc.name, n)
		}
	}
}

// BenchmarkReceive takes frames from the ring to gVisor; the fake device's copy is in the
// figure.
func BenchmarkReceive(b *testing.B) {
	r := newRig(b)
	frame := ethernet(ourMAC, otherMAC, protocol, string(make([]byte, 1500)))
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	b.ResetTimer()
	for range b.N {
		r.net.DeliverWait(frame)
	}
	reach(b, &r.received, int64(b.N))
}

// BenchmarkTransmit takes packets from gVisor to the wire; the fake device's copy is in
// the figure.
func BenchmarkTransmit(b *testing.B) {
	r := newRig(b)
	var l stack.PacketBufferList
	l.PushBack(packet(r.ep, string(make([]byte, 1500))))
	defer l.DecRef()
	b.ReportAllocs()
	b.SetBytes(1514)
	b.ResetTimer()
	for range b.N {
		for {
			if _, err := r.ep.WritePackets(l); err == nil {
				break
			}
			runtime.Gosched()
		}
	}
	reach(b, &r.sent, int64(b.N))
}
