//go:build tamago

package amd64

import "unsafe"

const (
	pageSize      = 4096
	largePage     = 2 << 20
	pageWT        = 1 << 3 // write-through
	pageCD        = 1 << 4 // cache disable; with pageWT: PAT entry 3, uncached
	pageDirectory = 2      // the first page directory's page in bootPages
	directorySize = 4 * 512
)

// bootPages holds the page tables that cpuinit made, from its first page
// boundary on.
var bootPages [8 * pageSize]byte

// initPaging marks what lies above the end of RAM as uncached: device registers
// must be. A large page that RAM shares with something else counts as RAM.
func initPaging(ramEnd uint64) {
	// SAFETY: bootPages has a page to spare for the alignment, and the four page
	// directories are pages 2 to 5 of the seven.
	align := -uintptr(unsafe.Pointer(&bootPages)) & (pageSize - 1)
	pd := (*[directorySize]uint64)(unsafe.Add(unsafe.Pointer(&bootPages), align+pageDirectory*pageSize))

	for i := (ramEnd + largePage - 1) / largePage; i < directorySize; i++ {
		pd[i] |= pageCD | pageWT
	}
	flushTLB()
}
