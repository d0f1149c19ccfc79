//go:build tamago && arm

package imx6ul

import (
	"runtime/debug"
	"runtime/goos"
	"strings"
	"unsafe"

	"github.com/usbarmory/tamago/arm"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/kernel/boot"
)

// What the Go runtime is given, see package runtime/goos. cpuinit replaces ramSize
// by what it has found; the DMA memory is not part of it.
var (
	//go:linkname ramStart runtime/goos.RamStart
	ramStart uint = RAMStart
	//go:linkname ramSize runtime/goos.RamSize
	ramSize uint = 0x0800_0000
	//go:linkname ramStackOffset runtime/goos.RamStackOffset
	ramStackOffset uint = 0x100
)

// digprog is what the silicon says of itself (IMX6ULLRM §57.4.11), written by cpuinit.
var digprog uint32

// embedded is the command line of a board, which has no boot loader that could give one. The linker sets
// it (-X github.com/tamanet/tamanet/kernel/imx6ul.embedded=…).
var embedded string

// Memory gives memory to devices: its own is not cached, and what is lent of
// the heap has its cache lines written back or dropped.
var Memory *dma.Region

// cpu is the one Cortex-A7 core.
var cpu arm.CPU

// init1 runs once the runtime can allocate, before any goroutine.
//
//go:linkname init1 runtime/goos.Hwinit1
func init1() {
	cpu.Init()
	cpu.EnableSMP() // the boot ROM leaves it off when it loads by USB; caches need it
	cpu.InitMMU()
	cpu.EnableCache()
	goos.Exit = exit
	initMemory()
	initInterrupts()
	initWallClock()
}

// init has the garbage collector make use of the RAM, and work harder before that runs out.
func init() {
	_, usable := RAM()
	percent, limit := boot.GC(usable, boot.Parse(Cmdline()))
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
}

// uncached is a section of normal memory that no cache holds (ARM DDI 0406C Table B3-10, TEX=001
// C=0 B=0). Unlike device memory it allows any access, in any width.
const uncached = arm.TTE_SECTION | arm.TTE_AP_001<<10 | 1<<12 | arm.TTE_EXECUTE_NEVER

func initMemory() {
	start := uint32(ramStart + ramSize)
	cpu.ConfigureMMU(start, start+DMASize, 0, uncached)
	// SAFETY: cpuinit has kept this range from the runtime; it is mapped one to one.
	mem := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), start)), DMASize)
	Memory = dma.NewRegion(mem, dma.Addr(start))
	Memory.Sync = syncCache
}

// syncCache maintains the data cache for memory that is lent to a device.
func syncCache(b []byte, dir dma.Direction, done bool) {
	// SAFETY: the pointer is only used as an address, of memory that stays lent meanwhile.
	p, n := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))
	switch {
	case dir == dma.ToDevice && !done:
		cleanCache(p, n)
	case dir == dma.FromDevice && !done:
		// Cleaned too: a dirty line must not be written over what the device writes.
		cleanInvalidateCache(p, n)
	case dir == dma.FromDevice:
		// The processor may have fetched lines ahead meanwhile.
		invalidateCache(p, n)
	}
}

// Implemented in cpu_arm.s, for the lines of the n bytes at p.
func cleanCache(p, n uintptr)
func cleanInvalidateCache(p, n uintptr)
func invalidateCache(p, n uintptr)

// The family in DIGPROG.
const (
	familyUL  = 0x64
	familyULL = 0x65
)

// native reports whether this is a real processor: QEMU's has no revision.
//
//go:nosplit
func native() bool { return digprog&0xffff != 0 }

func family() uint32 { return digprog >> 16 & 0xff }

// Native reports whether this is a real processor.
func Native() bool { return native() }

// Model returns the processor's name, such as "i.MX6ULL", with a note when it is emulated.
func Model() string {
	name := "i.MX6"
	switch family() {
	case familyUL:
		name = "i.MX6UL"
	case familyULL:
		name = "i.MX6ULL"
		// OCOTP_CFG5: the ULZ is an ULL without some devices (IMX6ULZRM §37.5).
		if native() && Fuse(0, 6)>>6&1 != 0 {
			name = "i.MX6ULZ"
		}
	}
	if !native() {
		name += " (QEMU)"
	}
	return name
}

// RAM returns how many bytes of RAM there are, and how many of them the Go heap can have.
func RAM() (all, usable uint64) {
	_, end := dataRegion()
	stack := uint64(ramStackOffset) + bootStack
	return uint64(ramSize) + DMASize, uint64(ramStart) + uint64(ramSize) - stack - uint64(end)
}

// Cmdline returns the kernel command line: QEMU's, or else the one that the kernel was
// built with.
func Cmdline() string {
	// The first word is the kernel's name (QEMU softmmu/vl.c, semihosting/config.c).
	if _, rest, _ := strings.Cut(semihostingCmdline(), " "); rest != "" {
		return rest
	}
	return embedded
}
