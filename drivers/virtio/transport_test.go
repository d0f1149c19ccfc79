package virtio_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
)

const featureX, featureY = virtio.Features(1 << 5), virtio.Features(1 << 40)

// transport returns a fake device's transport and reports what the driver did wrong at the end.
func transport(t testing.TB, d *virtiotest.Device) *virtio.MMIO {
	t.Helper()
	m, err := virtio.NewMMIO(d.Region())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range d.Violations() {
			t.Errorf("driver violates the specification: %s", v)
		}
	})
	return m
}

// eachTransport runs a test over MMIO and over PCI; connect is as transport.
func eachTransport(t *testing.T, test func(t *testing.T, connect func(testing.TB, *virtiotest.Device) virtio.Transport)) {
	t.Run("MMIO", func(t *testing.T) {
		test(t, func(t testing.TB, d *virtiotest.Device) virtio.Transport { return transport(t, d) })
	})
	t.Run("PCI", func(t *testing.T) {
		test(t, func(t testing.TB, d *virtiotest.Device) virtio.Transport {
			return pciTransport(t, virtiotest.NewPCI(d, 0))
		})
	})
}

func TestNewMMIORefuses(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		spoil      func(*virtiotest.Device)
	}{
		{"no magic", "magic", func(d *virtiotest.Device) { d.Magic = 0xffffffff }},
		{"legacy", "force-legacy=false", func(d *virtiotest.Device) { d.Version = 1 }},
		{"a version to come", "version is 3", func(d *virtiotest.Device) { d.Version = 3 }},
		{"an empty slot", "empty", func(d *virtiotest.Device) { d.ID = 0 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := virtiotest.New(virtio.DeviceNet, 1, 8)
			tc.spoil(d)
			if _, err := virtio.NewMMIO(d.Region()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one that says %q", err, tc.want)
			}
		})
	}
	if _, err := virtio.NewMMIO(mmio.NewFake(64)); err == nil {
		t.Error("a region without room for the registers was taken")
	}
}

func TestProbeLooksIntoAllSlots(t *testing.T) {
	const base, stride, n = 0xfeb00000, 0x200, 24
	slots := map[uintptr]*virtiotest.Device{}
	for i := range uintptr(n) {
		slots[base+i*stride] = virtiotest.New(virtio.DeviceNone, 0, 0)
	}
	// QEMU's microvm puts its first device into the last slot.
	slots[base+23*stride].ID = virtio.DeviceNet
	slots[base+7*stride].ID = virtio.DeviceEntropy
	slots[base+9*stride].ID, slots[base+9*stride].Version = virtio.DeviceNet, 1
	slots[base+11*stride].Magic = 0
	open := func(at uintptr, size int) mmio.Region {
		if size != stride || slots[at] == nil {
			t.Fatalf("open(%#x, %#x)", at, size)
		}
		return slots[at].Region()
	}
	found := virtio.Probe(open, base, stride, n)
	if len(found) != 3 {
		t.Fatalf("found %+v, want 3 devices", found)
	}
	if s := found[0]; s.Index != 7 || s.ID != virtio.DeviceEntropy || s.Transport == nil || s.Err != nil {
		t.Errorf("slot 7 is %+v", s)
	}
	if s := found[1]; s.Index != 9 || s.Transport != nil || s.Err == nil || !strings.Contains(s.Err.Error(), "slot 9 at 0xfeb01200") {
		t.Errorf("the legacy device in slot 9 is %+v", s)
	}
	if s := found[2]; s.Index != 23 || s.Base != 0xfeb02e00 || s.ID != virtio.DeviceNet {
		t.Errorf("slot 23 is %+v", s)
	}
}

func TestNegotiate(t *testing.T) { eachTransport(t, negotiate) }

func negotiate(t *testing.T, connect func(testing.TB, *virtiotest.Device) virtio.Transport) {
	for _, tc := range []struct {
		name  string
		spoil func(*virtiotest.Device, virtio.Transport)
		want  virtio.Features
		err   error
	}{
		{"takes what both have", func(*virtiotest.Device, virtio.Transport) {}, featureX | virtio.FeatureVersion1, nil},
		{"after another driver", func(d *virtiotest.Device, m virtio.Transport) {
			if _, err := virtio.Negotiate(m, featureY); err != nil {
				t.Fatal(err)
			}
			virtio.Run(m)
		}, featureX | virtio.FeatureVersion1, nil},
		{"without VERSION_1", func(d *virtiotest.Device, _ virtio.Transport) { d.Offered = featureX }, 0, virtio.ErrFeatures},
		{"refused", func(d *virtiotest.Device, _ virtio.Transport) { d.RefuseFeatures = true }, 0, virtio.ErrFeatures},
		{"stuck in reset", func(d *virtiotest.Device, m virtio.Transport) {
			m.SetStatus(virtio.StatusAcknowledge)
			d.StuckReset = true
		}, 0, virtio.ErrReset},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := virtiotest.New(virtio.DeviceNet, 1, 8)
			d.Offered |= featureX | featureY
			m := connect(t, d)
			if m.DeviceID() != virtio.DeviceNet {
				t.Errorf("DeviceID is %d", m.DeviceID())
			}
			tc.spoil(d, m)
			got, err := virtio.Negotiate(m, featureX|1<<6)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Fatalf("Negotiate = %#x, %v, want %#x, %v", uint64(got), err, uint64(tc.want), tc.err)
			}
			if err == nil && d.Accepted() != tc.want {
				t.Errorf("device was told %#x", uint64(d.Accepted()))
			}
			if errors.Is(err, virtio.ErrFeatures) && d.Status()&virtio.StatusFailed == 0 {
				t.Errorf("status is %#x, want FAILED in it", d.Status())
			}
		})
	}
}

func TestReadConfigWaitsUntilStable(t *testing.T) { eachTransport(t, readConfigWaitsUntilStable) }

func readConfigWaitsUntilStable(t *testing.T, connect func(testing.TB, *virtiotest.Device) virtio.Transport) {
	d := virtiotest.New(virtio.DeviceNet, 1, 8)
	d.Config = []byte{1, 2, 3, 4, 5}
	m := connect(t, d)
	reads := 0
	var got uint32
	err := virtio.ReadConfig(m, func(c virtio.Config) {
		if reads++; reads < 3 {
			d.SetConfig(func(b []byte) { b[0]++ })
		}
		got = c.Config32(0)
	})
	if err != nil || reads != 3 || got != 0x04030203 {
		t.Errorf("got %#x after %d reads, %v, want 0x4030203 after 3", got, reads, err)
	}
	d.RestlessConfig = true
	if err := virtio.ReadConfig(m, func(c virtio.Config) { c.Config8(0) }); !errors.Is(err, virtio.ErrConfig) {
		t.Errorf("a configuration that never holds still gives %v, want ErrConfig", err)
	}
}

func TestConfigBeyondTheRegionIsZero(t *testing.T) { eachTransport(t, configBeyondTheRegionIsZero) }

func configBeyondTheRegionIsZero(t *testing.T, connect func(testing.TB, *virtiotest.Device) virtio.Transport) {
	d := virtiotest.New(virtio.DeviceNet, 1, 8)
	m := connect(t, d)
	for _, off := range []virtio.ConfigOffset{0x1000, 0xfff, 0xfffffff0, 0xffffffff} {
		if m.Config8(off|0x1000)|uint8(m.Config16(off|0x1000))|uint8(m.Config32(off|0x1000)) != 0 {
			t.Errorf("offset %#x does not read as zero", off)
		}
	}
}

// TestQueueSetUp has a queue work over each transport, be reset, and work again.
func TestQueueSetUp(t *testing.T) { eachTransport(t, queueSetUp) }

func queueSetUp(t *testing.T, connect func(testing.TB, *virtiotest.Device) virtio.Transport) {
	d := virtiotest.New(virtio.DeviceNet, 3, 8)
	notified := -1
	d.OnNotify = func(queue int) { notified = queue }
	m := connect(t, d)
	if n := m.QueueMax(2); n != 8 {
		t.Errorf("QueueMax(2) = %d, want 8", n)
	}
	if n := m.QueueMax(3); n != 0 {
		t.Errorf("QueueMax of a queue that is not there is %d", n)
	}
	for range 2 {
		f, err := virtio.Negotiate(m, 0)
		if err != nil {
			t.Fatal(err)
		}
		q, err := virtio.NewQueue(m, d.Mem, 2, 8, f)
		if err != nil {
			t.Fatal(err)
		}
		virtio.Run(m)
		if err := m.SetQueue(2, virtio.Rings{Size: 8}); !errors.Is(err, virtio.ErrQueue) {
			t.Errorf("a queue in use was set up again: %v", err)
		}
		if _, err := q.Add([]virtio.Segment{out("hello")}); err != nil {
			t.Fatal(err)
		}
		q.Kick()
		c := next(t, d.Queue(2))
		if notified != 2 || string(c.Out[0]) != "hello" {
			t.Errorf("queue %d was notified, it holds %q", notified, c.Out)
		}
		d.Queue(2).Finish(uint32(c.Head), 0)
		if d.Line.Wait(); m.TakeInterrupt() != virtio.InterruptUsed || m.TakeInterrupt() != 0 {
			t.Error("the interrupt's reason is wrong, or stays")
		}
		if _, _, err := q.Pop(); err != nil {
			t.Error(err)
		}
		if err := virtio.Reset(m); err != nil {
			t.Fatal(err)
		}
		q.Close()
	}
	d.RefuseQueues = true
	if _, err := virtio.Negotiate(m, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := virtio.NewQueue(m, d.Mem, 2, 8, virtio.FeatureVersion1); !errors.Is(err, virtio.ErrQueue) {
		t.Errorf("a queue that the device does not enable gives %v, want ErrQueue", err)
	}
}

// TestTakeInterruptLowersTheLine has a second reason come up between the read
// and the acknowledgement: were it left, the line would stay high and never rise again.
func TestTakeInterruptLowersTheLine(t *testing.T) {
	d := virtiotest.New(virtio.DeviceNet, 1, 8)
	m := transport(t, d)
	d.Interrupt(virtio.InterruptUsed)
	d.Line.Wait()
	d.OnAck = func() {
		d.OnAck = nil
		d.Interrupt(virtio.InterruptConfig)
	}
	if got := m.TakeInterrupt(); got != virtio.InterruptUsed|virtio.InterruptConfig {
		t.Errorf("TakeInterrupt = %#x, want both reasons", got)
	}
	d.Interrupt(virtio.InterruptUsed)
	if !d.Line.Pending() {
		t.Error("the next interrupt does not raise the line")
	}
}

// TestTakeInterruptEnds has a device that cannot be silenced.
func TestTakeInterruptEnds(t *testing.T) {
	d := virtiotest.New(virtio.DeviceNet, 1, 8)
	m := transport(t, d)
	d.OnAck = func() { d.Interrupt(virtio.InterruptUsed) }
	d.Interrupt(virtio.InterruptUsed)
	if got := m.TakeInterrupt(); got != virtio.InterruptUsed {
		t.Errorf("TakeInterrupt = %#x", got)
	}
}
