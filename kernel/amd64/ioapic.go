//go:build tamago

package amd64

import (
	"fmt"
	"sync"

	"github.com/tamanet/tamanet/kernel/irq"
)

// Registers of an I/O APIC, 82093AA §3: an index and a window to 32-bit registers.
const (
	ioapicSelect = 0x00
	ioapicWindow = 0x10

	ioapicVersion  = 0x01 // bits 16 to 23: number of the last redirection entry
	ioapicRedirect = 0x10 // two registers each, low half first

	redirectMasked = 1 << 16
)

// ioapic is an interrupt controller that serves consecutive lines.
type ioapic struct {
	base  uintptr
	first irq.Line
	lines int
}

// ioapics are the controllers that [AddIOAPIC] found; the lock also keeps
// the pairs of accesses to a controller together.
var ioapics struct {
	sync.Mutex
	all  []ioapic
	next int // processor of the next line
}

// NextAPIC returns the number of a local APIC for a further line to interrupt: those of
// the processors by turns, that which the machine booted with first. [EnableLine] uses it by
// itself; it is for lines that are messages of a device.
func NextAPIC() uint8 {
	ioapics.Lock()
	defer ioapics.Unlock()
	return ioapicsNext()
}

// ioapicsNext is NextAPIC with the lock held.
func ioapicsNext() uint8 {
	c := cpus[ioapics.next%ncpu]
	ioapics.next++
	return uint8(c.apic)
}

// AddIOAPIC adds the I/O APIC at an address, whose first input is line first,
// with all lines masked. It returns the number of its lines, 0 when there is none at
// that address.
func AddIOAPIC(base uintptr, first irq.Line) int {
	ioapics.Lock()
	defer ioapics.Unlock()

	io := ioapic{base: base, first: first}
	version := io.read(ioapicVersion)
	if version == 0 || version == ^uint32(0) {
		return 0
	}
	io.lines = int(version>>16&0xff) + 1

	for i := range io.lines {
		io.redirect(i, redirectMasked)
	}
	ioapics.all = append(ioapics.all, io)
	return io.lines
}

// EnableLine unmasks a line: an edge, low to high, raises it at package irq. Its handler runs on
// the processor that [NextAPIC] names. The error says that no I/O APIC has such a line.
func EnableLine(l irq.Line) error {
	ioapics.Lock()
	defer ioapics.Unlock()

	for i := range ioapics.all {
		io := &ioapics.all[i]
		n := int(l) - int(io.first)
		if n < 0 || n >= io.lines || l > maxLine {
			continue
		}
		io.redirect(n, uint64(ioapicsNext())<<56|uint64(vecLines+l))
		return nil
	}
	return fmt.Errorf("interrupt line %d is at no I/O APIC", l)
}

// redirect writes a redirection entry, the half with the mask last.
func (io *ioapic) redirect(n int, entry uint64) {
	reg := uint32(ioapicRedirect + 2*n)
	io.write(reg, redirectMasked)
	io.write(reg+1, uint32(entry>>32))
	io.write(reg, uint32(entry))
}

func (io *ioapic) read(reg uint32) uint32 {
	store32(io.base+ioapicSelect, reg)
	return load32(io.base + ioapicWindow)
}

func (io *ioapic) write(reg, v uint32) {
	store32(io.base+ioapicSelect, reg)
	store32(io.base+ioapicWindow, v)
}
