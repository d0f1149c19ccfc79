package link_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
	"github.com/tamanet/tamanet/net/link"
)

// newQueues returns an endpoint over a virtio device with several pairs, and the device.
func newQueues(t *testing.T, pairs, queues int) (*link.Endpoint, *virtionettest.Net) {
	t.Helper()
	n := virtionettest.NewPairs(nic.MAC{2, 0, 0, 0, 0, 1}, 1500, 16, pairs).
		Offer(virtionet.FeatureGuestCsum | virtionet.FeatureCtrlVQ | virtionet.FeatureMQ)
	e, err := link.New(n.NewDriver(t), link.Options{Logf: t.Logf, Queues: queues})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		n.Stop(t)
	})
	return e, n
}

func TestQueuesUsed(t *testing.T) {
	for _, tc := range []struct{ pairs, asked, used int }{{4, 2, 2}, {2, 8, 2}, {1, 2, 1}, {4, 1, 1}} {
		if _, n := newQueues(t, tc.pairs, tc.asked); n.Pairs() != tc.used {
			t.Errorf("%d of %d pairs: device was told of %d, want %d", tc.asked, tc.pairs, n.Pairs(), tc.used)
		}
	}
}

// TestAFlowHasItsQueue: packets of a flow leave by the same pair, in order, and flows use all pairs.
func TestAFlowHasItsQueue(t *testing.T) {
	e, n := newQueues(t, 2, 2)
	flow := func(hash uint32, text string) *stack.PacketBuffer {
		pkt := packet(e, text)
		pkt.Hash = hash
		return pkt
	}
	var l stack.PacketBufferList
	for i := range 6 {
		l.PushBack(flow(uint32(2+i%2), fmt.Sprint(i)))
	}
	defer l.DecRef()
	if sent, err := e.WritePackets(l); sent != 6 || err != nil {
		t.Fatalf("WritePackets = %d, %v", sent, err)
	}
	for pair, want := range []string{"024", "135"} {
		got := ""
		n.Work(func() {
			for q := n.Queue(2*pair + 1); ; {
				c, ok, err := q.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				last := c.Out[len(c.Out)-1]
				got += string(last[len(last)-1])
			}
		})
		if got != want {
			t.Errorf("pair %d got packets %q, want %q", pair, got, want)
		}
	}
}

// TestFullQueueDoesNotHoldOthers: packets wait for their own pair only.
func TestFullQueueDoesNotHoldOthers(t *testing.T) {
	e, n := newQueues(t, 2, 2)
	send := func(hash uint32) tcpip.Error {
		pkt := packet(e, "x")
		pkt.Hash = hash
		var l stack.PacketBufferList
		l.PushBack(pkt)
		defer l.DecRef()
		_, err := e.WritePackets(l)
		return err
	}
	sent := uint64(0)
	for ; e.Stats().TxQueued < 3; sent++ {
		if err := send(1); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(2); err != nil || e.Stats().TxQueued != 3 {
		t.Errorf("a packet of another flow: %v, %+v", err, e.Stats())
	}
	n.Start(func([]byte) {})
	// Those that were notified of before the device was started are found by the next notification.
	for _, hash := range []uint32{1, 2} {
		if err := send(hash); err != nil {
			t.Fatal(err)
		}
	}
	for begin := time.Now(); e.Stats().TxPackets < sent+3; runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%d packets should leave: %+v", sent+3, e.Stats())
		}
	}
}

// TestVouchedSideBySide delivers packets by two pairs at once, some with checksums that need no look: what
// gVisor is told in each delivery is about that packet.
func TestVouchedSideBySide(t *testing.T) {
	e, n := newQueues(t, 2, 2)
	var busy, most, wrong, seen atomic.Int32
	e.Attach(dispatcherFunc(func(pkt *stack.PacketBuffer) {
		most.Store(max(most.Load(), busy.Add(1)))
		want := pkt.Data().AsRange().ToSlice()[header.IPv4MinimumSize] == 'G'
		for range 20 {
			runtime.Gosched()
			if got := e.Capabilities()&stack.CapabilityRXChecksumOffload != 0; got != want {
				wrong.Add(1)
			}
		}
		busy.Add(-1)
		seen.Add(1)
	}))
	n.Start(func([]byte) {})
	const each = 2000
	var wg sync.WaitGroup
	for pair := range 2 {
		wg.Go(func() {
			for i := range each {
				h, mark := virtionettest.Header{}, "B"
				if (i+pair)%3 != 0 {
					h.Flags, mark = virtionettest.DataValid, "G"
				}
				frame := ethernet(ourMAC, otherMAC, header.IPv4ProtocolNumber, string(ipv4Header(40))+mark+"123456789012345678901234567890123456789")
				for !n.DeliverTo(pair, h, frame) {
				}
			}
		})
	}
	wg.Wait()
	for begin := time.Now(); seen.Load() < 2*each && time.Since(begin) < time.Minute; runtime.Gosched() {
	}
	if wrong.Load() != 0 {
		t.Errorf("%d wrong answers", wrong.Load())
	}
	t.Logf("at most %d deliveries at a time", most.Load())
}
