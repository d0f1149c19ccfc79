package virtiorng_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
	"github.com/tamanet/tamanet/drivers/virtiorng"
)

// answer is what a fake device does with a request: how many bytes of its stream it writes, and how many it
// says that it has.
type answer func(asked int) (writes int, says uint32)

func honest(asked int) (int, uint32) { return asked, uint32(asked) }

// device is a fake entropy device whose bytes come from a stream with a fixed seed.
type device struct {
	*virtiotest.Device
	stream *rand.ChaCha8
	answer answer
	// asked counts the requests.
	asked int
}

func newDevice(offered virtio.Features) *device {
	d := &device{Device: virtiotest.New(virtio.DeviceEntropy, 1, 8), stream: rand.NewChaCha8([32]byte{1}), answer: honest}
	d.Offered |= offered
	d.OnNotify = func(int) { d.Work(d.serve) }
	return d
}

// serve answers every request that waits, at once.
func (d *device) serve() {
	for {
		c, ok, err := d.Queue(0).Next()
		if err != nil {
			panic(err)
		}
		if !ok {
			return
		}
		d.asked++
		n, says := d.answer(len(c.In[0]))
		d.stream.Read(c.In[0][:n])
		d.Queue(0).Finish(uint32(c.Head), says)
	}
}

// want is the beginning of the stream.
func want(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func open(t testing.TB, d *device, c virtiorng.Config) *virtiorng.Device {
	t.Helper()
	m, err := virtio.NewMMIO(d.Region())
	if err != nil {
		t.Fatal(err)
	}
	c.Transport, c.Memory = m, d.Mem
	r, err := virtiorng.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, v := range d.Violations() {
			t.Errorf("driver violates the specification: %s", v)
		}
		if m, b := d.Mem.Live(); m != 0 || b != 0 || d.Mem.Faults() != 0 {
			t.Errorf("%d mappings and %d blocks are left, %d faults", m, b, d.Mem.Faults())
		}
	})
	return r
}

func TestReadFills(t *testing.T) {
	for name, f := range map[string]virtio.Features{"split": 0, "packed": virtio.FeatureRingPacked} {
		for _, tc := range []struct {
			name   string
			answer answer
		}{
			{"whole answers", honest},
			{"a byte at a time", func(int) (int, uint32) { return 1, 1 }},
			{"half of it", func(n int) (int, uint32) { return (n + 1) / 2, uint32(n+1) / 2 }},
		} {
			t.Run(name+", "+tc.name, func(t *testing.T) {
				d := newDevice(f)
				d.answer = tc.answer
				r := open(t, d, virtiorng.Config{})
				got := make([]byte, 0, 1100)
				for _, n := range []int{0, 1, 32, 255, 256, 257, 100} {
					b := make([]byte, n)
					if m, err := io.ReadFull(r, b); m != n || err != nil {
						t.Fatalf("Read of %d = %d, %v", n, m, err)
					}
					got = append(got, b...)
				}
				if !bytes.Equal(got, want(len(got))) {
					t.Error("the bytes are not those that the device wrote")
				}
				if d.Line.Pending() {
					t.Error("the device was asked to interrupt")
				}
			})
		}
	}
}

func TestHostileAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer answer
		err    error
	}{
		{"never a byte", func(int) (int, uint32) { return 0, 0 }, virtiorng.ErrNoBytes},
		{"more than was asked for", func(n int) (int, uint32) { return n, uint32(n) + 1 }, virtiorng.ErrNoBytes},
		{"4 GiB", func(n int) (int, uint32) { return n, 0xffffffff }, virtiorng.ErrNoBytes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDevice(0)
			d.answer = tc.answer
			r := open(t, d, virtiorng.Config{})
			b := make([]byte, 16)
			if n, err := r.Read(b); n != 0 || !errors.Is(err, tc.err) || !bytes.Equal(b, make([]byte, 16)) {
				t.Errorf("Read = %d, %v, %x", n, err, b)
			}
			if d.asked > 8 {
				t.Errorf("it was asked %d times", d.asked)
			}
			d.answer = honest
			if n, err := r.Read(b); n != len(b) || err != nil {
				t.Errorf("Read from a device that has come to its senses = %d, %v", n, err)
			}
		})
	}
}

// TestNonsenseIsReset has a device use what it was not given, once or always.
func TestNonsenseIsReset(t *testing.T) {
	for _, always := range []bool{false, true} {
		d := newDevice(0)
		d.OnNotify = func(int) {
			d.Work(func() {
				if d.asked++; d.asked == 1 || always {
					d.Queue(0).Finish(7, 16)
				} else {
					d.serve()
				}
			})
		}
		r := open(t, d, virtiorng.Config{})
		b := make([]byte, 16)
		n, err := r.Read(b)
		if always && (n != 0 || !errors.Is(err, virtio.ErrRing)) {
			t.Errorf("always: Read = %d, %v, want ErrRing", n, err)
		}
		if !always && (n != 16 || err != nil || !bytes.Equal(b, want(16))) {
			t.Errorf("once: Read = %d, %v, %x", n, err, b)
		}
	}
}

// TestTimeout has a device answer too late: the next Read takes the answer.
func TestTimeout(t *testing.T) {
	d := newDevice(0)
	d.OnNotify = nil
	paused := 0
	r := open(t, d, virtiorng.Config{Timeout: time.Millisecond, Pause: func() { paused++ }})
	b := make([]byte, 16)
	for range 2 {
		if n, err := r.Read(b); n != 0 || !errors.Is(err, virtiorng.ErrTimeout) {
			t.Fatalf("Read = %d, %v, want ErrTimeout", n, err)
		}
	}
	if paused == 0 {
		t.Error("Pause was not called")
	}
	if n := d.Queue(0).Available(); n != 1 {
		t.Errorf("%d requests are with the device, want the one", n)
	}
	d.Work(d.serve)
	if n, err := r.Read(b); n != 16 || err != nil || !bytes.Equal(b, want(16)) {
		t.Errorf("Read = %d, %v, %x, want the late answer", n, err, b)
	}
}

// TestNeedsReset has a device ask for a reset in place of an answer.
func TestNeedsReset(t *testing.T) {
	d := newDevice(0)
	answer := d.OnNotify
	d.OnNotify = func(int) {
		d.OnNotify = answer
		d.NeedReset()
	}
	r := open(t, d, virtiorng.Config{Timeout: time.Millisecond})
	b := make([]byte, 16)
	if n, err := r.Read(b); n != 16 || err != nil || !bytes.Equal(b, want(16)) {
		t.Errorf("Read = %d, %v, %x", n, err, b)
	}
}

func TestNewFailsCleanly(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*device)
		want  error
	}{
		{"features refused", func(d *device) { d.RefuseFeatures = true }, virtio.ErrFeatures},
		{"legacy", func(d *device) { d.Offered = 0 }, virtio.ErrFeatures},
		{"no queue", func(d *device) { d.QueueMax[0] = 0 }, virtio.ErrQueue},
		{"queue not enabled", func(d *device) { d.RefuseQueues = true }, virtio.ErrQueue},
		{"a network device", func(d *device) { d.ID = virtio.DeviceNet }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDevice(0)
			tc.spoil(d)
			m, err := virtio.NewMMIO(d.Region())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := virtiorng.New(virtiorng.Config{Transport: m, Memory: d.Mem}); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("New = %v, want %v", err, tc.want)
			}
			if m, b := d.Mem.Live(); m != 0 || b != 0 {
				t.Errorf("%d mappings and %d blocks are left", m, b)
			}
		})
	}
	if _, err := virtiorng.New(virtiorng.Config{}); err == nil {
		t.Error("New without a transport succeeded")
	}
}

func TestClose(t *testing.T) {
	d := newDevice(0)
	r := open(t, d, virtiorng.Config{})
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != virtiorng.ErrClosed {
		t.Errorf("Read after Close = %d, %v", n, err)
	}
}

func TestReadConcurrently(t *testing.T) {
	d := newDevice(0)
	r := open(t, d, virtiorng.Config{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				b := make([]byte, 300)
				if n, err := r.Read(b); n != len(b) || err != nil {
					t.Errorf("Read = %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestReadDoesNotAllocate(t *testing.T) {
	d := newDevice(0)
	r := open(t, d, virtiorng.Config{})
	b := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { r.Read(b) }); n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
