package virtio_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
)

// newQueue returns both sides of a live queue.
func newQueue(t testing.TB, size int) (*virtiotest.Device, *virtio.Queue, *virtiotest.Queue) {
	t.Helper()
	return newQueueWith(t, size, 0)
}

// ringFeatures are the combinations of features that change how a queue works.
var ringFeatures = map[string]virtio.Features{
	"plain":         0,
	"event indices": virtio.FeatureEventIdx,
	"indirect":      virtio.FeatureIndirectDesc,
	"both":          virtio.FeatureEventIdx | virtio.FeatureIndirectDesc,

	"packed":                          virtio.FeatureRingPacked,
	"packed, event indices":           virtio.FeatureRingPacked | virtio.FeatureEventIdx,
	"packed, indirect":                virtio.FeatureRingPacked | virtio.FeatureIndirectDesc,
	"packed, event indices, indirect": virtio.FeatureRingPacked | virtio.FeatureEventIdx | virtio.FeatureIndirectDesc,
}

// eachRing runs a test with every combination.
func eachRing(t *testing.T, test func(t *testing.T, f virtio.Features)) {
	for name, f := range ringFeatures {
		t.Run(name, func(t *testing.T) { test(t, f) })
	}
}

// bothRings runs a test with a split and with a packed ring.
func bothRings(t *testing.T, test func(t *testing.T, f virtio.Features)) {
	for _, name := range []string{"plain", "packed"} {
		t.Run(name, func(t *testing.T) { test(t, ringFeatures[name]) })
	}
}

// newQueueWith is newQueue with features negotiated, and tables for 3 segments.
func newQueueWith(t testing.TB, size int, f virtio.Features) (*virtiotest.Device, *virtio.Queue, *virtiotest.Queue) {
	t.Helper()
	d := virtiotest.New(virtio.DeviceNet, 1, uint32(size))
	d.Offered |= f
	m := transport(t, d)
	if _, err := virtio.Negotiate(m, f); err != nil {
		t.Fatal(err)
	}
	q, err := virtio.NewQueue(m, d.Mem, 0, size, f)
	if err != nil {
		t.Fatal(err)
	}
	if f.Has(virtio.FeatureIndirectDesc) {
		if err := q.UseIndirect(3); err != nil {
			t.Fatal(err)
		}
	}
	virtio.Run(m)
	return d, q, d.Queue(0)
}

// next takes the next chain on the device's side.
func next(t testing.TB, q *virtiotest.Queue) *virtiotest.Chain {
	t.Helper()
	c, ok, err := q.Next()
	if err != nil || !ok {
		t.Fatalf("device finds no chain: %v", err)
	}
	return c
}

func out(s string) virtio.Segment { return virtio.Segment{Bytes: []byte(s)} }
func in(n int) virtio.Segment {
	return virtio.Segment{Bytes: make([]byte, n), Dir: dma.FromDevice}
}

func TestQueueSize(t *testing.T) {
	for _, tc := range []struct {
		max  uint32
		want int
		size int
	}{
		{256, 256, 256}, {256, 100, 64}, {100, 256, 64}, {1024, 256, 256}, {1, 256, 1},
		{0xffffffff, 1 << 20, 32768}, {0, 256, 0}, {256, 0, 0}, {0x80000000, 8, 8},
	} {
		d := virtiotest.New(virtio.DeviceNet, 1, tc.max)
		m := transport(t, d)
		if _, err := virtio.Negotiate(m, 0); err != nil {
			t.Fatal(err)
		}
		q, err := virtio.NewQueue(m, d.Mem, 0, tc.want, 0)
		if tc.size == 0 {
			if !errors.Is(err, virtio.ErrQueue) {
				t.Errorf("max %d, want %d: %v, want ErrQueue", tc.max, tc.want, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("max %d, want %d: %v", tc.max, tc.want, err)
		} else if q.Size() != tc.size {
			t.Errorf("max %d, want %d: size %d, want %d", tc.max, tc.want, q.Size(), tc.size)
		}
	}
}

func TestNewQueueGivesMemoryBackWhenRefused(t *testing.T) {
	d := virtiotest.New(virtio.DeviceNet, 1, 8)
	d.RefuseQueues = true
	m := transport(t, d)
	if _, err := virtio.Negotiate(m, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := virtio.NewQueue(m, d.Mem, 0, 8, 0); !errors.Is(err, virtio.ErrQueue) {
		t.Errorf("error is %v, want ErrQueue", err)
	}
	if _, blocks := d.Mem.Live(); blocks != 0 {
		t.Errorf("%d blocks are still allocated", blocks)
	}
}

func TestQueueRoundTrip(t *testing.T) { eachRing(t, queueRoundTrip) }

func queueRoundTrip(t *testing.T, f virtio.Features) {
	d, q, dev := newQueueWith(t, 8, f)
	reply := in(16)
	head, err := q.Add([]virtio.Segment{out("ab"), out("cde"), reply})
	if err != nil {
		t.Fatal(err)
	}
	if dev.Available() != 0 {
		t.Error("device sees the chain before Kick")
	}
	q.Kick()
	c := next(t, dev)
	if int(c.Head) != head || !bytes.Equal(bytes.Join(c.Out, nil), []byte("abcde")) || len(c.In) != 1 || len(c.In[0]) != 16 {
		t.Fatalf("device got %+v", c)
	}
	copy(c.In[0], "reply")
	if _, _, err := q.Pop(); err != virtio.ErrQueueEmpty {
		t.Errorf("Pop before use = %v, want ErrQueueEmpty", err)
	}
	dev.Finish(uint32(c.Head), 5)
	h, n, err := q.Pop()
	if h != head || n != 5 || err != nil || string(reply.Bytes[:n]) != "reply" {
		t.Errorf("Pop = %d, %d, %v, %q", h, n, err, reply.Bytes[:n])
	}
	if q.Free() != 8 || q.InFlight() != 0 {
		t.Errorf("%d free, %d in flight, want 8 and 0", q.Free(), q.InFlight())
	}
	if m, _ := d.Mem.Live(); m != 0 {
		t.Errorf("%d mappings are left", m)
	}
}

// TestQueueWraps runs the 16-bit indices round more than once, in random order of use and
// with chains of random length, and checks that no descriptor is lost or used twice.
func TestQueueWraps(t *testing.T) { eachRing(t, queueWraps) }

func queueWraps(t *testing.T, f virtio.Features) {
	d, q, dev := newQueueWith(t, 16, f)
	r := rand.New(rand.NewPCG(1, 2))
	held := map[int]byte{} // by head: the byte that the device is to see
	var taken []uint32
	added := 0
	for i := range 150_000 {
		tag := byte(i)
		segs := make([]virtio.Segment, 1+r.IntN(4))
		for j := range segs {
			segs[j] = virtio.Segment{Bytes: []byte{tag, byte(j)}}
		}
		head, err := q.Add(segs)
		switch {
		case err == nil:
			if _, twice := held[head]; twice {
				t.Fatalf("head %d is given out twice", head)
			}
			held[head] = tag
			added++
		case err != virtio.ErrQueueFull || q.Free() >= len(segs):
			t.Fatalf("Add of %d with %d free: %v", len(segs), q.Free(), err)
		}
		q.Kick()
		for dev.Available() > 0 {
			c := next(t, dev)
			for j, b := range c.Out {
				if b[0] != held[int(c.Head)] || b[1] != byte(j) {
					t.Fatalf("device reads %v in part %d of chain %d, want %d", b, j, c.Head, held[int(c.Head)])
				}
			}
			taken = append(taken, uint32(c.Head))
		}
		r.Shuffle(len(taken), func(i, j int) { taken[i], taken[j] = taken[j], taken[i] })
		for len(taken) > 0 && r.IntN(3) > 0 {
			dev.Finish(taken[0], 0)
			taken = taken[1:]
			h, _, err := q.Pop()
			if _, ok := held[h]; err != nil || !ok {
				t.Fatalf("Pop = %d, %v, held %v", h, err, held)
			}
			delete(held, h)
		}
	}
	if added < 2<<16 {
		t.Errorf("only %d chains were added: the indices did not wrap twice", added)
	}
	for _, id := range taken {
		dev.Finish(id, 0)
		if _, _, err := q.Pop(); err != nil {
			t.Fatal(err)
		}
	}
	if m, _ := d.Mem.Live(); m != 0 || q.Free() != 16 {
		t.Errorf("%d mappings and %d free descriptors in the end, want 0 and 16", m, q.Free())
	}
}

func TestQueueFull(t *testing.T) { bothRings(t, queueFull) }

func queueFull(t *testing.T, f virtio.Features) {
	_, q, dev := newQueueWith(t, 4, f)
	for range 2 {
		if _, err := q.Add([]virtio.Segment{out("x"), out("y")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Add([]virtio.Segment{out("z")}); err != virtio.ErrQueueFull {
		t.Errorf("Add to a full queue = %v", err)
	}
	q.Kick()
	c := next(t, dev)
	dev.Finish(uint32(c.Head), 0)
	if _, _, err := q.Pop(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Add([]virtio.Segment{out("1"), out("2"), out("3")}); err != virtio.ErrQueueFull {
		t.Errorf("Add of 3 with 2 free = %v", err)
	}
	if _, err := q.Add([]virtio.Segment{out("1"), out("2")}); err != nil {
		t.Errorf("Add of 2 with 2 free = %v", err)
	}
}

func TestAddUndoesMappings(t *testing.T) { eachRing(t, addUndoesMappings) }

func addUndoesMappings(t *testing.T, f virtio.Features) {
	d, q, _ := newQueueWith(t, 8, f)
	unmappable := virtio.Segment{Bytes: make([]byte, 1<<20)}
	if _, err := q.Add([]virtio.Segment{out("a"), out("b"), unmappable}); !errors.Is(err, dma.ErrNotVisible) {
		t.Fatalf("Add = %v, want ErrNotVisible", err)
	}
	if m, _ := d.Mem.Live(); m != 0 || q.Free() != 8 {
		t.Errorf("%d mappings, %d free, want 0 and 8", m, q.Free())
	}
	if _, err := q.Add([]virtio.Segment{out("a"), out("b"), out("c")}); err != nil {
		t.Errorf("Add after it = %v", err)
	}
}

// Which ring a case is about.
const (
	packed = virtio.FeatureRingPacked
	split  = ^packed
)

func TestHostileUsedRing(t *testing.T) { bothRings(t, hostileUsedRing) }

func hostileUsedRing(t *testing.T, f virtio.Features) {
	for _, tc := range []struct {
		name string
		do   func(dev *virtiotest.Queue, head uint32)
		// len is what Pop returns, -1 when it must fail.
		len int
		// only is a ring that has what is done at all, 0 for both.
		only virtio.Features
		stat func(virtio.QueueStats) uint64
	}{
		{"id outside the table", func(q *virtiotest.Queue, h uint32) { q.Finish(8, 0) }, -1, 0, func(s virtio.QueueStats) uint64 { return s.BadUsed }},
		{"huge id", func(q *virtiotest.Queue, h uint32) { q.Finish(0xffffffff, 0) }, -1, split, func(s virtio.QueueStats) uint64 { return s.BadUsed }},
		{"id whose low bits are right", func(q *virtiotest.Queue, h uint32) { q.Finish(h|1<<16, 0) }, -1, split, func(s virtio.QueueStats) uint64 { return s.BadUsed }},
		{"free descriptor", func(q *virtiotest.Queue, h uint32) { q.Finish(h+5, 0) }, -1, 0, func(s virtio.QueueStats) uint64 { return s.BadUsed }},
		{"second descriptor of a chain", func(q *virtiotest.Queue, h uint32) { q.Finish(h+1, 0) }, -1, 0, func(s virtio.QueueStats) uint64 { return s.BadUsed }},
		{"index too far ahead", func(q *virtiotest.Queue, h uint32) { q.Skip(3); q.Publish() }, -1, split, func(s virtio.QueueStats) uint64 { return s.BadIndex }},
		{"index behind", func(q *virtiotest.Queue, h uint32) { q.Skip(-1); q.Publish() }, -1, split, func(s virtio.QueueStats) uint64 { return s.BadIndex }},
		{"largest id", func(q *virtiotest.Queue, h uint32) { q.Finish(0xffff, 0) }, -1, packed, func(s virtio.QueueStats) uint64 { return s.BadUsed }},
		{"length beyond the buffer", func(q *virtiotest.Queue, h uint32) { q.Finish(h, 65) }, 0, 0, func(s virtio.QueueStats) uint64 { return s.BadLength }},
		{"length that is negative as an int32", func(q *virtiotest.Queue, h uint32) { q.Finish(h, 0xffffffff) }, 0, 0, func(s virtio.QueueStats) uint64 { return s.BadLength }},
		{"length of the whole buffer", func(q *virtiotest.Queue, h uint32) { q.Finish(h, 64) }, 64, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.only == packed && f == 0 || tc.only == split && f != 0 {
				t.Skip("not in such a ring")
			}
			d, q, dev := newQueueWith(t, 8, f)
			for range 2 {
				if _, err := q.Add([]virtio.Segment{out("header"), in(64)}); err != nil {
					t.Fatal(err)
				}
			}
			q.Kick()
			tc.do(dev, uint32(next(t, dev).Head))
			_, n, err := q.Pop()
			if tc.len < 0 {
				if !errors.Is(err, virtio.ErrRing) || !errors.Is(q.Broken(), virtio.ErrRing) {
					t.Fatalf("Pop = %v, Broken %v, want ErrRing", err, q.Broken())
				}
				if _, _, again := q.Pop(); !errors.Is(again, virtio.ErrRing) {
					t.Errorf("the next Pop = %v, want ErrRing until the queue is drained", again)
				}
				if _, err := q.Add([]virtio.Segment{out("x")}); !errors.Is(err, virtio.ErrRing) {
					t.Errorf("Add = %v, want ErrRing", err)
				}
			} else if err != nil || n != tc.len {
				t.Fatalf("Pop = %d, %v, want %d", n, err, tc.len)
			}
			if tc.stat != nil && tc.stat(q.Stats()) != 1 {
				t.Errorf("counters are %+v", q.Stats())
			}
			drained := 0
			q.Drain(func(int) { drained++ })
			if m, _ := d.Mem.Live(); m != 0 || q.Free() != 8 || q.InFlight() != 0 || q.Broken() != nil {
				t.Errorf("after Drain of %d: %d mappings, %d free, %d in flight, %v", drained, m, q.Free(), q.InFlight(), q.Broken())
			}
		})
	}
}

func TestSameChainUsedTwice(t *testing.T) { eachRing(t, sameChainUsedTwice) }

func sameChainUsedTwice(t *testing.T, f virtio.Features) {
	_, q, dev := newQueueWith(t, 8, f)
	for range 2 {
		q.Add([]virtio.Segment{out("x")})
	}
	q.Kick()
	h := uint32(next(t, dev).Head)
	dev.Finish(h, 0)
	dev.Finish(h, 0)
	if _, _, err := q.Pop(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := q.Pop(); !errors.Is(err, virtio.ErrRing) {
		t.Errorf("second use of chain %d = %v, want ErrRing", h, err)
	}
}

func TestNotificationSuppression(t *testing.T) { eachRing(t, notificationSuppression) }

func notificationSuppression(t *testing.T, f virtio.Features) {
	d, q, dev := newQueueWith(t, 8, f)
	notified := 0
	d.OnNotify = func(int) { notified++ }
	add := func() {
		if _, err := q.Add([]virtio.Segment{out("x")}); err != nil {
			t.Fatal(err)
		}
	}
	q.Kick()
	if notified != 0 {
		t.Error("Kick without anything new notifies")
	}
	add()
	add()
	q.Kick()
	q.Kick()
	if notified != 1 {
		t.Errorf("%d notifications for two chains, want 1", notified)
	}
	dev.SetNoNotify(true)
	dev.Publish()
	add()
	q.Kick()
	if s := q.Stats(); notified != 1 || s.Kicks != 1 || s.KicksSaved != 1 || dev.Available() != 3 {
		t.Errorf("with NO_NOTIFY: %d notifications, %+v, %d available", notified, s, dev.Available())
	}
}

func TestInterruptSuppression(t *testing.T) { eachRing(t, interruptSuppression) }

func interruptSuppression(t *testing.T, f virtio.Features) {
	d, q, dev := newQueueWith(t, 8, f)
	for range 3 {
		q.Add([]virtio.Segment{out("x")})
	}
	q.Kick()
	q.DisableInterrupts()
	dev.Finish(uint32(next(t, dev).Head), 0)
	if d.Line.Pending() {
		t.Error("interrupt in spite of NO_INTERRUPT")
	}
	if dev.Available() != 2 {
		t.Errorf("changing the flag changed the index: %d available", dev.Available())
	}
	if !q.EnableInterrupts() {
		t.Error("EnableInterrupts does not see what was used meanwhile")
	}
	q.Pop()
	if q.EnableInterrupts() {
		t.Error("EnableInterrupts sees something in an empty ring")
	}
	dev.Finish(uint32(next(t, dev).Head), 0)
	if !d.Line.Pending() {
		t.Error("no interrupt after EnableInterrupts")
	}
}

func TestEnableAfterReset(t *testing.T) { eachRing(t, enableAfterReset) }

func enableAfterReset(t *testing.T, f virtio.Features) {
	d, q, dev := newQueueWith(t, 8, f)
	m := transport(t, d)
	q.Add([]virtio.Segment{out("lost"), in(8)})
	q.Kick()
	next(t, dev)
	if _, err := virtio.Negotiate(m, f); err != nil {
		t.Fatal(err)
	}
	q.Drain(func(int) {})
	if err := q.Enable(); err != nil {
		t.Fatal(err)
	}
	virtio.Run(m)
	if _, err := q.Add([]virtio.Segment{out("again")}); err != nil {
		t.Fatal(err)
	}
	q.Kick()
	if c := next(t, dev); string(c.Out[0]) != "again" {
		t.Errorf("device got %q", c.Out)
	}
	q.Drain(func(int) {})
	virtio.Negotiate(m, f)
	d.QueueMax[0] = 4
	if err := q.Enable(); !errors.Is(err, virtio.ErrQueue) {
		t.Errorf("Enable on a device with less room = %v, want ErrQueue", err)
	}
}

func TestQueueDoesNotAllocate(t *testing.T) { eachRing(t, queueDoesNotAllocate) }

func queueDoesNotAllocate(t *testing.T, f virtio.Features) {
	_, q, dev := newQueueWith(t, 8, f)
	segs := []virtio.Segment{{Bytes: make([]byte, 54)}, {Bytes: make([]byte, 1446)}}
	if n := testing.AllocsPerRun(1000, func() {
		q.Add(segs)
		q.Kick()
		c, _, _ := dev.Next()
		dev.Finish(uint32(c.Head), 0)
		if _, _, err := q.Pop(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a chain, want 0", n)
	}
}

// TestNothingUsed: Pop finds nothing in what an earlier round of the ring has left behind.
func TestNothingUsed(t *testing.T) { eachRing(t, nothingUsed) }

func nothingUsed(t *testing.T, f virtio.Features) {
	_, q, dev := newQueueWith(t, 4, f)
	nothing := func(when string, round int) {
		t.Helper()
		if _, _, err := q.Pop(); err != virtio.ErrQueueEmpty || q.EnableInterrupts() {
			t.Fatalf("round %d, %s: Pop = %v", round, when, err)
		}
	}
	for round := range 20 {
		nothing("queue empty", round)
		if _, err := q.Add([]virtio.Segment{out("x")}); err != nil {
			t.Fatal(err)
		}
		nothing("before Kick", round)
		q.Kick()
		nothing("not used", round)
		dev.Finish(uint32(next(t, dev).Head), 0)
		if _, _, err := q.Pop(); err != nil {
			t.Fatal(err)
		}
	}
}
