package virtionet_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// TestRingNonsenseIsSurvived has the device write what cannot be into a ring:
// it is reset, the frames that were under way are accounted for, and traffic goes on.
func TestRingNonsenseIsSurvived(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(rx, tx *virtiotest.Queue)
		lost uint64
	}{
		{"receive id outside the table", func(rx, tx *virtiotest.Queue) { rx.Finish(1<<20, 60) }, 2},
		{"receive index jumps", func(rx, tx *virtiotest.Queue) { rx.Skip(1000); rx.Publish(); rx.Interrupt() }, 2},
		{"transmit id not in flight", func(rx, tx *virtiotest.Queue) { tx.Finish(15, 0); rx.Interrupt() }, 2},
		{"transmit index jumps", func(rx, tx *virtiotest.Queue) { tx.Skip(-1); tx.Publish(); rx.Interrupt() }, 2},
		{"transmit id used twice", func(rx, tx *virtiotest.Queue) {
			c, _, _ := tx.Next()
			tx.Use(uint32(c.Head), 0)
			tx.Finish(uint32(c.Head), 0)
			rx.Interrupt()
		}, 1},
		{"transmit length where nothing is writable", nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 16)
			r.echo(t, "before")
			for range 2 {
				if err := r.send("under way"); err != nil {
					t.Fatal(err)
				}
			}
			resets := uint64(1)
			if tc.do == nil {
				h := r.takeTx(t, 2)
				r.Work(func() { r.Queue(1).Finish(h[0], 99); r.Queue(1).Finish(h[1], 0); r.Queue(0).Interrupt() })
				resets = 0
			} else {
				r.Work(func() { tc.do(r.Queue(0), r.Queue(1)) })
			}
			r.wait(t, "the owners of what was under way", func() bool { return r.released == 2 })
			r.wait(t, "one line in the log", func() bool { return r.logged("resetting") == int(resets) })
			r.echo(t, "after")
			if err := r.send("after"); err != nil {
				t.Errorf("Transmit after the reset = %v", err)
			}
			r.takeTx(t, 1)
			if s := r.dev.Stats(); s.RingErrors != 1 || s.Resets != resets || s.TxErrors != tc.lost {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

func TestBadLengthsAreDropped(t *testing.T) {
	r := newRig(t, 16)
	lengths := []uint32{0, 1, 12, 25, 12 + 14 + 4 + 1500 + 1, 1 << 31, 0xffffffff}
	for _, n := range lengths {
		r.Work(func() {
			c, _, _ := r.Queue(0).Next()
			r.Queue(0).Finish(uint32(c.Head), n)
		})
	}
	r.echo(t, "good")
	if s := r.dev.Stats(); s.RxLength != uint64(len(lengths)) || s.RingErrors != 3 || s.RxFrames != 1 || s.Resets != 0 {
		t.Errorf("counters are %+v, want %d of RxLength, 3 ring errors", s, len(lengths))
	}
	if len(r.received) != 1 || r.logged("bytes") != 1 {
		t.Errorf("received %q, log %q", r.received, r.logs)
	}
}

// TestFramesNeverCompleted has the device swallow frames until the ring is full,
// and ask for a reset then.
func TestFramesNeverCompleted(t *testing.T) {
	r := newRig(t, 16)
	n := 0
	for ; r.send("swallowed") == nil; n++ {
	}
	if err := r.send("one more"); err != nic.ErrFull || n != 8 {
		t.Fatalf("%d frames fit, then %v, want 8 and ErrFull", n, err)
	}
	if r.Queue(1).NoInterrupt() {
		t.Error("no interrupt is asked for with a full ring")
	}
	r.takeTx(t, n)
	r.NeedReset()
	r.wait(t, "TransmitReady after the reset", func() bool { return r.ready > 0 })
	if r.released != n {
		t.Errorf("%d owners were released, want %d", r.released, n)
	}
	if err := r.send("again"); err != nil {
		t.Error(err)
	}
	if s := r.dev.Stats(); s.TxErrors != uint64(n) || s.TxFull != 2 || s.Resets != 1 {
		t.Errorf("counters are %+v", s)
	}
}

// TestGivenUp has a device that never does anything right again.
func TestGivenUp(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *rig)
	}{
		{"after resets in a row", func(r *rig) {
			r.OnNotify = func(queue int) {
				if queue == 0 {
					// Asking at once when the driver has set it up again.
					go r.NeedReset()
				}
			}
			r.NeedReset()
		}},
		{"when it offers less than before", func(r *rig) {
			r.Offered &^= virtionet.FeatureMTU
			r.NeedReset()
		}},
		{"when it has smaller queues than before", func(r *rig) {
			r.QueueMax[0] = 8
			r.NeedReset()
		}},
		{"when its line is closed", func(r *rig) { r.Line.Close() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 16)
			if err := r.send("under way"); err != nil {
				t.Fatal(err)
			}
			tc.do(r)
			r.wait(t, "link down", func() bool { return len(r.links) > 0 && !r.links[len(r.links)-1] })
			if err := r.send("x"); err != nic.ErrFailed {
				t.Errorf("Transmit = %v, want ErrFailed", err)
			}
			if r.dev.Link().Up {
				t.Error("Link is up")
			}
			r.wait(t, "the log", func() bool { return r.logged("given up") == 1 })
			if r.Status()&virtio.StatusFailed == 0 {
				t.Errorf("status is %#x, want FAILED in it", r.Status())
			}
		})
	}
}

// TestCloseOfAStuckDevice must not hand out memory that the device may still write.
func TestCloseOfAStuckDevice(t *testing.T) {
	r := &rig{Net: virtionettest.New(testMAC, 1500, 16)}
	r.cond.L = &r.mu
	if err := r.newDriver(); err != nil {
		t.Fatal(err)
	}
	if err := r.dev.Start(r); err != nil {
		t.Fatal(err)
	}
	r.send("under way")
	r.StuckReset = true
	if err := r.dev.Close(); !errors.Is(err, virtio.ErrReset) {
		t.Errorf("Close = %v, want ErrReset", err)
	}
	if r.out != 16 || r.released != 0 {
		t.Errorf("%d of 16 buffers and %d of 0 owners: some memory was given back", r.out, r.released)
	}
	if err := r.send("x"); err != nic.ErrClosed {
		t.Errorf("Transmit = %v, want ErrClosed", err)
	}
}

func TestNewFailsCleanly(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*virtionettest.Net)
		want  error
	}{
		{"without VERSION_1", func(n *virtionettest.Net) { n.Offered &^= virtio.FeatureVersion1 }, virtio.ErrFeatures},
		{"features refused", func(n *virtionettest.Net) { n.RefuseFeatures = true }, virtio.ErrFeatures},
		{"restless configuration", func(n *virtionettest.Net) { n.RestlessConfig = true }, virtio.ErrConfig},
		{"no receive queue", func(n *virtionettest.Net) { n.QueueMax[0] = 0 }, virtio.ErrQueue},
		{"no transmit queue", func(n *virtionettest.Net) { n.QueueMax[1] = 0 }, virtio.ErrQueue},
		{"transmit queue of one descriptor", func(n *virtionettest.Net) { n.QueueMax[1] = 1 }, virtio.ErrQueue},
		{"queues not enabled", func(n *virtionettest.Net) { n.RefuseQueues = true }, virtio.ErrQueue},
		{"not a network device", func(n *virtionettest.Net) { n.ID = virtio.DeviceBlock }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &rig{Net: virtionettest.New(testMAC, 1500, 16)}
			tc.spoil(r.Net)
			if err := r.newDriver(); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("New = %v, want %v", err, tc.want)
			}
			if m, b := r.Mem.Live(); m != 0 || b != 0 {
				t.Errorf("%d mappings and %d blocks are left", m, b)
			}
			for _, v := range r.Violations() {
				t.Errorf("driver violates the specification: %s", v)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(n *virtionettest.Net)
		mtu   int
		mac   bool // the device's own is used
		up    bool
	}{
		{"as it should be", func(n *virtionettest.Net) {}, 1500, true, true},
		{"no features at all", func(n *virtionettest.Net) { n.Offered, n.Config = virtio.FeatureVersion1, nil }, 1500, false, true},
		{"group address", func(n *virtionettest.Net) { n.Config[0] |= 1 }, 1500, false, true},
		{"no address", func(n *virtionettest.Net) { clear(n.Config[:6]) }, 1500, false, true},
		{"MTU 0", func(n *virtionettest.Net) { binary.LittleEndian.PutUint16(n.Config[10:], 0) }, 1500, true, true},
		{"MTU 67", func(n *virtionettest.Net) { binary.LittleEndian.PutUint16(n.Config[10:], 67) }, 1500, true, true},
		{"MTU 68", func(n *virtionettest.Net) { binary.LittleEndian.PutUint16(n.Config[10:], 68) }, 68, true, true},
		{"MTU 65535", func(n *virtionettest.Net) { binary.LittleEndian.PutUint16(n.Config[10:], 65535) }, 9000, true, true},
		{"link down", func(n *virtionettest.Net) { n.Config[6] = 0 }, 1500, true, false},
		{"other status bits", func(n *virtionettest.Net) { n.Config[6] = 0xfe }, 1500, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &rig{Net: virtionettest.New(testMAC, 1500, 16)}
			tc.spoil(r.Net)
			if err := r.newDriver(); err != nil {
				t.Fatal(err)
			}
			defer r.dev.Close()
			i := r.dev.Info()
			if i.MTU != tc.mtu || !i.MAC.Unicast() || (i.MAC == testMAC) != tc.mac || r.dev.Link().Up != tc.up {
				t.Errorf("%+v, link %+v", i, r.dev.Link())
			}
			if above := r.logged("is above 9000") == 1; above != (tc.mtu == 9000) {
				t.Errorf("that the MTU is cut down was said: %v", above)
			}
			if !tc.mac && i.MAC[0]&2 == 0 {
				t.Errorf("random address %v is not a locally administered one", i.MAC)
			}
		})
	}
}

func TestConfigChangesWhileRead(t *testing.T) {
	r := newRig(t, 16)
	r.RestlessConfig = true
	r.SetLink(false)
	r.wait(t, "one line in the log", func() bool { return r.logged("link status") == 1 })
	if !r.dev.Link().Up {
		t.Error("a status that was never read whole was believed")
	}
	r.echo(t, "still alive")
}
