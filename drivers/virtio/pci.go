package virtio

import (
	"errors"
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/pci"
)

// Identification of devices on PCI (§4.1.2).
const (
	pciVendor           = 0x1af4
	pciTransitionalLow  = 0x1000
	pciTransitionalHigh = 0x103f
	pciModernLow        = 0x1040
	pciModernHigh       = 0x107f
)

// struct virtio_pci_cap (§4.1.4).
const (
	pciCapType       mmio.Offset = 3
	pciCapBAR        mmio.Offset = 4
	pciCapOffset     mmio.Offset = 8
	pciCapLength     mmio.Offset = 12
	pciCapMultiplier mmio.Offset = 16
)

// Kinds of structures, cfg_type (§4.1.4).
const (
	pciCommon = 1
	pciNotify = 2
	pciISR    = 3
	pciDevice = 4
)

// struct virtio_pci_common_cfg (§4.1.4.3).
const (
	pciDeviceFeatureSelect mmio.Offset = 0
	pciDeviceFeature       mmio.Offset = 4
	pciDriverFeatureSelect mmio.Offset = 8
	pciDriverFeature       mmio.Offset = 12
	pciConfigVector        mmio.Offset = 16
	pciNumQueues           mmio.Offset = 18
	pciStatus              mmio.Offset = 20
	pciGeneration          mmio.Offset = 21
	pciQueueSelect         mmio.Offset = 22
	pciQueueSize           mmio.Offset = 24
	pciQueueVector         mmio.Offset = 26
	pciQueueEnable         mmio.Offset = 28
	pciQueueNotifyOff      mmio.Offset = 30
	pciQueueDesc           mmio.Offset = 32
	pciQueueDriver         mmio.Offset = 40
	pciQueueDevice         mmio.Offset = 48
	pciCommonLen                       = 56
)

// noVector is VIRTIO_MSI_NO_VECTOR.
const noVector = 0xffff

// PCI is the PCI transport of one device, modern or transitional; of the latter the legacy
// interface is not used.
type PCI struct {
	id                          DeviceID
	common, notify, isr, config structure
	multiplier                  uint32

	function *pci.Function
	vectors  int
	// doorbells are where in notify a queue's notification goes, by queue.
	doorbells []mmio.Offset
}

var _ QueueInterrupter = (*PCI)(nil)

// PCIDeviceID returns the kind of VIRTIO device that a function is by its PCI
// identification (§4.1.2.1), DeviceNone when it is none.
func PCIDeviceID(f *pci.Function) DeviceID {
	switch {
	case f.Vendor != pciVendor:
	case f.Device >= pciModernLow && f.Device <= pciModernHigh:
		return DeviceID(f.Device - pciModernLow)
	case f.Device >= pciTransitionalLow && f.Device <= pciTransitionalHigh:
		// Its subsystem says it (§4.1.2.3).
		return DeviceID(f.Subsystem)
	}
	return DeviceNone
}

// NewPCI returns the transport of a function, which it enables. The error says what
// makes it no modern VIRTIO device, or wraps pci.ErrBAR or pci.ErrCapability.
func NewPCI(f *pci.Function) (*PCI, error) {
	p := &PCI{id: PCIDeviceID(f), function: f}
	if p.id == DeviceNone {
		return nil, fmt.Errorf("virtio: %v is not a VIRTIO device", f)
	}
	if err := f.Enable(); err != nil {
		return nil, fmt.Errorf("virtio: %w", err)
	}
	if err := p.locate(); err != nil {
		f.Disable()
		return nil, fmt.Errorf("virtio: %w", err)
	}
	return p, nil
}

// structure is a range of a BAR. The zero structure is empty.
type structure struct {
	regs mmio.Region
	off  mmio.Offset
	len  uint32
}

// at returns the register at an offset, or false when width bytes there are not in s.
func (s structure) at(off uint64, width int) (mmio.Offset, bool) {
	return s.off + mmio.Offset(off), off+uint64(width) <= uint64(s.len)
}

// locate finds the structures, the first usable one of each kind (§4.1.4.1).
func (p *PCI) locate() error {
	caps, listErr := p.function.Capabilities()
	var defect error
	for _, c := range caps {
		if c.ID != pci.CapabilityVendor {
			continue
		}
		var s *structure
		least, align := uint32(1), uint32(4)
		switch p.function.Read8(c, pciCapType) {
		case pciCommon:
			s, least = &p.common, pciCommonLen
		case pciNotify:
			s, least = &p.notify, 2
		case pciISR:
			s, align = &p.isr, 1
		case pciDevice:
			s = &p.config
		default:
			continue
		}
		if s.regs != nil {
			continue
		}
		var err error
		if *s, err = p.open(c, least, align); err != nil {
			defect = errors.Join(defect, err)
		} else if s == &p.notify {
			p.multiplier = p.function.Read32(c, pciCapMultiplier)
		}
	}
	if p.common.regs == nil || p.notify.regs == nil || p.isr.regs == nil {
		return errors.Join(fmt.Errorf("%v lacks a structure of the modern interface: common %v, notification %v, ISR %v",
			p.function, p.common.regs != nil, p.notify.regs != nil, p.isr.regs != nil), defect, listErr)
	}
	return nil
}

// open returns the structure that a capability describes, which has at least so many bytes
// and lies in its BAR at a multiple of align.
func (p *PCI) open(c pci.Capability, least, align uint32) (structure, error) {
	regs, err := p.function.Region(int(p.function.Read8(c, pciCapBAR)))
	if err != nil {
		return structure{}, err
	}
	off, length := p.function.Read32(c, pciCapOffset), p.function.Read32(c, pciCapLength)
	if uint64(off)+uint64(length) > uint64(regs.Size()) || length < least || off%align != 0 {
		return structure{}, fmt.Errorf("%w: structure at %#x of %v: %d bytes at %#x of a BAR of %#x bytes",
			pci.ErrCapability, c.Offset, p.function, length, off, regs.Size())
	}
	return structure{regs, mmio.Offset(off), length}, nil
}

// Function is the PCI function of the device.
func (p *PCI) Function() *pci.Function { return p.function }

// MSIX returns the device's interrupt table. The errors are those of [pci.Function.MSIX].
func (p *PCI) MSIX() (*pci.MSIX, error) { return p.function.MSIX() }

// UseMSIX has the device interrupt by messages: vector i of [QueueInterrupter] is messages[i].
// It is called before the device is set up, and at most once. Without, the device
// interrupts by its pin. It panics when there are more messages than m has entries.
func (p *PCI) UseMSIX(m *pci.MSIX, messages []pci.Message) {
	for i, msg := range messages {
		m.Set(i, msg)
	}
	m.Enable()
	p.vectors = len(messages)
}

// DeviceID implements [Transport].
func (p *PCI) DeviceID() DeviceID { return p.id }

func (p *PCI) read16(off mmio.Offset) uint16     { return p.common.regs.Read16(p.common.off + off) }
func (p *PCI) read32(off mmio.Offset) uint32     { return p.common.regs.Read32(p.common.off + off) }
func (p *PCI) write16(off mmio.Offset, v uint16) { p.common.regs.Write16(p.common.off+off, v) }
func (p *PCI) write32(off mmio.Offset, v uint32) { p.common.regs.Write32(p.common.off+off, v) }

// Features implements [Transport].
func (p *PCI) Features() Features {
	p.write32(pciDeviceFeatureSelect, 0)
	low := p.read32(pciDeviceFeature)
	p.write32(pciDeviceFeatureSelect, 1)
	return Features(p.read32(pciDeviceFeature))<<32 | Features(low)
}

// SetFeatures implements [Transport].
func (p *PCI) SetFeatures(f Features) {
	p.write32(pciDriverFeatureSelect, 0)
	p.write32(pciDriverFeature, uint32(f))
	p.write32(pciDriverFeatureSelect, 1)
	p.write32(pciDriverFeature, uint32(f>>32))
}

// Status implements [Transport].
func (p *PCI) Status() Status { return Status(p.common.regs.Read8(p.common.off + pciStatus)) }

// SetStatus implements [Transport].
func (p *PCI) SetStatus(s Status) { p.common.regs.Write8(p.common.off+pciStatus, uint8(s)) }

// ConfigGeneration implements [Transport].
func (p *PCI) ConfigGeneration() uint32 {
	return uint32(p.common.regs.Read8(p.common.off + pciGeneration))
}

// Config8 implements [Config].
func (p *PCI) Config8(off ConfigOffset) uint8 {
	if at, ok := p.config.at(uint64(off), 1); ok {
		return p.config.regs.Read8(at)
	}
	return 0
}

// Config16 implements [Config].
func (p *PCI) Config16(off ConfigOffset) uint16 {
	if at, ok := p.config.at(uint64(off), 2); ok {
		return p.config.regs.Read16(at)
	}
	return 0
}

// Config32 implements [Config].
func (p *PCI) Config32(off ConfigOffset) uint32 {
	if at, ok := p.config.at(uint64(off), 4); ok {
		return p.config.regs.Read32(at)
	}
	return 0
}

// selectQueue selects a queue, and reports whether the device has it.
func (p *PCI) selectQueue(queue int) bool {
	if queue < 0 || queue >= int(p.read16(pciNumQueues)) {
		return false
	}
	p.write16(pciQueueSelect, uint16(queue))
	return true
}

// QueueMax implements [Transport].
func (p *PCI) QueueMax(queue int) int {
	if !p.selectQueue(queue) {
		return 0
	}
	return min(int(p.read16(pciQueueSize)), maxQueueSize)
}

// SetQueue implements [Transport], by §4.1.5.1.3.
func (p *PCI) SetQueue(queue int, r Rings) error {
	if !p.selectQueue(queue) {
		return fmt.Errorf("%w: device has no queue %d", ErrQueue, queue)
	}
	if p.read16(pciQueueEnable) != 0 {
		return fmt.Errorf("%w: queue %d is in use already", ErrQueue, queue)
	}
	if err := p.findDoorbell(queue); err != nil {
		return err
	}
	p.write16(pciQueueSize, uint16(r.Size))
	p.writeAddr(pciQueueDesc, r.Desc)
	p.writeAddr(pciQueueDriver, r.Driver)
	p.writeAddr(pciQueueDevice, r.Device)
	p.write16(pciQueueEnable, 1)
	if p.read16(pciQueueEnable) != 1 {
		return fmt.Errorf("%w: device does not enable queue %d with %d descriptors", ErrQueue, queue, r.Size)
	}
	return nil
}

// writeAddr writes a 64-bit address as two registers, the low half first (§4.1.3.1).
func (p *PCI) writeAddr(off mmio.Offset, a dma.Addr) {
	p.write32(off, uint32(a))
	p.write32(off+4, uint32(a>>32))
}

// findDoorbell finds where notifications of the selected queue go (§4.1.4.4).
func (p *PCI) findDoorbell(queue int) error {
	off := uint64(p.read16(pciQueueNotifyOff)) * uint64(p.multiplier)
	at, ok := p.notify.at(off, 2)
	if !ok || at%2 != 0 {
		return fmt.Errorf("%w: notifications of queue %d go to %#x, which is odd or outside of %#x bytes", ErrQueue, queue, off, p.notify.len)
	}
	for len(p.doorbells) <= queue {
		p.doorbells = append(p.doorbells, 0)
	}
	p.doorbells[queue] = at
	return nil
}

// Notify implements [Transport]. The queue was set by SetQueue.
func (p *PCI) Notify(queue int) { p.notify.regs.Write16(p.doorbells[queue], uint16(queue)) }

// TakeInterrupt implements [Transport]. To read the ISR status takes its reasons and lowers the pin
// at once (§4.1.4.5). With MSI-X it does not hold any, and is not read.
func (p *PCI) TakeInterrupt() Interrupt {
	if p.vectors != 0 {
		return 0
	}
	return Interrupt(p.isr.regs.Read8(p.isr.off))
}

// Vectors implements [QueueInterrupter]: as many as UseMSIX was given.
func (p *PCI) Vectors() int { return p.vectors }

// SetQueueVector implements [QueueInterrupter].
func (p *PCI) SetQueueVector(queue, vector int) error {
	if !p.selectQueue(queue) {
		return fmt.Errorf("%w: device has no queue %d", ErrQueue, queue)
	}
	return p.setVector(pciQueueVector, vector)
}

// SetConfigVector implements [QueueInterrupter].
func (p *PCI) SetConfigVector(vector int) error { return p.setVector(pciConfigVector, vector) }

// setVector assigns a vector and looks whether the device has taken it (§4.1.5.1.2.1).
func (p *PCI) setVector(reg mmio.Offset, vector int) error {
	if vector < 0 || vector >= p.vectors {
		return fmt.Errorf("%w: vector %d of %d", ErrQueue, vector, p.vectors)
	}
	p.write16(reg, uint16(vector))
	if v := p.read16(reg); v != uint16(vector) {
		return fmt.Errorf("%w: device has no resources for vector %d (it reads %#x)", ErrQueue, vector, v)
	}
	return nil
}
