// Package virtiotest is a VIRTIO device in Go for tests of drivers on a host:
// the registers of the MMIO transport (VIRTIO 1.2 §4.2.2) or of PCI ([PCI]), an edge-triggered
// interrupt line, and the device's side of split and packed virtqueues over a dma.Fake.
//
// It does not do anything by itself: a test, or a backend as in virtionettest, takes
// chains from a [Queue] and uses them, rightly or, to be hostile, wrongly. What the driver
// does against the specification is collected in Violations.
package virtiotest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// regionSize is the size of QEMU's virtio-mmio slots.
const regionSize = 0x200

// Device is a fake device. Set the exported fields before a driver sees it; to
// change Config later, use SetConfig.
type Device struct {
	Magic, Version uint32
	ID             virtio.DeviceID
	Offered        virtio.Features
	Config         []byte
	// QueueMax is the QueueNumMax register of each queue.
	QueueMax []uint32
	// Mem is the memory that the driver must use.
	Mem *dma.Fake
	// Line is what the device raises.
	Line *Line

	// RefuseFeatures makes the device not accept FEATURES_OK.
	RefuseFeatures bool
	// StuckReset makes a reset never finish.
	StuckReset bool
	// RefuseQueues makes QueueReady read 0 after it was set.
	RefuseQueues bool
	// RestlessConfig makes each read of the configuration change it.
	RestlessConfig bool
	// OnNotify, when set, is called for each notification, OnReset for each reset. They
	// must not block. OnAck is called before each acknowledgement of an interrupt takes
	// effect.
	OnNotify func(queue int)
	OnReset  func()
	OnAck    func()

	regs *mmio.Fake
	// message, when set, raises a queue's interrupt, or with -1 the configuration's, by a message. It returns
	// false when the device has none.
	message func(queue int) bool

	// work is held while the device uses its queues, and taken before mu.
	work       sync.Mutex
	mu         sync.Mutex
	queues     []*Queue
	sel        [2]uint32 // feature selectors: device, driver
	queueSel   uint32
	accepted   virtio.Features
	status     virtio.Status
	isr        virtio.Interrupt
	generation uint32
	violations []string
}

// New returns a modern device of kind id with queues of max descriptors each.
func New(id virtio.DeviceID, queues int, max uint32) *Device {
	d := &Device{
		Magic: 0x74726976, Version: 2, ID: id, Offered: virtio.FeatureVersion1,
		QueueMax: slices.Repeat([]uint32{max}, queues),
		Mem:      dma.NewFake(), Line: NewLine(),
		regs: mmio.NewFake(regionSize),
	}
	for i := range queues {
		d.queues = append(d.queues, &Queue{d: d, index: i})
	}
	d.regs.OnRead, d.regs.OnWrite = d.read, d.write
	return d
}

// Region returns the registers.
func (d *Device) Region() mmio.Region { return d.regs }

// Queue returns the device's side of a queue.
func (d *Device) Queue(i int) *Queue { return d.queues[i] }

// Status returns the status field.
func (d *Device) Status() virtio.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// Accepted returns the features that the driver has accepted.
func (d *Device) Accepted() virtio.Features {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accepted
}

// Live says whether the driver has set DRIVER_OK.
func (d *Device) Live() bool {
	return d.Status()&(virtio.StatusDriverOK|virtio.StatusNeedsReset|virtio.StatusFailed) == virtio.StatusDriverOK
}

// Violations returns what the driver did against the specification.
func (d *Device) Violations() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.violations)
}

func (d *Device) violation(format string, args ...any) {
	d.violations = append(d.violations, fmt.Sprintf(format, args...))
}

// SetConfig changes the configuration as a device does: a new generation, and an interrupt.
func (d *Device) SetConfig(change func(config []byte)) {
	d.UpdateConfig(change)
	d.Interrupt(virtio.InterruptConfig)
}

// UpdateConfig is SetConfig without an interrupt, for what the driver itself has asked for.
func (d *Device) UpdateConfig(change func(config []byte)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d.Config)
	d.generation++
}

// NeedReset sets DEVICE_NEEDS_RESET (§2.1.2).
func (d *Device) NeedReset() {
	d.mu.Lock()
	d.status |= virtio.StatusNeedsReset
	d.generation++
	d.mu.Unlock()
	d.Interrupt(virtio.InterruptConfig)
}

// Interrupt sets reasons in InterruptStatus. The line is high while there are
// any; only its rise is an event. With messages it is the configuration's that is sent.
func (d *Device) Interrupt(why virtio.Interrupt) { d.interrupt(-1, why) }

// interrupt interrupts for a queue, or with -1 for the configuration.
func (d *Device) interrupt(queue int, why virtio.Interrupt) {
	d.mu.Lock()
	if d.message != nil && d.message(queue) {
		d.mu.Unlock()
		return
	}
	rise := d.isr == 0
	d.isr |= why
	d.mu.Unlock()
	if rise {
		d.Line.Wake()
	}
}

// Work runs f, which may use the queues, unless the device is not live. A reset waits for f.
func (d *Device) Work(f func()) {
	d.work.Lock()
	defer d.work.Unlock()
	if d.Live() {
		f()
	}
}

// read answers a register read.
func (d *Device) read(off mmio.Offset, width int, stored uint64) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off >= 0x100 {
		return d.readConfig(int(off-0x100), width)
	}
	if width != 4 {
		d.violation("control register %#x read with %d bytes", off, width)
	}
	switch off {
	case 0x000:
		return uint64(d.Magic)
	case 0x004:
		return uint64(d.Version)
	case 0x008:
		return uint64(d.ID)
	case 0x010:
		return uint64(d.Offered) >> (32 * (d.sel[0] & 1)) & 0xffffffff
	case 0x034:
		if int(d.queueSel) < len(d.QueueMax) {
			return uint64(d.QueueMax[d.queueSel])
		}
		return 0
	case 0x044:
		if q := d.selected(); q != nil && q.ready && !d.RefuseQueues {
			return 1
		}
		return 0
	case 0x060:
		return uint64(d.isr)
	case 0x070:
		return uint64(d.status)
	case 0x0fc:
		return uint64(d.generation)
	}
	d.violation("register %#x read", off)
	return stored
}

func (d *Device) readConfig(off, width int) uint64 {
	if d.RestlessConfig {
		d.generation++
	}
	var v uint64
	for i := width - 1; i >= 0; i-- {
		v <<= 8
		if off+i < len(d.Config) {
			v |= uint64(d.Config[off+i])
		}
	}
	return v
}

// selected is the queue that QueueSel names, nil when there is none.
func (d *Device) selected() *Queue {
	if int(d.queueSel) < len(d.queues) {
		return d.queues[d.queueSel]
	}
	return nil
}

// write takes a register write.
func (d *Device) write(off mmio.Offset, width int, v uint64) uint64 {
	switch off {
	case 0x064:
		if d.OnAck != nil {
			d.OnAck()
		}
	case 0x070:
		d.work.Lock()
		defer d.work.Unlock()
	}
	d.mu.Lock()
	var after func(arg int)
	var arg int
	defer func() {
		d.mu.Unlock()
		if after != nil {
			after(arg)
		}
	}()
	if width != 4 || off >= 0x100 {
		d.violation("register %#x written with %d bytes", off, width)
		return v
	}
	switch off {
	case 0x014:
		d.sel[0] = uint32(v)
	case 0x024:
		d.sel[1] = uint32(v)
	case 0x020:
		d.acceptHalf(uint32(v))
	case 0x030:
		d.queueSel = uint32(v)
	case 0x050:
		after = d.notified(int(v))
		arg = int(v)
	case 0x064:
		d.isr &^= virtio.Interrupt(v)
	case 0x070:
		after = d.setStatus(virtio.Status(v))
	default:
		d.writeQueue(off, uint32(v))
	}
	return v
}

func (d *Device) acceptHalf(v uint32) {
	if d.status&virtio.StatusFeaturesOK != 0 {
		d.violation("features written after FEATURES_OK")
	}
	shift := 32 * (d.sel[1] & 1)
	d.accepted = d.accepted&^(0xffffffff<<shift) | virtio.Features(v)<<shift
}

func (d *Device) notified(queue int) func(int) {
	if d.status&virtio.StatusDriverOK == 0 {
		d.violation("queue %d notified before DRIVER_OK", queue)
	}
	return d.OnNotify
}

// setStatus follows the order of §3.1.1.
func (d *Device) setStatus(s virtio.Status) func(int) {
	if s == 0 {
		if d.StuckReset {
			return nil
		}
		d.status, d.isr, d.accepted = 0, 0, 0
		for _, q := range d.queues {
			q.reset()
		}
		if d.OnReset != nil {
			return func(int) { d.OnReset() }
		}
		return nil
	}
	if d.status&^s&^virtio.StatusNeedsReset != 0 {
		d.violation("status bits %#x cleared without a reset", d.status&^s)
	}
	if s&virtio.StatusFeaturesOK != 0 && d.status&virtio.StatusFeaturesOK == 0 {
		if d.accepted&^d.Offered != 0 {
			d.violation("features %#x accepted that are not offered", d.accepted&^d.Offered)
		}
		if d.RefuseFeatures || !d.accepted.Has(virtio.FeatureVersion1) {
			s &^= virtio.StatusFeaturesOK
		}
	}
	if s&virtio.StatusDriverOK != 0 && s&virtio.StatusFeaturesOK == 0 {
		d.violation("DRIVER_OK without FEATURES_OK")
	}
	d.status = s | d.status&virtio.StatusNeedsReset
	return nil
}

// writeQueue takes the registers that describe the selected queue.
func (d *Device) writeQueue(off mmio.Offset, v uint32) {
	q := d.selected()
	if q == nil {
		d.violation("register %#x written for queue %d, which is not there", off, d.queueSel)
		return
	}
	if d.status&virtio.StatusFeaturesOK == 0 || d.status&virtio.StatusDriverOK != 0 || q.ready {
		d.violation("register %#x of queue %d written with status %#x, ready %v", off, q.index, d.status, q.ready)
	}
	half := func(a *dma.Addr) {
		shift := 32 * (off >> 2 & 1)
		*a = *a&^(0xffffffff<<shift) | dma.Addr(v)<<shift
	}
	switch off {
	case 0x038:
		q.size = int(v)
	case 0x080, 0x084:
		half(&q.descAddr)
	case 0x090, 0x094:
		half(&q.driverAddr)
	case 0x0a0, 0x0a4:
		half(&q.deviceAddr)
	case 0x044:
		if err := q.enable(); err != nil {
			d.violation("queue %d: %v", q.index, err)
		}
	default:
		d.violation("register %#x written", off)
	}
}
