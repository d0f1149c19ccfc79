//go:build tamago

package amd64

import (
	"runtime"
	"runtime/debug"

	"github.com/tamanet/tamanet/kernel/boot"
)

// bootStack is how much the runtime leaves for its first stack at the end of
// RAM (rt0_go, 64 KiB).
const bootStack = 64 << 10

// init has the garbage collector make use of the RAM, and work harder before that runs out: by its own measure
// the heap may grow to several times of what is in use, and there is nothing to swap to.
func init() {
	percent, limit := boot.GC(Usable(), boot.Parse(Cmdline()))
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
}

// Usable returns the bytes of RAM that the Go heap and its bookkeeping can have: from
// the end of the kernel to the end of the RAM region that the kernel is in.
func Usable() uint64 {
	_, ramEnd := runtime.MemRegion()
	_, kernelEnd := runtime.DataRegion()
	return ramEnd - uint64(ramStackOffset) - bootStack - kernelEnd
}

// Unusable returns the bytes of RAM above the region that the kernel is in.
func Unusable() uint64 {
	_, ramEnd := runtime.MemRegion()

	var sum uint64
	for _, e := range Memory() {
		if e.Type == boot.MemmapRAM && e.Start >= ramEnd {
			sum += e.Size
		}
	}
	return sum
}
