package virtio_test

import (
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/virtio"
)

// TestPackedUsesWhatIsNotThere has a device mark descriptors as used of a queue in which the
// driver has put nothing, or nothing more.
func TestPackedUsesWhatIsNotThere(t *testing.T) {
	for added := range 3 {
		d, q, dev := newQueueWith(t, 8, virtio.FeatureRingPacked)
		var heads []uint32
		for range added {
			h, err := q.Add([]virtio.Segment{out("x"), in(4)})
			if err != nil {
				t.Fatal(err)
			}
			heads = append(heads, uint32(h))
		}
		q.Kick()
		for _, h := range heads {
			next(t, dev)
			dev.Finish(h, 4)
			if _, n, err := q.Pop(); n != 4 || err != nil {
				t.Fatalf("Pop = %d, %v", n, err)
			}
		}
		dev.Finish(0, 4)
		if _, _, err := q.Pop(); !errors.Is(err, virtio.ErrRing) || q.Stats().BadIndex != 1 {
			t.Errorf("after %d chains: Pop of one that is not there = %v, %+v", added, err, q.Stats())
		}
		if maps, _ := d.Mem.Live(); maps != 0 {
			t.Errorf("%d mappings are left", maps)
		}
	}
}

// TestPackedBatch: a device that walks the ring by itself finds nothing of a batch before Kick, also
// where a batch is cut by the ring's end, and where an Add failed within it.
func TestPackedBatch(t *testing.T) {
	_, q, dev := newQueueWith(t, 8, virtio.FeatureRingPacked)
	for round := range 50 {
		var heads []int
		for _, segs := range [][]virtio.Segment{
			{out("a"), out("b")},
			{out("c"), {Bytes: make([]byte, 1<<20)}}, // which cannot be mapped
			{out("d")},
			{out("e"), out("f"), in(1)},
		} {
			if h, err := q.Add(segs); err == nil {
				heads = append(heads, h)
			}
		}
		if n := dev.Available(); n != 0 || len(heads) != 3 {
			t.Fatalf("round %d: device sees %d chains before Kick, %d were added", round, n, len(heads))
		}
		q.Kick()
		if n := dev.Available(); n != 3 {
			t.Fatalf("round %d: device sees %d chains, want 3", round, n)
		}
		for i, want := range []string{"ab", "d", "ef"} {
			c := next(t, dev)
			got := ""
			for _, b := range c.Out {
				got += string(b)
			}
			if got != want || int(c.Head) != heads[i] {
				t.Fatalf("round %d: device got %q in chain %d, want %q in %d", round, got, c.Head, want, heads[i])
			}
			dev.Finish(uint32(c.Head), 0)
			if h, _, err := q.Pop(); h != heads[i] || err != nil {
				t.Fatalf("round %d: Pop = %d, %v, want %d", round, h, err, heads[i])
			}
		}
	}
}
