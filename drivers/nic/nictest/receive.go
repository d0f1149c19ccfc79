package nictest

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
)

// spin is wait without an allocation.
func (r *rig) spin(tb testing.TB, cond func() bool) {
	for begin := time.Now(); ; runtime.Gosched() {
		r.mu.Lock()
		ok := cond()
		r.mu.Unlock()
		if ok {
			return
		}
		if time.Since(begin) > deadline {
			tb.Fatal("the frame did not come through")
		}
	}
}

// complaints fails the test for what the handler saw.
func (r *rig) complaints(tb testing.TB) {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bad {
		tb.Error(b)
	}
}

func testReceiveSizes(t *testing.T, open Open) {
	r := start(t, open)
	var want [][]byte
	for _, size := range []int{60, 61, 64, 127, 1024, maxLen(r.Device) - 1, maxLen(r.Device), maxLen(r.Device) + nic.VLANLen} {
		f := frame(size, len(want))
		want = append(want, f)
		r.Send(f)
	}
	r.wait(t, "all frames", func() bool { return r.arrived == len(want) })
	r.complaints(t)
	total := 0
	for i := range want {
		total += len(want[i])
		if !bytes.Equal(r.received[i], want[i]) {
			t.Errorf("frame %d of %d bytes came up as %d others", i, len(want[i]), len(r.received[i]))
		}
	}
	if s, ok := r.Device.(nic.Statistics); ok {
		if st := s.Stats(); st.RxFrames != uint64(len(want)) || st.RxBytes != uint64(total) {
			t.Errorf("counters are %d frames, %d bytes, want %d, %d", st.RxFrames, st.RxBytes, len(want), total)
		}
	}
}

func testReceiveInOrder(t *testing.T, open Open) {
	const n = 3000
	r := start(t, open)
	for i := range n {
		r.Send(frame(60+i%1000, i))
	}
	r.wait(t, "all frames", func() bool { return r.arrived == n })
	r.complaints(t)
	for i, f := range r.received {
		if !bytes.Equal(f, frame(60+i%1000, i)) {
			t.Fatalf("frame %d is not the one that was sent as such", i)
		}
	}
}

// testReceiveWithoutMemory starves the Device for longer than its ring: it must
// count what it drops and receive again when there is memory.
func testReceiveWithoutMemory(t *testing.T, open Open) {
	const starved = 1000
	r := start(t, open)
	r.update(func() { r.starve = true })
	for i := range starved {
		r.Send(frame(60, i))
	}
	s, counts := r.Device.(nic.Statistics)
	if counts {
		r.spin(t, func() bool {
			st := s.Stats()
			return st.RxNoBuffer+st.RxFrames == starved
		})
	}
	r.update(func() { r.starve = false })
	last := frame(60, starved)
	r.Send(last)
	r.wait(t, "a frame after the drought", func() bool {
		return r.arrived > 0 && bytes.Equal(r.received[r.arrived-1], last)
	})
	r.complaints(t)
	if counts && s.Stats().RxNoBuffer == 0 {
		t.Error("nothing was counted as RxNoBuffer")
	}
}

func testTransmitFromReceive(t *testing.T, open Open) {
	const n = 500
	r := newRig(t, open)
	r.onReceive = func(f []byte) {
		echo := nic.TxFrame{Parts: [][]byte{append([]byte(nil), f...)}, Owner: &owner{r: r}}
		if err := r.Device.Transmit(&echo); err != nil {
			t.Errorf("Transmit in Receive: %v", err)
		}
	}
	if err := r.Device.Start(&r.handler); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r.Send(frame(100, i))
		// One at a time, so that the smallest ring has room.
		r.waitSent(t, i+1)
	}
	for i, f := range r.waitSent(t, n) {
		if !bytes.Equal(f, frame(100, i)) {
			t.Fatalf("echo %d is wrong", i)
		}
	}
}

func testReceiveDoesNotAllocate(t *testing.T, open Open) {
	r := start(t, open)
	r.update(func() { r.keep = false })
	f := frame(1000, 0)
	sent := 0
	up := func() bool { return r.arrived == sent }
	one := func() {
		sent++
		r.Send(f)
		r.spin(t, up)
	}
	for range 600 {
		one()
	}
	if n := testing.AllocsPerRun(500, one); n >= 1 {
		t.Errorf("%v allocations for a frame, want 0", n)
	}
	r.complaints(t)
}
