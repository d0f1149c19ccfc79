// Package mmio is access to device registers in memory.
//
// A driver takes a [Region] and never an address, so that the same driver runs
// over hardware (At, on GOOS=tamago) and, on a host, over a [Fake] whose
// registers have side effects.
//
// Every access is made exactly once, with exactly the width that was asked for,
// and in program order with the other accesses to a Region and with ordinary
// memory: what was stored to memory before a Write is visible to the device
// when it sees the Write (Linux: writel), and what the device stored to memory
// before it answered a Read is visible after it (Linux: readl). Registers are
// little-endian, as both supported processors are.
package mmio

import "fmt"

// Offset is a register's distance in bytes from the start of its Region.
type Offset uint32

// Region is a range of device registers. Its methods are safe for concurrent
// use as far as the device is: a Region adds no lock and no atomicity across
// two accesses.
//
// An offset that is not a multiple of the width, or lies outside the Region, is
// a programming error and panics. An offset that came from a device must
// be checked against Size first.
type Region interface {
	// Size is the length of the Region in bytes.
	Size() int

	Read8(Offset) uint8
	Read16(Offset) uint16
	Read32(Offset) uint32
	// Read64 is a single access on 64-bit processors and two 32-bit ones, low
	// half first, on 32-bit processors.
	Read64(Offset) uint64

	Write8(Offset, uint8)
	Write16(Offset, uint16)
	Write32(Offset, uint32)
	// Write64 is split as Read64 is.
	Write64(Offset, uint64)
}

// check panics on an access that no register can answer.
func check(off Offset, width, size int) {
	if uint64(off)%uint64(width) != 0 {
		panic(fmt.Sprintf("mmio: %d-byte access at offset %#x is not aligned", width, off))
	}
	if uint64(off)+uint64(width) > uint64(size) {
		panic(fmt.Sprintf("mmio: %d-byte access at offset %#x is outside a region of %#x bytes", width, off, size))
	}
}
