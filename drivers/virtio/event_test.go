package virtio_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// eventRings are rings in which positions wrap at once, soon, and late.
var eventRings = []struct {
	size int
	ring virtio.Features
}{{1, 0}, {2, 0}, {256, 0}, {1, virtio.FeatureRingPacked}, {2, virtio.FeatureRingPacked}, {256, virtio.FeatureRingPacked}}

// TestEventIdxKick: the device is notified of the entry that it asked for, and of no other, in
// queues of any size and when the index wraps.
func TestEventIdxKick(t *testing.T) {
	for _, tc := range eventRings {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			d, q, dev := newQueueWith(t, tc.size, virtio.FeatureEventIdx|tc.ring)
			notified := 0
			d.OnNotify = func(int) { notified++ }
			one := func() {
				if _, err := q.Add([]virtio.Segment{out("x")}); err != nil {
					t.Fatal(err)
				}
				q.Kick()
				dev.Use(uint32(next(t, dev).Head), 0)
			}
			const total = 70000
			for i := range total {
				asks := i%3 == 0
				dev.SetNoNotify(!asks)
				dev.Publish()
				before := notified
				one()
				dev.Publish()
				if _, _, err := q.Pop(); err != nil {
					t.Fatal(err)
				}
				if (notified != before) != asks {
					t.Fatalf("entry %d: device asks %v, was notified %v", i, asks, notified != before)
				}
			}
			if s := q.Stats(); s.Kicks+s.KicksSaved != total {
				t.Errorf("%+v, want %d in all", s, total)
			}
		})
	}
}

// TestEventIdxInterrupts: interrupts come when they are asked for, and not when they are not.
func TestEventIdxInterrupts(t *testing.T) {
	for _, tc := range eventRings {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			d, q, dev := newQueueWith(t, tc.size, virtio.FeatureEventIdx|tc.ring)
			m := transport(t, d)
			for i := range 70000 {
				if _, err := q.Add([]virtio.Segment{out("x")}); err != nil {
					t.Fatal(err)
				}
				q.Kick()
				head := next(t, dev).Head
				on := i%3 == 0
				if !on {
					q.DisableInterrupts()
				} else if q.EnableInterrupts() {
					t.Fatal("EnableInterrupts finds what was not used")
				}
				if dev.NoInterrupt() == on {
					t.Fatalf("entry %d: device is asked not to interrupt: %v", i, !dev.NoInterrupt())
				}
				dev.Finish(uint32(head), 0)
				if raised := m.TakeInterrupt() != 0; raised != on {
					t.Fatalf("entry %d: interrupt %v, want %v", i, raised, on)
				}
				if !q.EnableInterrupts() {
					t.Fatal("EnableInterrupts does not see the used entry")
				}
				if _, _, err := q.Pop(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestEnableInterruptsLate: with event indices the interrupt comes with the last quarter of what the device
// has, and asking again in between changes nothing.
func TestEnableInterruptsLate(t *testing.T) {
	bothRings(t, func(t *testing.T, f virtio.Features) {
		d, q, dev := newQueueWith(t, 16, f|virtio.FeatureEventIdx)
		m, err := virtio.NewMMIO(d.Region())
		if err != nil {
			t.Fatal(err)
		}
		q.DisableInterrupts()
		for range 8 {
			if _, err := q.Add([]virtio.Segment{out("a")}); err != nil {
				t.Fatal(err)
			}
		}
		q.Kick()
		for i := range 8 {
			if q.EnableInterruptsLate() {
				t.Fatalf("chain %d: enough was used already", i)
			}
			c := next(t, dev)
			dev.Finish(uint32(c.Head), 0)
			if raised := m.TakeInterrupt() != 0; raised != (i == 6) {
				t.Errorf("chain %d: interrupt %v", i, raised)
			}
			if i == 6 {
				break
			}
			if _, _, err := q.Pop(); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := q.Pop(); err != nil {
			t.Fatal(err)
		}
		// Behind the event it is asked for anew.
		if q.EnableInterruptsLate() {
			t.Error("enough was used of one chain")
		}
		dev.Finish(uint32(next(t, dev).Head), 0)
		if m.TakeInterrupt() == 0 {
			t.Error("no interrupt for the last chain")
		}
	})
}

// TestPublish: what was published is the device's to see, which is notified when interrupts are switched on.
func TestPublish(t *testing.T) {
	bothRings(t, func(t *testing.T, f virtio.Features) {
		d, q, dev := newQueueWith(t, 4, f)
		notified := 0
		d.OnNotify = func(int) { notified++ }
		if _, err := q.Add([]virtio.Segment{out("a")}); err != nil {
			t.Fatal(err)
		}
		q.Publish()
		if n := dev.Available(); n != 1 || notified != 0 {
			t.Errorf("after Publish the device sees %d chains and was notified %d times, want 1 and 0", n, notified)
		}
		q.EnableInterrupts()
		q.Kick()
		if notified != 1 {
			t.Errorf("device was notified %d times, want once", notified)
		}
	})
}

// TestIndirect is about how many descriptors a chain takes, and what becomes of its memory.
func TestIndirect(t *testing.T) { bothRings(t, indirect) }

func indirect(t *testing.T, f virtio.Features) {
	d, q, dev := newQueueWith(t, 4, f|virtio.FeatureIndirectDesc)
	free := 4
	for _, tc := range []struct{ segs, takes int }{{1, 1}, {2, 1}, {3, 1}} {
		var segs []virtio.Segment
		for range tc.segs - 1 {
			segs = append(segs, out("ab"))
		}
		segs = append(segs, in(7))
		head, err := q.Add(segs)
		if err != nil {
			t.Fatal(err)
		}
		if free -= tc.takes; q.Free() != free {
			t.Errorf("%d segments: %d descriptors are left, want %d", tc.segs, q.Free(), free)
		}
		q.Kick()
		c := next(t, dev)
		if int(c.Head) != head || c.OutLen() != 2*(tc.segs-1) || len(c.In) != 1 || len(c.In[0]) != 7 {
			t.Errorf("%d segments: device got %+v", tc.segs, c)
		}
		defer func() {
			dev.Finish(uint32(head), 8)
			if _, n, err := q.Pop(); n != 0 || err != nil || q.Stats().BadLength == 0 {
				t.Errorf("%d segments: Pop of more than fits = %d, %v", tc.segs, n, err)
			}
			if m, _ := d.Mem.Live(); tc.segs == 1 && m != 0 {
				t.Errorf("%d mappings are left", m)
			}
		}()
	}
	// More segments than a table has room for need descriptors, of which there is one.
	if _, err := q.Add([]virtio.Segment{out("a"), out("b"), out("c"), out("d")}); err != virtio.ErrQueueFull {
		t.Errorf("Add of 4 segments = %v, want ErrQueueFull", err)
	}
	// What cannot be mapped leaves nothing behind.
	maps, _ := d.Mem.Live()
	if _, err := q.Add([]virtio.Segment{out("a"), {Bytes: []byte{}}}); !errors.Is(err, dma.ErrNotVisible) {
		t.Errorf("Add of nothing = %v, want ErrNotVisible", err)
	}
	if m, _ := d.Mem.Live(); m != maps || q.Free() != 1 {
		t.Errorf("%d mappings and %d descriptors after it, were %d and 1", m, q.Free(), maps)
	}
}
