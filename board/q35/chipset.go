package q35

import (
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/kernel/irq"
)

// The memory controller and its PCIEXBAR register, Intel 3 Series Express Chipset §5.1.16.
const (
	regPCIEXBAR = 0x60

	pciexEnable = 1 << 0
	// Base address, bits 28 to 35; the two below are part of it in a shorter window.
	pciexBase = 0xf_f000_0000

	// defaultECAM is where QEMU's firmware puts it too: below it is RAM, above are devices.
	defaultECAM = 0xb000_0000
)

// memoryController is the function with the PCIEXBAR register.
var memoryController = pci.NewAddress(0, 0, 0)

// window is where devices' base addresses can be: behind ECAM's largest window, and
// below the I/O APIC. QEMU's RAM below 4 GiB ends at 0xb0000000 or sooner (hw/i386/pc_q35.c).
var window = pci.Window{Start: 0xc000_0000, End: 0xfec0_0000}

// ecam is where configuration space is, and how many buses of it.
type ecam struct {
	base  uint64
	buses int
}

// parsePCIEXBAR returns what a PCIEXBAR register says; ok is false when configuration space is not mapped, or not
// between RAM and the devices.
func parsePCIEXBAR(v uint64) (e ecam, ok bool) {
	base := uint64(pciexBase)
	switch v >> 1 & 3 {
	case 0:
		e.buses = 256
	case 1:
		e.buses, base = 128, base|1<<27
	case 2:
		e.buses, base = 64, base|1<<27|1<<26
	}
	e.base = v & base
	end := e.base + uint64(e.buses)<<20
	return e, v&pciexEnable != 0 && e.buses != 0 && e.base >= defaultECAM && end <= window.End
}

// pinLine returns the line of a function's interrupt pin on bus 0, as the ICH9 routes it when nothing
// has changed that (QEMU hw/isa/lpc_ich9.c ich9_cc_init): pins go to PIRQE to PIRQH by turns, which are lines 20 to
// 23. Those of devices 25 and up are of the chipset's own devices.
func pinLine(f *pci.Function) (l irq.Line, ok bool) {
	if f.Pin == 0 || f.Pin > 4 || f.Address.Bus() != 0 || f.Address.Device() >= 25 {
		return 0, false
	}
	return irq.Line(20 + (f.Address.Device()+int(f.Pin)-1)%4), true
}
