package virtio_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/drivers/pci/pcitest"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
)

// Kinds of structures, cfg_type (VIRTIO 1.2 §4.1.4).
const (
	structCommon, structNotify, structISR, structDevice = 1, 2, 3, 4
)

// pciTransport returns a fake device's transport and reports what the driver did wrong at the end.
func pciTransport(t testing.TB, d *virtiotest.PCI) *virtio.PCI {
	t.Helper()
	p, err := virtio.NewPCI(d.Scan())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range d.Violations() {
			t.Errorf("driver violates the specification: %s", v)
		}
	})
	return p
}

func TestPCIDeviceID(t *testing.T) {
	for _, tc := range []struct {
		vendor, device, subsystem uint16
		want                      virtio.DeviceID
	}{
		{0x1af4, 0x1041, 0x1100, virtio.DeviceNet},
		{0x1af4, 0x1044, 0, virtio.DeviceEntropy},
		{0x1af4, 0x1000, 1, virtio.DeviceNet}, // transitional
		{0x1af4, 0x1005, 4, virtio.DeviceEntropy},
		{0x1af4, 0x1080, 1, virtio.DeviceNone},
		{0x1af4, 0x0fff, 1, virtio.DeviceNone},
		{0x8086, 0x1041, 1, virtio.DeviceNone},
	} {
		f := pcitest.New(tc.vendor, tc.device)
		binary.LittleEndian.PutUint16(f.Bytes[0x2e:], tc.subsystem)
		found := pcitest.Bus(map[pci.Address]*pcitest.Function{0: f}).Scan()[0]
		if got := virtio.PCIDeviceID(found); got != tc.want {
			t.Errorf("%04x:%04x subsystem %d is device %d, want %d", tc.vendor, tc.device, tc.subsystem, got, tc.want)
		}
	}
}

// TestNewPCIRefuses has capabilities that a device could lead the driver astray with.
func TestNewPCIRefuses(t *testing.T) {
	put32 := func(d *virtiotest.PCI, kind byte, off int, v uint32) {
		binary.LittleEndian.PutUint32(d.Function.Bytes[d.Capability(kind)+off:], v)
	}
	for _, tc := range []struct {
		name, want string
		spoil      func(*virtiotest.PCI)
	}{
		{"another vendor", "not a VIRTIO device", func(d *virtiotest.PCI) { d.Function.Bytes[0] = 0 }},
		{"without capabilities", "lacks a structure", func(d *virtiotest.PCI) { d.Function.Bytes[6] = 0 }},
		{"without common configuration", "common false", func(d *virtiotest.PCI) { d.Function.Bytes[d.Capability(structCommon)+3] = 77 }},
		{"without notification", "notification false", func(d *virtiotest.PCI) { d.Function.Bytes[d.Capability(structNotify)+3] = 5 }},
		{"without ISR", "ISR false", func(d *virtiotest.PCI) { d.Function.Bytes[d.Capability(structISR)] = 5 }},
		{"in a BAR that is reserved", "BAR 6", func(d *virtiotest.PCI) { d.Function.Bytes[d.Capability(structCommon)+4] = 6 }},
		{"in a BAR that is not there", "BAR 0", func(d *virtiotest.PCI) { d.Function.Bytes[d.Capability(structCommon)+4] = 0 }},
		{"beyond the BAR", "of a BAR of 0x4000", func(d *virtiotest.PCI) { put32(d, structCommon, 8, 0x3ffc) }},
		{"wraps around", "of a BAR of 0x4000", func(d *virtiotest.PCI) { put32(d, structNotify, 8, 0xffff_f000) }},
		{"too long", "of a BAR of 0x4000", func(d *virtiotest.PCI) { put32(d, structNotify, 12, 0xffff_ffff) }},
		{"common configuration too short", "55 bytes", func(d *virtiotest.PCI) { put32(d, structCommon, 12, 55) }},
		{"common configuration not aligned", "at 0x2 ", func(d *virtiotest.PCI) { put32(d, structCommon, 8, 2) }},
		{"the list is a circle", "does not end", func(d *virtiotest.PCI) {
			d.Function.Bytes[d.Capability(structISR)+1] = byte(d.Capability(structISR))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := virtiotest.NewPCI(virtiotest.New(virtio.DeviceNet, 1, 8), 0)
			tc.spoil(d)
			_, err := virtio.NewPCI(d.Scan())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one that says %q", err, tc.want)
			}
			if d.Function.Command()&4 != 0 {
				t.Error("a refused device may still access memory")
			}
		})
	}
}

// TestPCIWithoutConfiguration has a device without a device-specific structure, which is allowed.
func TestPCIWithoutConfiguration(t *testing.T) {
	d := virtiotest.NewPCI(virtiotest.New(virtio.DeviceEntropy, 1, 8), 0)
	d.Function.Bytes[d.Capability(structDevice)+3] = 77
	if v := pciTransport(t, d).Config32(0); v != 0 {
		t.Errorf("its configuration reads %#x", v)
	}
}

func TestPCINotificationOutsideIsRefused(t *testing.T) {
	// The structure has 0x1000 bytes, and queue 1 the place 2.
	for _, multiplier := range []uint32{0xffff_fffe, 0x1000, 0x800} {
		fake := virtiotest.New(virtio.DeviceNet, 2, 8)
		d := virtiotest.NewPCI(fake, 0)
		binary.LittleEndian.PutUint32(d.Function.Bytes[d.Capability(structNotify)+16:], multiplier)
		m := pciTransport(t, d)
		if _, err := virtio.Negotiate(m, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := virtio.NewQueue(m, d.Mem, 1, 8, virtio.FeatureVersion1); !errors.Is(err, virtio.ErrQueue) {
			t.Errorf("multiplier %#x gives %v, want ErrQueue", multiplier, err)
		}
	}
}

// TestMSIX has each queue raise the line of its own vector.
func TestMSIX(t *testing.T) {
	d := virtiotest.NewPCI(virtiotest.New(virtio.DeviceNet, 2, 8), 3)
	m := pciTransport(t, d)
	table, err := m.MSIX()
	if err != nil {
		t.Fatal(err)
	}
	if table.Size() != 3 || m.Vectors() != 0 {
		t.Errorf("a table of %d, %d vectors before UseMSIX", table.Size(), m.Vectors())
	}
	if err := m.SetConfigVector(0); err == nil {
		t.Error("a vector without a message was assigned")
	}
	m.UseMSIX(table, []pci.Message{{Addr: 0xfee0_0000, Data: 0x51}, {Addr: 0xfee0_0000, Data: 0x52}, {Addr: 0xfee0_1000, Data: 0x53}})
	if m.Vectors() != 3 {
		t.Errorf("%d vectors, want 3", m.Vectors())
	}
	f, err := virtio.Negotiate(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	var queues [2]*virtio.Queue
	for i := range queues {
		if err := m.SetQueueVector(i, i+1); err != nil {
			t.Fatal(err)
		}
		if queues[i], err = virtio.NewQueue(m, d.Mem, i, 8, f); err != nil {
			t.Fatal(err)
		}
		queues[i].EnableInterrupts()
	}
	if err := m.SetConfigVector(0); err != nil {
		t.Fatal(err)
	}
	virtio.Run(m)
	for i, q := range queues {
		if _, err := q.Add([]virtio.Segment{out("x")}); err != nil {
			t.Fatal(err)
		}
		q.Kick()
		c := next(t, d.Queue(i))
		d.Queue(i).Finish(uint32(c.Head), 0)
		for v, l := range d.Lines {
			if l.Pending() != (v == i+1) {
				t.Errorf("queue %d: line of vector %d pending is %v", i, v, l.Pending())
			}
		}
		d.Lines[i+1].Wait()
	}
	d.SetConfig(func([]byte) {})
	if !d.Lines[0].Pending() || d.Line.Pending() {
		t.Error("a change of the configuration does not come by vector 0 alone")
	}
	if m.TakeInterrupt() != 0 {
		t.Error("TakeInterrupt tells a reason")
	}
	if err := virtio.Reset(m); err != nil {
		t.Fatal(err)
	}
	if d.Vector(0) != virtiotest.NoVector || d.Vector(-1) != virtiotest.NoVector {
		t.Error("vectors are left after a reset")
	}
}

func TestMSIXRefused(t *testing.T) {
	d := virtiotest.NewPCI(virtiotest.New(virtio.DeviceNet, 2, 8), 2)
	d.RefuseVector = func(uint16) bool { return true }
	m := pciTransport(t, d)
	table, err := m.MSIX()
	if err != nil {
		t.Fatal(err)
	}
	m.UseMSIX(table, make([]pci.Message, 2))
	for _, err := range []error{m.SetConfigVector(0), m.SetQueueVector(1, 1), m.SetQueueVector(1, 2), m.SetQueueVector(1, -1), m.SetQueueVector(2, 1)} {
		if !errors.Is(err, virtio.ErrQueue) {
			t.Errorf("error is %v, want ErrQueue", err)
		}
	}
	if _, err := pciTransport(t, virtiotest.NewPCI(virtiotest.New(virtio.DeviceNet, 2, 8), 0)).MSIX(); !errors.Is(err, pci.ErrCapability) {
		t.Errorf("a device without MSI-X says %v, want pci.ErrCapability", err)
	}
}

// FuzzPCI has a device whose configuration space and registers say anything: a transport
// stays within its BARs (which fakes check by a panic), and ends.
func FuzzPCI(f *testing.F) {
	f.Fuzz(func(t *testing.T, config []byte, register uint64) {
		d := virtiotest.NewPCI(virtiotest.New(virtio.DeviceNet, 2, 8), 2)
		copy(d.Function.Bytes[0x34:0x35], config)
		copy(d.Function.Bytes[0x40:], config[min(1, len(config)):])
		for _, regs := range d.Function.Memory {
			if fake, ok := regs.(*mmio.Fake); ok {
				fake.OnRead = func(_ mmio.Offset, width int, _ uint64) uint64 { return register & (1<<(8*width) - 1) }
				fake.OnWrite = nil
			}
		}
		m, err := virtio.NewPCI(d.Scan())
		if err != nil {
			return
		}
		if table, err := m.MSIX(); err == nil {
			m.UseMSIX(table, make([]pci.Message, 1))
			m.SetConfigVector(0)
			m.SetQueueVector(1, 0)
		}
		m.SetFeatures(m.Features())
		m.SetStatus(m.Status())
		virtio.ReadConfig(m, func(c virtio.Config) { c.Config8(0); c.Config16(10); c.Config32(12) })
		if m.QueueMax(1) > 0 && m.SetQueue(1, virtio.Rings{Size: 8}) == nil {
			m.Notify(1)
		}
		m.TakeInterrupt()
	})
}
