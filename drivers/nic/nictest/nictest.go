// Package nictest is the conformance suite of nic.Device. Every driver's tests
// run it over a fake of their hardware.
package nictest

import (
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
)

// deadline bounds every wait; no test waits that long unless it fails.
const deadline = 10 * time.Second

// Fixture is a Device, not yet started, with the far end of its wire in the test's hands.
type Fixture struct {
	Device nic.Device
	// Send has the wire deliver a frame, and blocks until the Device has
	// taken it. It must not allocate once warm.
	Send func(frame []byte)
	// Stall makes the wire take no more frames from the Device, or go on again. A frame or
	// two may still be taken after Stall(true).
	Stall func(on bool)
	// SetLink takes the medium up or down; nil when the hardware does not tell.
	SetLink func(up bool)
	// Check is called after Device.Close and fails the test when the
	// hardware was left with memory, or was driven wrongly.
	Check func(tb testing.TB)
}

// Open makes a Fixture whose wire calls sent with each frame that the Device
// transmits; the frame is valid during the call.
type Open func(tb testing.TB, sent func(frame []byte)) *Fixture

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"Info", testInfo},
		{"Lifecycle", testLifecycle},
		{"CloseUnstarted", testCloseUnstarted},
		{"StartWithoutMemory", testStartWithoutMemory},
		{"TransmitGathers", testTransmitGathers},
		{"TransmitRefusesBadFrames", testTransmitRefusesBadFrames},
		{"TransmitInOrder", testTransmitInOrder},
		{"TransmitMore", testTransmitMore},
		{"TransmitConcurrently", testTransmitConcurrently},
		{"OwnersReleasedWhenIdle", testOwnersReleasedWhenIdle},
		{"BackPressure", testBackPressure},
		{"ReceiveSizes", testReceiveSizes},
		{"ReceiveInOrder", testReceiveInOrder},
		{"ReceiveWithoutMemory", testReceiveWithoutMemory},
		{"TransmitFromReceive", testTransmitFromReceive},
		{"CloseWhileBusy", testCloseWhileBusy},
		{"Filter", testFilter},
		{"Link", testLink},
		{"TransmitDoesNotAllocate", testTransmitDoesNotAllocate},
		{"ReceiveDoesNotAllocate", testReceiveDoesNotAllocate},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open) })
	}
}

// events lets a test wait for what other goroutines do.
type events struct {
	mu   sync.Mutex
	cond sync.Cond
	late bool
}

func (e *events) init() { e.cond.L = &e.mu }

// update changes what a test may be waiting for.
func (e *events) update(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	e.cond.Broadcast()
}

// wait waits until cond holds, which is evaluated with the lock held.
func (e *events) wait(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	timer := time.AfterFunc(deadline, func() { e.update(func() { e.late = true }) })
	defer timer.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for !cond() {
		if e.late {
			tb.Fatalf("after %v still waiting for %s", deadline, what)
		}
		e.cond.Wait()
	}
}

// rig is a Fixture with a Handler and a record of what happened.
type rig struct {
	*Fixture
	events
	handler

	sent  [][]byte
	count int // of frames in sent, or that were not kept
	keep  bool
}

// start opens a Fixture and starts its Device.
func start(t *testing.T, open Open) *rig {
	t.Helper()
	r := newRig(t, open)
	if err := r.Device.Start(&r.handler); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return r
}

func newRig(t *testing.T, open Open) *rig {
	t.Helper()
	r := &rig{keep: true}
	r.events.init()
	r.handler.rig = r
	r.Fixture = open(t, func(frame []byte) {
		r.update(func() {
			r.count++
			if r.keep {
				r.sent = append(r.sent, append([]byte(nil), frame...))
			}
		})
	})
	t.Cleanup(func() {
		r.Stall(false)
		if err := r.Device.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		r.Check(t)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.out != 0 {
			t.Errorf("%d receive buffers were not given back", r.out)
		}
	})
	return r
}

// owner is a frame's Owner that counts its releases.
type owner struct {
	r        *rig
	released int
}

func (o *owner) DecRef() { o.r.update(func() { o.released++ }) }

// transmit sends a frame in the given parts and waits for room where the ring is full.
func (r *rig) transmit(tb testing.TB, more bool, parts ...[]byte) *owner {
	tb.Helper()
	o := &owner{r: r}
	f := nic.TxFrame{Parts: parts, Owner: o, More: more}
	for {
		var ready int
		r.update(func() { ready = r.ready })
		err := r.Device.Transmit(&f)
		if err == nil {
			return o
		}
		if err != nic.ErrFull {
			tb.Fatalf("Transmit of %d bytes in %d parts: %v", f.Len(), len(parts), err)
		}
		r.wait(tb, "TransmitReady", func() bool { return r.ready != ready })
	}
}

// waitSent waits until n frames have left and returns them.
func (r *rig) waitSent(tb testing.TB, n int) [][]byte {
	tb.Helper()
	r.wait(tb, "frames on the wire", func() bool { return r.count >= n })
	return r.sent
}

// frame returns n bytes of a frame that tag tells from others.
func frame(n int, tag int) []byte {
	b := make([]byte, n)
	copy(b, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x88, 0xb5})
	for i := nic.HeaderLen; i < n; i++ {
		b[i] = byte(tag>>(8*(i%4))) ^ byte(i>>2)
	}
	return b
}

// maxLen is the longest frame that a Device sends and receives without a VLAN tag.
func maxLen(d nic.Device) int { return nic.HeaderLen + d.Info().MTU }
