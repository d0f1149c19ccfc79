package pci

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// The MSI-X capability and its table, PCI 3.0 §6.8.2.
const (
	msixControl mmio.Offset = 2
	msixTable   mmio.Offset = 4
	msixPBA     mmio.Offset = 8
	msixLen                 = 12

	msixSizeMask = 0x7ff
	msixMaskAll  = 1 << 14
	msixEnable   = 1 << 15
	msixBIR      = 7

	entrySize    = 16
	entryAddr    = 0
	entryAddrUp  = 4
	entryData    = 8
	entryControl = 12
	entryMasked  = 1 << 0
)

// Message is what a function writes, and where to, to raise an interrupt.
type Message struct {
	Addr uint64
	Data uint32
}

// MSIX is a function's table of interrupt messages.
type MSIX struct {
	f     *Function
	cap   Capability
	table mmio.Region
	first mmio.Offset
	size  int
}

// MSIX returns the function's interrupt table, with all entries masked and MSI-X still
// off. The error wraps ErrCapability when there is none, and ErrCapability or ErrBAR when it
// does not lie within a BAR. Enable was called before.
func (f *Function) MSIX() (*MSIX, error) {
	all, err := f.Capabilities()
	for _, c := range all {
		if c.ID == CapabilityMSIX {
			return f.newMSIX(c)
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %v has no MSI-X", ErrCapability, f)
}

func (f *Function) newMSIX(c Capability) (*MSIX, error) {
	if !c.holds(msixLen) {
		return nil, fmt.Errorf("%w: MSI-X of %v at %#x leaves configuration space", ErrCapability, f, c.Offset)
	}
	m := &MSIX{f: f, cap: c, size: int(f.cfg.Read16(c.Offset+msixControl)&msixSizeMask) + 1}
	table, pending := f.cfg.Read32(c.Offset+msixTable), f.cfg.Read32(c.Offset+msixPBA)
	regs, err := f.structure("MSI-X table", table, uint64(m.size)*entrySize)
	if err != nil {
		return nil, err
	}
	// A bit for each entry, in words of 64.
	if _, err := f.structure("MSI-X pending bits", pending, uint64(m.size+63)/64*8); err != nil {
		return nil, err
	}
	m.table, m.first = regs, mmio.Offset(table&^msixBIR)
	m.control(msixMaskAll, msixEnable)
	for i := range m.size {
		m.mask(i, entryMasked)
	}
	return m, nil
}

// structure opens the BAR that a register of the capability names, and checks
// that size bytes at the offset beside it are in there.
func (f *Function) structure(what string, register uint32, size uint64) (mmio.Region, error) {
	regs, err := f.Region(int(register & msixBIR))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if off := uint64(register &^ msixBIR); off+size > uint64(regs.Size()) {
		return nil, fmt.Errorf("%w: %s of %v, %d bytes at %#x, leaves BAR %d of %#x bytes", ErrCapability, what, f, size, off, register&msixBIR, regs.Size())
	}
	return regs, nil
}

// Size is how many entries the table has, 1 to 2048.
func (m *MSIX) Size() int { return m.size }

// Set makes entry i raise an interrupt by msg, and unmasks it. It may be called again
// while the entry is in use, to have another processor take its interrupts: one that
// comes up meanwhile is held until it is done. It panics when there is no entry i.
func (m *MSIX) Set(i int, msg Message) {
	m.mask(i, entryMasked)
	e := m.entry(i)
	m.table.Write32(e+entryAddr, uint32(msg.Addr))
	m.table.Write32(e+entryAddrUp, uint32(msg.Addr>>32))
	m.table.Write32(e+entryData, msg.Data)
	m.mask(i, 0)
}

// Enable has the function interrupt by messages, and no longer by its pin.
func (m *MSIX) Enable() {
	m.control(msixEnable, msixMaskAll)
	m.f.command(commandNoINTx, 0)
}

// entry returns where entry i is in the table's region.
func (m *MSIX) entry(i int) mmio.Offset {
	if i < 0 || i >= m.size {
		panic(fmt.Sprintf("pci: entry %d of an MSI-X table of %d", i, m.size))
	}
	return m.first + entrySize*mmio.Offset(i)
}

// mask writes the control word of an entry.
func (m *MSIX) mask(i int, v uint32) { m.table.Write32(m.entry(i)+entryControl, v) }

// control sets and clears bits of the message control register.
func (m *MSIX) control(set, clear uint16) {
	reg := m.cap.Offset + msixControl
	m.f.cfg.Write16(reg, m.f.cfg.Read16(reg)&^clear|set)
}
