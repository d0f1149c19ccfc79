package virtionet_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// startWatcher calls onRun before DRIVER_OK is set.
type startWatcher struct {
	virtio.Transport
	onRun func()
}

func (w *startWatcher) SetStatus(s virtio.Status) {
	if s&virtio.StatusDriverOK != 0 {
		w.onRun()
	}
	w.Transport.SetStatus(s)
}

// TestNothingIsSentBeforeDriverOK has somebody transmit while the driver starts: the device must not be notified yet,
// which the fake device would tell.
func TestNothingIsSentBeforeDriverOK(t *testing.T) {
	r := &rig{Net: virtionettest.New(testMAC, 1500, 16)}
	r.cond.L = &r.mu
	mmio, err := virtio.NewMMIO(r.Region())
	if err != nil {
		t.Fatal(err)
	}
	w := &startWatcher{Transport: mmio}
	if r.dev, err = virtionet.New(virtionet.Config{Transport: w, Memory: r.Mem, Interrupt: r.Line, Logf: r.logf}); err != nil {
		t.Fatal(err)
	}
	early := error(nil)
	w.onRun = func() { early = r.send("x") }
	if err := r.dev.Start(r); err != nil {
		t.Fatal(err)
	}
	if early != nic.ErrNotStarted {
		t.Errorf("Transmit before DRIVER_OK = %v, want ErrNotStarted", early)
	}
	r.dev.Close()
	r.Stop(t)
}

// TestIdleDeviceSleeps checks that nothing wakes the driver without an event, and
// that sent frames are taken back without an interrupt for them.
func TestIdleDeviceSleeps(t *testing.T) {
	r := newRig(t, 64)
	r.OnNotify = func(queue int) {
		if queue == 0 {
			return
		}
		for _, h := range r.takeTx(t, 1) {
			r.Work(func() { r.Queue(1).Finish(h, 0) })
		}
		if r.Line.Pending() {
			t.Error("an interrupt is asked for after a single frame")
		}
	}
	r.echo(t, "x")
	r.spin(t, "the poll's end", func() bool { return !r.Queue(0).NoInterrupt() })
	before := r.dev.Stats().Interrupts
	if err := r.send("x"); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "the frame's owner", func() bool { return r.released == 1 })
	// The timer has woken the driver, once.
	if n := r.dev.Stats().Interrupts - before; n != 1 {
		t.Errorf("%d wake-ups for one frame, want 1", n)
	}
	if r.Line.Pending() {
		t.Error("the line was raised again")
	}
}

// TestLateFramesAskForAnInterrupt: a frame that the device still has when the timer runs
// out must not make the driver poll.
func TestLateFramesAskForAnInterrupt(t *testing.T) {
	r := newRig(t, 64)
	if err := r.send("slow"); err != nil {
		t.Fatal(err)
	}
	h := r.takeTx(t, 1)
	r.spin(t, "an interrupt to be asked for", func() bool { return !r.Queue(1).NoInterrupt() })
	r.Work(func() { r.Queue(1).Finish(h[0], 0) })
	r.wait(t, "the frame's owner", func() bool { return r.released == 1 })
	r.spin(t, "interrupts off again", r.Queue(1).NoInterrupt)
}

// TestLostNotification has the device miss a notification, or the driver that one is wanted: they must not wait
// for each other for ever.
func TestLostNotification(t *testing.T) {
	for name, f := range map[string]virtio.Features{
		"split": 0, "event_idx": virtio.FeatureEventIdx, "packed": virtio.FeatureRingPacked | virtio.FeatureEventIdx,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigOffering(t, 64, f, 0)
			var notified atomic.Int32
			r.OnNotify = func(queue int) {
				if queue == 1 {
					notified.Add(1)
				}
			}
			for round := range 3 {
				// More than those for which an interrupt is asked at once.
				n := 1 + 15*round
				for i := range n {
					if err := r.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("lost")}, Owner: r, More: i < n-1}); err != nil {
						t.Fatal(err)
					}
				}
				r.spin(t, "a second notification", func() bool { return int(notified.Load()) == 2*(round+1) })
				if n := r.dev.Stats().TxTimeouts; n != uint64(round+1) {
					t.Errorf("%d timeouts were counted, want %d", n, round+1)
				}
				r.spin(t, "an interrupt to be asked for", func() bool { return !r.Queue(1).NoInterrupt() })
				all := r.takeTx(t, n)
				r.Work(func() {
					for _, h := range all {
						r.Queue(1).Use(h, 0)
					}
					r.Queue(1).Await()
					r.Queue(1).Publish()
					r.Queue(1).Interrupt()
				})
				r.wait(t, "the frames' owners", func() bool { return r.released == []int{1, 17, 48}[round] })
			}
		})
	}
}

// TestManyFramesAskForAnInterrupt: sockets wait for the memory of so many.
func TestManyFramesAskForAnInterrupt(t *testing.T) {
	r := newRig(t, 256)
	n := 0
	for ; r.Queue(1).NoInterrupt() && n < 100; n++ {
		if err := r.send("x"); err != nil {
			t.Fatal(err)
		}
	}
	if n == 100 {
		t.Fatal("no interrupt is asked for with 100 frames in flight")
	}
	for _, h := range r.takeTx(t, n) {
		r.Work(func() { r.Queue(1).Finish(h, 0) })
	}
	r.wait(t, "all owners", func() bool { return r.released == n })
}

// TestReceiveInterruptsAreOffWhilePolling: what arrives while the driver polls needs no
// interrupt.
func TestReceiveInterruptsAreOffWhilePolling(t *testing.T) {
	r := newRig(t, 64)
	inside, leave := make(chan bool), make(chan struct{})
	r.update(func() {
		r.onReceive = func() {
			inside <- r.Queue(0).NoInterrupt()
			<-leave
		}
	})
	r.Deliver(frame("1"))
	if !<-inside {
		t.Error("receive interrupts are on in a poll")
	}
	r.update(func() { r.onReceive = nil })
	before := r.dev.Stats().Interrupts
	for _, s := range []string{"2", "3", "4"} {
		r.Deliver(frame(s))
	}
	close(leave)
	r.wait(t, "the rest", func() bool { return len(r.received) == 4 })
	r.spin(t, "interrupts on again", func() bool { return !r.Queue(0).NoInterrupt() })
	if n := r.dev.Stats().Interrupts - before; n != 0 {
		t.Errorf("%d interrupts for frames that came during a poll", n)
	}
}

// TestBatchEndsAfterItsLastFrame: what waits for more of a batch must not wait for the next one.
func TestBatchEndsAfterItsLastFrame(t *testing.T) {
	r := newRig(t, 64)
	inside, leave := make(chan struct{}), make(chan struct{})
	r.update(func() {
		r.onReceive = func() {
			inside <- struct{}{}
			<-leave
		}
	})
	r.Deliver(frame("1"))
	<-inside
	r.update(func() { r.onReceive = nil })
	for _, s := range []string{"2", "3", "4"} {
		r.Deliver(frame(s))
	}
	close(leave)
	r.wait(t, "the end of the last batch", func() bool { return len(r.batches) > 0 && r.batches[len(r.batches)-1] == 4 })
	r.update(func() {
		if len(r.batches) > 2 {
			t.Errorf("batches ended after %d frames, for 4 that came together but for the first", r.batches)
		}
	})
}

// TestKicksAreSaved: More and NO_NOTIFY both spare a notification.
func TestKicksAreSaved(t *testing.T) {
	r := newRig(t, 256)
	before := r.dev.Stats().Kicks
	for i := range 10 {
		if err := r.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: r, More: i < 9}); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.dev.Stats().Kicks - before; n != 1 {
		t.Errorf("%d notifications for a batch, want 1", n)
	}
	r.Work(func() {
		r.Queue(1).SetNoNotify(true)
		r.Queue(1).Publish()
	})
	for range 10 {
		if err := r.send("x"); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.dev.Stats(); s.Kicks-before != 1 || s.KicksSaved != 10 {
		t.Errorf("%d notifications, %d saved, want 1 and 10", s.Kicks-before, s.KicksSaved)
	}
}

// TestLastLook has the device use buffers after the driver has found both rings
// empty, and before it asks for interrupts: it must look once more, since none will come.
func TestLastLook(t *testing.T) {
	t.Run("receive", func(t *testing.T) {
		r := newRig(t, 256)
		beforeLastLook(t, r, func(_ []uint32) { r.Deliver(frame("late")) })
		r.wait(t, "the late frame", func() bool { return len(r.received) == 2 })
	})
	t.Run("transmit", func(t *testing.T) {
		r := newRigDelayed(t, 256, time.Hour)
		beforeLastLook(t, r, func(late []uint32) {
			r.Work(func() {
				for _, h := range late {
					r.Queue(1).Finish(h, 0)
				}
			})
		})
		// All but the two that the device has not taken.
		r.wait(t, "owners of late frames", func() bool { return r.released == 128 })
	})
}

// beforeLastLook calls f in the last thing that a poll does before it ends,
// which is TransmitReady, with the frames that the device has then.
func beforeLastLook(t *testing.T, r *rig, f func(heads []uint32)) {
	t.Helper()
	sent := 0
	r.update(func() {
		r.onReceive = func() {
			for ; r.send("x") == nil; sent++ {
			}
		}
	})
	// Frames that are sent in a poll are looked after at its end.
	r.Deliver(frame("go"))
	r.wait(t, "the first poll", func() bool { return len(r.received) == 1 })
	r.spin(t, "its end", func() bool { return !r.Queue(1).NoInterrupt() })
	r.update(func() { r.onReceive = nil })
	heads := r.takeTx(t, sent)
	// With the line untouched, it is Transmit that takes these frames back, so
	// that TransmitReady is still due when the driver wakes up.
	for range 2 {
		r.Work(func() {
			for _, h := range heads[:30] {
				r.Queue(1).Use(h, 0)
			}
			r.Queue(1).Publish()
		})
		heads = heads[30:]
		if err := r.send("y"); err != nil {
			t.Fatal(err)
		}
	}
	r.update(func() { r.onReady = func() { f(heads) } })
	r.Line.Wake()
}
