//go:build tamago

package amd64

import (
	"runtime/goos"
	_ "unsafe" // for go:linkname

	"github.com/tamanet/tamanet/kernel/boot"
	_ "github.com/tamanet/tamanet/kernel/unpack" // in every kernel, for package pack to find
)

// What the Go runtime is given, see package runtime/goos. RamStart is where
// kernels are linked (see [github.com/tamanet/tamanet/board/microvm.TextStart]);
// RamSize is replaced at boot by what the memory map says. Its initial value only
// has to hold a stack, for the message that there is no memory map.
var (
	//go:linkname ramStart runtime/goos.RamStart
	ramStart uint = 0x0010_0000
	//go:linkname ramSize runtime/goos.RamSize
	ramSize uint = 0x0200_0000
	//go:linkname ramStackOffset runtime/goos.RamStackOffset
	ramStackOffset uint = 0x100
)

// Copied from the boot loader's memory by cpuinit.
var (
	startInfo     [56]byte
	cmdline       [4096]byte
	memmap        [32 * boot.MemmapEntrySize]byte
	memmapEntries uint32
)

// hwinit0 runs on the boot stack before the runtime is set up: it must not
// allocate, and package variables have their static values only. What the runtime's
// own start needs is made ready here: console, exit, clock, random numbers.
//
//go:linkname hwinit0 runtime/goos.Hwinit0
func hwinit0() {
	goos.Exit = exit

	initConsole()
	maskPIC()

	if memmapEntries == 0 {
		stop("no memory map: boot by PVH (QEMU -kernel) with start info version 1 or later")
	}

	initGenerator()
	initTables()
	initPaging(uint64(ramStart) + uint64(ramSize))
	initVector()
	initClock()
	findCPUs()
}

// hwinit1 runs once the runtime can allocate. Everything is ready by then.
//
//go:linkname hwinit1 runtime/goos.Hwinit1
func hwinit1() {}

// Cmdline returns the kernel command line, at most 4095 bytes of it.
func Cmdline() string {
	n := 0
	for n < len(cmdline) && cmdline[n] != 0 {
		n++
	}
	return string(cmdline[:n])
}

// Memory returns the memory map that the boot loader handed over, at most
// 32 entries of it.
func Memory() []boot.MemmapEntry {
	return boot.ParseMemmap(memmap[:memmapEntries*boot.MemmapEntrySize])
}

// HasACPI reports whether the boot loader handed over ACPI tables (an RSDP).
func HasACPI() bool {
	return boot.ParseStartInfo(startInfo[:]).RSDP != 0
}
