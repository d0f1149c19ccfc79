package virtio

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
)

// Registers of the MMIO transport (§4.2.2, Table 4.1).
const (
	regMagicValue        mmio.Offset = 0x000
	regVersion           mmio.Offset = 0x004
	regDeviceID          mmio.Offset = 0x008
	regDeviceFeatures    mmio.Offset = 0x010
	regDeviceFeaturesSel mmio.Offset = 0x014
	regDriverFeatures    mmio.Offset = 0x020
	regDriverFeaturesSel mmio.Offset = 0x024
	regQueueSel          mmio.Offset = 0x030
	regQueueNumMax       mmio.Offset = 0x034
	regQueueNum          mmio.Offset = 0x038
	regQueueReady        mmio.Offset = 0x044
	regQueueNotify       mmio.Offset = 0x050
	regInterruptStatus   mmio.Offset = 0x060
	regInterruptACK      mmio.Offset = 0x064
	regStatus            mmio.Offset = 0x070
	regQueueDescLow      mmio.Offset = 0x080
	regQueueDriverLow    mmio.Offset = 0x090
	regQueueDeviceLow    mmio.Offset = 0x0a0
	regConfigGeneration  mmio.Offset = 0x0fc
	regConfig            mmio.Offset = 0x100
)

const (
	// magicValue is "virt" in little-endian order.
	magicValue = 0x74726976
	// versionModern is a device of VIRTIO 1.0 and later; 1 is the legacy interface.
	versionModern = 2
)

// MMIO is the MMIO transport of one device.
type MMIO struct {
	regs mmio.Region
	id   DeviceID
}

var _ Transport = (*MMIO)(nil)

// NewMMIO returns the transport of the device whose registers are regs. The error
// says which of magic value, version and device id is not that of a modern device.
func NewMMIO(regs mmio.Region) (*MMIO, error) {
	if n := regs.Size(); n < int(regConfig) {
		return nil, fmt.Errorf("virtio: %d bytes of registers, want at least %d", n, regConfig)
	}
	if v := regs.Read32(regMagicValue); v != magicValue {
		return nil, fmt.Errorf("virtio: magic value is %#x, want %#x: no virtio-mmio slot is at this address", v, magicValue)
	}
	if v := regs.Read32(regVersion); v != versionModern {
		return nil, fmt.Errorf("virtio: version is %d, want %d: for a QEMU device, pass -global virtio-mmio.force-legacy=false", v, versionModern)
	}
	id := DeviceID(regs.Read32(regDeviceID))
	if id == DeviceNone {
		return nil, fmt.Errorf("virtio: the slot is empty (device id 0)")
	}
	return &MMIO{regs: regs, id: id}, nil
}

// DeviceID implements [Transport].
func (m *MMIO) DeviceID() DeviceID { return m.id }

// Features implements [Transport].
func (m *MMIO) Features() Features {
	m.regs.Write32(regDeviceFeaturesSel, 0)
	low := m.regs.Read32(regDeviceFeatures)
	m.regs.Write32(regDeviceFeaturesSel, 1)
	high := m.regs.Read32(regDeviceFeatures)
	return Features(high)<<32 | Features(low)
}

// SetFeatures implements [Transport].
func (m *MMIO) SetFeatures(f Features) {
	m.regs.Write32(regDriverFeaturesSel, 0)
	m.regs.Write32(regDriverFeatures, uint32(f))
	m.regs.Write32(regDriverFeaturesSel, 1)
	m.regs.Write32(regDriverFeatures, uint32(f>>32))
}

// Status implements [Transport].
func (m *MMIO) Status() Status { return Status(m.regs.Read32(regStatus)) }

// SetStatus implements [Transport].
func (m *MMIO) SetStatus(s Status) { m.regs.Write32(regStatus, uint32(s)) }

// ConfigGeneration implements [Transport].
func (m *MMIO) ConfigGeneration() uint32 { return m.regs.Read32(regConfigGeneration) }

// config returns the register of a configuration field, or false past the end.
func (m *MMIO) config(off ConfigOffset, width int) (mmio.Offset, bool) {
	at := uint64(regConfig) + uint64(off)
	return mmio.Offset(at), at+uint64(width) <= uint64(m.regs.Size())
}

// Config8 implements [Config].
func (m *MMIO) Config8(off ConfigOffset) uint8 {
	if at, ok := m.config(off, 1); ok {
		return m.regs.Read8(at)
	}
	return 0
}

// Config16 implements [Config].
func (m *MMIO) Config16(off ConfigOffset) uint16 {
	if at, ok := m.config(off, 2); ok {
		return m.regs.Read16(at)
	}
	return 0
}

// Config32 implements [Config].
func (m *MMIO) Config32(off ConfigOffset) uint32 {
	if at, ok := m.config(off, 4); ok {
		return m.regs.Read32(at)
	}
	return 0
}

// QueueMax implements [Transport].
func (m *MMIO) QueueMax(queue int) int {
	m.regs.Write32(regQueueSel, uint32(queue))
	return int(min(m.regs.Read32(regQueueNumMax), maxQueueSize))
}

// SetQueue implements [Transport], by §4.2.3.2.
func (m *MMIO) SetQueue(queue int, r Rings) error {
	m.regs.Write32(regQueueSel, uint32(queue))
	if m.regs.Read32(regQueueReady) != 0 {
		return fmt.Errorf("%w: queue %d is in use already", ErrQueue, queue)
	}
	m.regs.Write32(regQueueNum, uint32(r.Size))
	m.writeAddr(regQueueDescLow, r.Desc)
	m.writeAddr(regQueueDriverLow, r.Driver)
	m.writeAddr(regQueueDeviceLow, r.Device)
	m.regs.Write32(regQueueReady, 1)
	if m.regs.Read32(regQueueReady) != 1 {
		return fmt.Errorf("%w: device does not enable queue %d with %d descriptors", ErrQueue, queue, r.Size)
	}
	return nil
}

// writeAddr writes a 64-bit address to a pair of registers, the low half at low.
func (m *MMIO) writeAddr(low mmio.Offset, a dma.Addr) {
	m.regs.Write32(low, uint32(a))
	m.regs.Write32(low+4, uint32(a>>32))
}

// Notify implements [Transport].
func (m *MMIO) Notify(queue int) { m.regs.Write32(regQueueNotify, uint32(queue)) }

// ackTries bounds how often TakeInterrupt looks again.
const ackTries = 8

// TakeInterrupt implements [Transport]. It reads until no reason is left: one that came up
// between the read and the acknowledgement keeps the line high, and a line that stays high
// makes no edge, so that an edge-triggered interrupt controller would never hear of this
// device again.
func (m *MMIO) TakeInterrupt() Interrupt {
	var all Interrupt
	for range ackTries {
		s := m.regs.Read32(regInterruptStatus)
		if s == 0 {
			break
		}
		m.regs.Write32(regInterruptACK, s)
		all |= Interrupt(s)
	}
	return all
}
