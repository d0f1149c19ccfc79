package virtionet_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// rig is a started driver over a fake device that does nothing by itself.
type rig struct {
	*virtionettest.Net
	dev *virtionet.Device

	mu       sync.Mutex
	cond     sync.Cond
	late     bool
	out      int // receive buffers that the driver has
	received []string
	ready    int
	links    []bool
	released int
	logs     []string
	frames   [][]byte // as received
	good     []bool   // their ChecksumGood
	disable  virtio.Features
	txDelay  time.Duration
	starve   bool  // Buffer returns nil
	batches  []int // frames received by the end of each batch
	// onReceive is called in Receive, without the lock. Set it in update.
	onReceive func()
	onFrame   func(*nic.RxFrame)
	// onReady is called in TransmitReady in the same way.
	onReady func()
}

// newDriver makes the driver with a log that the test can read.
func (r *rig) newDriver() error {
	t, err := virtio.NewMMIO(r.Region())
	if err != nil {
		return err
	}
	r.dev, err = virtionet.New(virtionet.Config{Transport: t, Memory: r.Mem, Interrupt: r.Line, Logf: r.logf, Disable: r.disable})
	if err == nil && r.txDelay != 0 {
		r.dev.SetTxDelay(r.txDelay)
	}
	return err
}

func (r *rig) logf(format string, args ...any) {
	r.update(func() { r.logs = append(r.logs, fmt.Sprintf(format, args...)) })
}

// newRig starts a driver and closes it when the test ends: then the device must hold no
// memory of the driver's.
func newRig(t testing.TB, ring uint32) *rig {
	t.Helper()
	return newRigOffering(t, ring, 0, 0)
}

// newRigOffering is newRig with a device that offers more, some of it disabled.
func newRigOffering(t testing.TB, ring uint32, offered, disable virtio.Features) *rig {
	t.Helper()
	r := &rig{Net: virtionettest.New(testMAC, 1500, ring).Offer(offered), disable: disable}
	r.start(t)
	return r
}

// newRigDelayed is newRig with another time after which frames that were sent are taken back at the latest.
func newRigDelayed(t testing.TB, ring uint32, delay time.Duration) *rig {
	t.Helper()
	r := &rig{Net: virtionettest.New(testMAC, 1500, ring), txDelay: delay}
	r.start(t)
	return r
}

func (r *rig) start(t testing.TB) {
	t.Helper()
	r.cond.L = &r.mu
	if err := r.newDriver(); err != nil {
		t.Fatal(err)
	}
	r.dev.OnBatchEnd(func() { r.update(func() { r.batches = append(r.batches, len(r.received)) }) })
	if err := r.dev.Start(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.dev.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		r.Stop(t)
		if r.out != 0 {
			t.Errorf("%d receive buffers were not given back", r.out)
		}
	})
}

func (r *rig) update(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	if r.cond.L != nil {
		r.cond.Broadcast()
	}
}

// wait waits for cond, which is evaluated with the lock held after each event.
func (r *rig) wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	timer := time.AfterFunc(10*time.Second, func() { r.update(func() { r.late = true }) })
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !cond() {
		if r.late {
			t.Fatalf("still waiting for %s; counters %+v, log %q", what, r.dev.Stats(), r.logs)
		}
		r.cond.Wait()
	}
}

// spin waits for what raises no event.
func (r *rig) spin(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for begin := time.Now(); !cond(); runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("still waiting for %s; counters %+v, log %q", what, r.dev.Stats(), r.logs)
		}
	}
}

// reset does what makes the driver reset the device, and waits until it is set up again.
func (r *rig) reset(t testing.TB, cause func()) {
	t.Helper()
	var reset atomic.Bool
	forget := r.OnReset
	r.OnReset = func() {
		forget()
		reset.Store(true)
	}
	cause()
	r.spin(t, "the device to be set up again", func() bool {
		// The first VLAN is the last thing that it is told.
		return reset.Load() && r.Live() && (!r.Accepted().Has(virtionet.FeatureCtrlVLAN) || r.HasVLAN(0))
	})
}

// logged says how many lines say text.
func (r *rig) logged(text string) (n int) {
	for _, l := range r.logs {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

type rxBuffer struct {
	r   *rig
	mem []byte
}

func (b *rxBuffer) Bytes() []byte { return b.mem }
func (b *rxBuffer) Release()      { b.r.update(func() { b.r.out-- }) }

func (r *rig) Buffer(n int) nic.Buffer {
	starve := false
	r.update(func() {
		if starve = r.starve; !starve {
			r.out++
		}
	})
	if starve {
		return nil
	}
	return &rxBuffer{r, make([]byte, n)}
}

func (r *rig) Receive(f *nic.RxFrame) {
	r.mu.Lock()
	hook := r.onReceive
	r.mu.Unlock()
	if hook != nil {
		hook()
	}
	if r.onFrame != nil {
		r.onFrame(f)
	}
	var b []byte
	for _, p := range f.Parts {
		b = append(b, p.Buffer.Bytes()[p.Off:p.Off+p.Len]...)
	}
	r.update(func() {
		r.out -= len(f.Parts)
		r.frames, r.good = append(r.frames, b), append(r.good, f.ChecksumGood)
		r.received = append(r.received, strings.TrimRight(string(b[nic.HeaderLen:]), "\x00"))
	})
}

func (r *rig) TransmitReady() {
	r.mu.Lock()
	hook := r.onReady
	r.mu.Unlock()
	if hook != nil {
		hook()
	}
	r.update(func() { r.ready++ })
}

func (r *rig) LinkChange(l nic.LinkState) { r.update(func() { r.links = append(r.links, l.Up) }) }

// DecRef makes the rig the Owner of its frames.
func (r *rig) DecRef() { r.update(func() { r.released++ }) }

func (r *rig) send(text string) error {
	return r.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame(text)}, Owner: r})
}

// frame is an Ethernet frame with text in it.
func frame(text string) []byte {
	b := make([]byte, 60)
	copy(b, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	copy(b[nic.HeaderLen:], text)
	return b
}

// echo has the device receive one frame, and waits until it has come up.
func (r *rig) echo(t testing.TB, text string) {
	t.Helper()
	// The driver may be in the midst of a reset.
	r.spin(t, "a live device", func() bool { return r.DeliverWait(frame(text)) })
	r.wait(t, "frame "+text, func() bool { return len(r.received) > 0 && r.received[len(r.received)-1] == text })
}

// takeTx takes n frames from the transmit ring without using them.
func (r *rig) takeTx(t testing.TB, n int) (heads []uint32) {
	t.Helper()
	r.Work(func() {
		for range n {
			c, ok, err := r.Queue(1).Next()
			if !ok || err != nil {
				t.Fatalf("device finds no frame: %v", err)
			}
			heads = append(heads, uint32(c.Head))
		}
	})
	return heads
}
