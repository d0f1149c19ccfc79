package nictest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
)

func testTransmitGathers(t *testing.T, open Open) {
	r := start(t, open)
	most := r.Device.Info().MaxParts
	var want [][]byte
	for _, size := range []int{60, 61, 590, maxLen(r.Device)} {
		for _, parts := range []int{1, 2, 3, most} {
			f := frame(size, len(want))
			want = append(want, f)
			r.transmit(t, false, split(f, min(parts, most))...)
		}
	}
	if most >= 3 {
		f := frame(100, 99)
		want = append(want, f)
		r.transmit(t, false, f[:14], nil, f[14:])
	}
	got := r.waitSent(t, len(want))
	for i := range want {
		// The Device may pad, and does to 60 bytes at the most.
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("frame %d left as %d bytes, want the %d that were given", i, len(got[i]), len(want[i]))
		}
	}
}

// split cuts b into n parts of unequal length.
func split(b []byte, n int) (parts [][]byte) {
	for ; n > 1; n-- {
		k := min(len(b)-1, 1+len(b)/(n+1))
		parts = append(parts, b[:k])
		b = b[k:]
	}
	return append(parts, b)
}

func testTransmitRefusesBadFrames(t *testing.T, open Open) {
	r := start(t, open)
	most := r.Device.Info().MaxParts
	for _, tc := range []struct {
		name  string
		parts [][]byte
	}{
		{"nothing", nil},
		{"less than a header", [][]byte{frame(nic.HeaderLen, 0)[:nic.HeaderLen-1]}},
		{"beyond MTU and VLAN tag", [][]byte{frame(maxLen(r.Device)+nic.VLANLen+1, 0)}},
		{"too many parts", slices.Repeat([][]byte{frame(20, 0)}, most+1)},
	} {
		o := &owner{r: r}
		if err := r.Device.Transmit(&nic.TxFrame{Parts: tc.parts, Owner: o}); !errors.Is(err, nic.ErrFrame) {
			t.Errorf("%s: Transmit = %v, want ErrFrame", tc.name, err)
		}
		if o.released != 0 {
			t.Errorf("%s: the owner was released though the frame was refused", tc.name)
		}
	}
	good := frame(maxLen(r.Device)+nic.VLANLen, 1)
	r.transmit(t, false, good)
	if got := r.waitSent(t, 1); !bytes.Equal(got[0], good) {
		t.Error("the first frame that left is not the good one")
	}
	if s, ok := r.Device.(nic.Statistics); ok {
		if st := s.Stats(); st.TxInvalid != 4 || st.TxFrames != 1 || st.TxBytes != uint64(len(good)) {
			t.Errorf("counters are %+v, want 4 invalid and 1 sent", st)
		}
	}
}

func testTransmitInOrder(t *testing.T, open Open) {
	const n = 2000
	r := start(t, open)
	owners := make([]*owner, n)
	for i := range owners {
		owners[i] = r.transmit(t, i%3 != 0 && i < n-1, frame(60+i%1000, i))
	}
	for i, f := range r.waitSent(t, n) {
		if !bytes.Equal(f, frame(60+i%1000, i)) {
			t.Fatalf("frame %d is not what was transmitted as such", i)
		}
	}
	r.wait(t, "all owners", func() bool {
		return !slices.ContainsFunc(owners, func(o *owner) bool { return o.released == 0 })
	})
	for i, o := range owners {
		if o.released != 1 {
			t.Errorf("owner %d was released %d times", i, o.released)
		}
	}
}

// testTransmitMore breaks a promise to go on: what was put off must still leave.
func testTransmitMore(t *testing.T, open Open) {
	r := start(t, open)
	for range 3 {
		r.transmit(t, true, frame(60, 0))
	}
	if err := r.Device.Transmit(&nic.TxFrame{Owner: &owner{r: r}}); !errors.Is(err, nic.ErrFrame) {
		t.Fatalf("Transmit of nothing = %v", err)
	}
	r.waitSent(t, 3)
}

func testTransmitConcurrently(t *testing.T, open Open) {
	const writers, each = 8, 250
	r := start(t, open)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				f := frame(64, 0)
				f[14], f[15], f[16] = byte(w), byte(i), byte(i>>8)
				if o := r.tryTransmit(t, f); o == nil {
					return
				}
			}
		})
	}
	wg.Wait()
	var next [writers]int
	for _, f := range r.waitSent(t, writers*each) {
		w, i := f[14], int(f[15])|int(f[16])<<8
		if i != next[w] {
			t.Fatalf("writer %d: frame %d left when %d was due", w, i, next[w])
		}
		next[w]++
	}
}

// tryTransmit is transmit for goroutines that are not the test's own.
func (r *rig) tryTransmit(tb testing.TB, f []byte) *owner {
	o := &owner{r: r}
	for {
		var ready int
		r.update(func() { ready = r.ready })
		err := r.Device.Transmit(&nic.TxFrame{Parts: [][]byte{f}, Owner: o})
		if err == nil {
			return o
		}
		if err != nic.ErrFull {
			tb.Errorf("Transmit: %v", err)
			return nil
		}
		r.mu.Lock()
		for r.ready == ready && !r.late {
			r.cond.Wait()
		}
		late := r.late
		r.mu.Unlock()
		if late {
			return nil
		}
	}
}

// testOwnersReleasedWhenIdle sends one frame and nothing else: a socket may be waiting for
// its memory.
func testOwnersReleasedWhenIdle(t *testing.T, open Open) {
	r := start(t, open)
	o := r.transmit(t, false, frame(60, 0))
	r.wait(t, "the owner of the only frame", func() bool { return o.released == 1 })
}

func testBackPressure(t *testing.T, open Open) {
	const limit = 100_000
	r := start(t, open)
	r.Stall(true)
	var taken []*owner
	var refused *owner
	for refused == nil {
		o := &owner{r: r}
		f := frame(60, len(taken))
		switch err := r.Device.Transmit(&nic.TxFrame{Parts: [][]byte{f}, Owner: o}); err {
		case nil:
			taken = append(taken, o)
		case nic.ErrFull:
			refused = o
		default:
			t.Fatalf("Transmit: %v", err)
		}
		if len(taken) == limit {
			t.Fatalf("a stalled device took %d frames", limit)
		}
	}
	r.update(func() {
		if refused.released != 0 {
			t.Error("the owner of the refused frame was released")
		}
	})
	r.Stall(false)
	r.wait(t, "TransmitReady", func() bool { return r.ready > 0 })
	r.transmit(t, false, frame(60, len(taken)))
	for i, f := range r.waitSent(t, len(taken)+1) {
		if !bytes.Equal(f, frame(60, i)) {
			t.Fatalf("frame %d is not what was transmitted as such", i)
		}
	}
	r.wait(t, "all owners", func() bool {
		return !slices.ContainsFunc(taken, func(o *owner) bool { return o.released != 1 })
	})
	if s, ok := r.Device.(nic.Statistics); ok && s.Stats().TxFull == 0 {
		t.Error("TxFull was not counted")
	}
}

func testTransmitDoesNotAllocate(t *testing.T, open Open) {
	r := start(t, open)
	r.update(func() { r.keep = false })
	o := &owner{r: r}
	b := frame(1000, 0)
	f := nic.TxFrame{Parts: [][]byte{b[:54], b[54:]}, Owner: o}
	if r.Device.Info().MaxParts == 1 {
		f.Parts = [][]byte{b}
	}
	sent := 0
	left := func() bool { return r.count == sent }
	one := func() {
		sent++
		if err := r.Device.Transmit(&f); err != nil {
			t.Fatal(err)
		}
		r.spin(t, left)
	}
	for range 600 {
		one()
	}
	if n := testing.AllocsPerRun(500, one); n >= 1 {
		t.Errorf("%v allocations for a frame, want 0", n)
	}
}
