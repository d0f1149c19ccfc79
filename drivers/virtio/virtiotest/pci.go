package virtiotest

import (
	"encoding/binary"
	"slices"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/drivers/pci/pcitest"
)

// Where a PCI device's structures are in its BAR, as in QEMU's.
const (
	pciBAR        = 4
	pciBARSize    = 0x4000
	pciCommon     = 0x0000
	pciISR        = 0x1000
	pciConfig     = 0x2000
	pciNotify     = 0x3000
	pciMultiplier = 4

	msixBAR     = 1
	msixBARSize = 0x1000
)

// NoVector is VIRTIO_MSI_NO_VECTOR.
const NoVector = 0xffff

// PCI is a Device on PCI (VIRTIO 1.2 §4.1), with the same state and the same violations. Its pin is
// the Device's Line; a vector's line is Lines[vector].
type PCI struct {
	*Device
	// Function is what the driver finds on the bus. Change it to be hostile before that.
	Function *pcitest.Function
	// Lines are what the entries of the MSI-X table raise.
	Lines []*Line
	// RefuseVector, when set, says for which vectors the device has no resources.
	RefuseVector func(v uint16) bool

	msix *mmio.Fake
	caps map[byte]int
	// vectors are those of the queues, and the last that of the configuration.
	vectors []uint16
}

// NewPCI puts d on PCI, with an MSI-X table of so many vectors, or none when it is 0. d is not used by
// its Region then.
func NewPCI(d *Device, vectors int) *PCI {
	p := &PCI{Device: d, Function: pcitest.New(0x1af4, 0x1040+uint16(d.ID)), caps: make(map[byte]int)}
	regs := mmio.NewFake(pciBARSize)
	regs.OnRead, regs.OnWrite = p.readBAR, p.writeBAR
	p.Function.AddBAR64(pciBAR, 0xfd00_4000, regs)
	if vectors > 0 {
		p.msix = mmio.NewFake(msixBARSize)
		p.Function.AddBAR(msixBAR, 0xfd00_1000, p.msix)
		p.Function.AddMSIX(vectors, msixBAR, 0)
		for range vectors {
			p.Lines = append(p.Lines, NewLine())
		}
	}
	// Not the order of the driver's own list.
	p.addStructure(3, pciISR, 0x1000, nil)
	p.addStructure(4, pciConfig, 0x1000, nil)
	p.addStructure(2, pciNotify, 0x1000, []byte{pciMultiplier, 0, 0, 0})
	p.addStructure(5, 0, 0, make([]byte, 4))
	p.addStructure(1, pciCommon, 0x1000, nil)
	p.noVectors()
	d.message = p.message
	return p
}

// addStructure appends a struct virtio_pci_cap.
func (p *PCI) addStructure(kind byte, off, length uint32, more []byte) {
	body := []byte{16 + byte(len(more)), kind, pciBAR, 0, 0, 0}
	body = binary.LittleEndian.AppendUint32(body, off)
	body = binary.LittleEndian.AppendUint32(body, length)
	p.caps[kind] = p.Function.AddCapability(pci.CapabilityVendor, append(body, more...))
}

// Capability returns where in the configuration space the virtio_pci_cap of a cfg_type is.
func (p *PCI) Capability(kind byte) int { return p.caps[kind] }

// Scan returns the function as its bus finds it.
func (p *PCI) Scan() *pci.Function {
	bus := pcitest.Bus(map[pci.Address]*pcitest.Function{pci.NewAddress(0, 2, 0): p.Function})
	return bus.Scan()[0]
}

// Vector returns the vector of a queue, or with queue -1 that of the configuration.
func (p *PCI) Vector(queue int) uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *p.vector(queue)
}

func (p *PCI) vector(queue int) *uint16 {
	if queue < 0 {
		queue = len(p.queues)
	}
	return &p.vectors[queue]
}

// noVectors is what a reset leaves.
func (p *PCI) noVectors() { p.vectors = slices.Repeat([]uint16{NoVector}, len(p.queues)+1) }

// message raises the line of a queue's vector, or of the configuration's with queue -1, when messages
// are on. It reports whether they are. The device's lock is held.
func (p *PCI) message(queue int) bool {
	if p.msix == nil || !p.msixOn() {
		return false
	}
	v := *p.vector(queue)
	if int(v) < len(p.Lines) && p.msix.Peek(mmio.Offset(16*v+12), 4)&1 == 0 {
		p.Lines[v].Wake()
	}
	return true
}

// msixOn looks for the enable bit and the function mask in the message control register.
func (p *PCI) msixOn() bool {
	const first = 0x40 // it is the first capability
	return binary.LittleEndian.Uint16(p.Function.Bytes[first+2:])&0xc000 == 0x8000
}

// common maps the common configuration (§4.1.4.3) to the registers of the MMIO transport, with the width of a field.
var common = map[mmio.Offset]struct {
	read, write mmio.Offset
	width       int
}{
	0:  {none, 0x014, 4},
	4:  {0x010, none, 4},
	8:  {none, 0x024, 4},
	12: {none, 0x020, 4},
	20: {0x070, 0x070, 1},
	21: {0x0fc, none, 1},
	22: {none, 0x030, 2},
	24: {0x034, 0x038, 2},
	28: {0x044, 0x044, 2},
	32: {none, 0x080, 4}, 36: {none, 0x084, 4},
	40: {none, 0x090, 4}, 44: {none, 0x094, 4},
	48: {none, 0x0a0, 4}, 52: {none, 0x0a4, 4},
}

// none is no register.
const none = ^mmio.Offset(0)

// readBAR answers a read of the BAR of the structures.
func (p *PCI) readBAR(off mmio.Offset, width int, stored uint64) uint64 {
	switch {
	case off >= pciNotify:
		p.wrong("notification %#x read", off)
	case off >= pciConfig:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.readConfig(int(off-pciConfig), width)
	case off >= pciISR:
		return p.takeISR()
	default:
		return p.readCommon(off, width)
	}
	return stored
}

// takeISR answers a read of the ISR status, which clears it (§4.1.4.5).
func (p *PCI) takeISR() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.isr
	p.isr = 0
	return uint64(v)
}

func (p *PCI) readCommon(off mmio.Offset, width int) uint64 {
	switch off {
	case 16, 18, 26, 30:
		p.mu.Lock()
		defer p.mu.Unlock()
		if width != 2 {
			p.violation("common configuration %d read with %d bytes", off, width)
		}
		return p.read16(off)
	}
	r, ok := common[off]
	if !ok || r.read == none || width != r.width {
		p.wrong("common configuration %d read with %d bytes", off, width)
		return 0
	}
	return p.read(r.read, 4, 0)
}

// read16 answers reads of what the MMIO transport does not have.
func (p *PCI) read16(off mmio.Offset) uint64 {
	switch q := p.selected(); {
	case off == 16:
		return uint64(*p.vector(-1))
	case off == 18:
		return uint64(len(p.queues))
	case q == nil:
		return 0
	case off == 26:
		return uint64(*p.vector(q.index))
	default:
		return uint64(2 * q.index) // the place in between stays unused
	}
}

// writeBAR takes a write to the BAR of the structures.
func (p *PCI) writeBAR(off mmio.Offset, width int, v uint64) uint64 {
	switch {
	case off >= pciNotify:
		queue := (off - pciNotify) / (2 * pciMultiplier)
		if width != 2 || (off-pciNotify)%(2*pciMultiplier) != 0 || uint64(queue) != v {
			p.wrong("notification of queue %d written at %#x with %d bytes", v, off, width)
		}
		p.write(0x050, 4, v)
	case off >= pciISR:
		p.wrong("%#x written", off)
	case off == 16 || off == 26:
		p.setVector(off, uint16(v))
	default:
		p.writeCommon(off, width, v)
	}
	return v
}

func (p *PCI) writeCommon(off mmio.Offset, width int, v uint64) {
	r, ok := common[off]
	if !ok || r.write == none || width != r.width {
		p.wrong("common configuration %d written with %d bytes", off, width)
		return
	}
	if off == 28 && v != 1 {
		p.wrong("queue_enable written with %d", v) // §4.1.4.3.2
	}
	p.write(r.write, 4, v)
	if off == 20 && v == 0 {
		p.mu.Lock()
		p.noVectors()
		p.mu.Unlock()
	}
}

// setVector takes a write to a vector register.
func (p *PCI) setVector(off mmio.Offset, v uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := -1
	if off == 26 {
		q := p.selected()
		if q == nil {
			p.violation("vector written for queue %d, which is not there", p.queueSel)
			return
		}
		if q.ready {
			p.violation("vector of queue %d written while it is enabled", q.index)
		}
		queue = q.index
	}
	if int(v) >= len(p.Lines) && v != NoVector {
		p.violation("vector %d of %d", v, len(p.Lines))
	}
	if p.RefuseVector != nil && p.RefuseVector(v) {
		v = NoVector
	}
	*p.vector(queue) = v
}

func (p *PCI) wrong(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.violation(format, args...)
}
