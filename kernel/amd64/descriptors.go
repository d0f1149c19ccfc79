//go:build tamago

package amd64

import "unsafe"

const (
	codeSelector = 0x08
	tssSelector  = 0x20 // of the first processor's task state segment
	tssSize      = 16   // of such a descriptor
	gdtEntries   = (tssSelector + maxCPUs*tssSize) / 8

	gatePresent   = 0x80
	gateInterrupt = 0x0e // clears IF on entry
	tssAvailable  = 0x89 // present, 64-bit TSS, not busy

	vectors = 256

	// stubSize is the length of one entry of vectorStubs.
	stubSize = 5
)

// Interrupt stack table indexes, SDM vol. 3 §6.14.5. A goroutine's stack
// may have only a few hundred bytes left, so no handler runs on it. Handlers run with
// interrupts off; what can come in spite of that has its own stack. They are in type cpu.
const (
	istInterrupt   = 1
	istException   = 2
	istDoubleFault = 3 // also NMI and machine check
)

// taskState is the 64-bit task state segment, SDM vol. 3 §7.7. Its 64-bit
// fields are not aligned, so they are pairs of words.
type taskState struct {
	_     uint32
	rsp   [3][2]uint32
	ist   [8][2]uint32 // ist[0] is reserved
	_     [2]uint32
	_     uint16
	iomap uint16
}

// gate is an entry of the interrupt descriptor table, SDM vol. 3 §6.14.1.
type gate struct {
	offset0  uint16
	selector uint16
	ist      uint8
	attr     uint8
	offset1  uint16
	offset2  uint32
	_        uint32
}

var (
	// Defined in boot_amd64.s.
	gdt [gdtEntries]uint64

	idt  [vectors]gate
	idtr [10]byte
)

// stubs returns the address of vectorStubs. Implemented in interrupt_amd64.s.
func stubs() uintptr

// initTables fills in the interrupt descriptor table and has the first processor use its
// tables. From here on an exception is reported instead of resetting the machine.
func initTables() {
	stub := stubs()
	for v := range idt {
		idt[v] = newGate(stub+uintptr(v)*stubSize, istOf(v))
	}

	// SAFETY: only the address is used; idt is a package variable and stays.
	table := uint64(uintptr(unsafe.Pointer(&idt)))
	limit := uint16(unsafe.Sizeof(idt) - 1)
	idtr[0], idtr[1] = byte(limit), byte(limit>>8)
	for i := range 8 {
		idtr[2+i] = byte(table >> (8 * i))
	}

	bsp.describe(0)
	bsp.load()
}

// describe makes c the processor of that index, in its task state segment and the global descriptor table.
func (c *cpu) describe(index uint32) {
	// SAFETY: only the address is used; processors are never freed.
	base := uint64(uintptr(unsafe.Pointer(&c.tss)))
	c.self = c
	c.index = index
	c.setIST(istInterrupt, c.interruptStack[:])
	c.setIST(istException, c.exceptionStack[:])
	c.setIST(istDoubleFault, c.doubleFaultStack[:])
	c.tss.iomap = uint16(unsafe.Sizeof(c.tss))

	slot := c.selector() / 8
	gdt[slot] = uint64(unsafe.Sizeof(c.tss)-1) | base&0xffffff<<16 | tssAvailable<<40 | base>>24&0xff<<56
	gdt[slot+1] = base >> 32
}

// selector is that of c's task state segment.
//
//go:nosplit
func (c *cpu) selector() uint16 { return tssSelector + uint16(c.index)*tssSize }

// load has the processor that runs this be c, and use its tables.
//
//go:nosplit
func (c *cpu) load() {
	// SAFETY: only addresses are used; idtr is read by LIDT at once.
	wrmsr(msrGSBase, uint64(uintptr(unsafe.Pointer(c))))
	loadTables(uintptr(unsafe.Pointer(&idtr)), c.selector())
}

// istOf returns the interrupt stack of a vector.
func istOf(vector int) uint8 {
	switch {
	case vector == vecNMI, vector == vecDoubleFault, vector == vecMachineCheck:
		return istDoubleFault
	case vector < vecExceptions:
		return istException
	}
	return istInterrupt
}

// setIST makes a stack that grows down from the end of s known to the processor.
func (c *cpu) setIST(i int, s []byte) {
	// SAFETY: only the address of its end is used.
	top := uint64(uintptr(unsafe.Pointer(&s[0]))) + uint64(len(s))&^15
	c.tss.ist[i] = [2]uint32{uint32(top), uint32(top >> 32)}
}

// newGate describes an interrupt gate.
func newGate(handler uintptr, ist uint8) gate {
	return gate{
		offset0:  uint16(handler),
		selector: codeSelector,
		ist:      ist,
		attr:     gatePresent | gateInterrupt,
		offset1:  uint16(handler >> 16),
		offset2:  uint32(uint64(handler) >> 32),
	}
}
