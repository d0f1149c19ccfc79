//go:build tamago

package amd64

import (
	"runtime"
	"runtime/goos"
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/kernel/irq"
)

// Interrupt command register of the local APIC, SDM vol. 3 §10.6.1.
const (
	icrNMI     = 4<<8 | 1<<14
	icrInit    = 5<<8 | 1<<14
	icrStartup = 6<<8 | 1<<14 // with the number of the page to start in
	icrFixed   = 0
	icrOthers  = 3 << 18 // to all but the sender
)

// Where further processors start, in real mode: a page below 1 MiB that nothing else uses.
// The offsets of its variables are known to startCode and apStart32.
const (
	startPage = 0x8000

	startGDTR = startPage + 0x20
	startFar  = startPage + 0x28
	startCR3  = startPage + 0x30
	startCPU  = startPage + 0x38

	code32Selector = 0x18
)

// startCode is 16-bit code that enters protected mode and apStart32. The assembler knows none.
var startCode = [...]byte{
	0xfa,       // cli
	0x8c, 0xc8, // mov %cs, %ax
	0x8e, 0xd8, // mov %ax, %ds
	0x66, 0x0f, 0x01, 0x16, 0x20, 0x00, // lgdtl startGDTR
	0x0f, 0x20, 0xc0, // mov %cr0, %eax
	0x0c, 0x01, // or $1, %al
	0x0f, 0x22, 0xc0, // mov %eax, %cr0
	0x66, 0xff, 0x2e, 0x28, 0x00, // ljmpl *startFar
}

// Implemented in smp_amd64.s. apStart32 is where startCode jumps to; enterTask does not return.
func apStart32PC() uintptr
func readCR3() uint64
func enterTask(sp, gp, fn uintptr)

// apicIDs are the local APICs of the machine's processors, of which there are found.
var (
	apicIDs [4 * maxCPUs]uint32
	found   int
)

// findCPUs finds the machine's processors. It runs in hwinit0, before the heap grows
// over what a boot loader left in RAM.
func findCPUs() {
	found = boot.Processors(physical, boot.ParseStartInfo(startInfo[:]).RSDP, apicIDs[:])
}

// physical returns n bytes of what is mapped at an address, nil when not all of them are.
func physical(addr, n uint64) []byte {
	const end = 1 << 32
	if addr < pageSize || addr >= end || n > end-addr {
		return nil
	}
	// SAFETY: all below 4 GiB is mapped but the null page.
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(addr))), n)
}

// startCPUs starts the further processors, and has the runtime use them. Those that do not
// come up are named on the console and left out.
func startCPUs() {
	if found < 2 || !irq.Preempt() || !startPageIsRAM() {
		return
	}

	for _, id := range apicIDs[:found] {
		if id == bsp.apic {
			continue
		}
		if ncpu == maxCPUs {
			puts("tamanet: more than 16 processors: the others are not used\n")
			break
		}
		c := new(cpu)
		c.apic = id
		c.describe(uint32(ncpu))
		if why := c.start(); why != "" {
			sendIPI(id, icrInit) // it waits for another start
			puts("tamanet: the processor with local APIC ")
			putHex(uint64(id))
			puts(" is not used: ")
			puts(why)
			puts("\n")
			continue
		}
		cpus[ncpu] = c
		ncpu++
	}
	if ncpu == 1 {
		return
	}

	smp = true
	goos.ProcID = procID
	goos.Wake = wakeCPU
	goos.Task = startTask
	runtime.GOMAXPROCS(ncpu)
}

// startPageIsRAM reports whether processors can start.
func startPageIsRAM() bool {
	for _, e := range Memory() {
		if e.Type == boot.MemmapRAM && e.Start <= startPage && e.Start+e.Size >= startPage+pageSize {
			return true
		}
	}
	puts("tamanet: one processor is used: there is no RAM at 0x8000 for others to start in\n")
	return false
}

// How long a processor has to come up, in milliseconds: the first message may come while it
// still resets (SDM vol. 3 §8.4.4.1), and the second is the last. An emulated one waits for its
// turn on a host that is busy.
const (
	firstStart  = 10
	secondStart = 10_000
)

// start starts processor c. It returns why that did not work, or "".
func (c *cpu) start() string {
	page := physical(startPage, pageSize)
	copy(page, startCode[:])
	store16(page, startGDTR, gdtEntries*8-1)
	// SAFETY: only addresses are used; all is below 4 GiB.
	put32(page, startGDTR+2, uint32(uintptr(unsafe.Pointer(&gdt))))
	put32(page, startFar, uint32(apStart32PC()))
	store16(page, startFar+4, code32Selector)
	put32(page, startCR3, uint32(readCR3()))
	put32(page, startCPU, uint32(uintptr(unsafe.Pointer(c))))

	skew.turn.Store(0)
	sendIPI(c.apic, icrInit)
	for _, ms := range []uint64{firstStart, secondStart} {
		sendIPI(c.apic, icrStartup|startPage/pageSize)
		for start := rdtsc(); rdtsc()-start < timebase.hz/1000*ms; {
			if skew.turn.Load() != 0 {
				return measureSkew()
			}
		}
	}
	return "it does not come up"
}

func store16(page []byte, at int, v uint16) {
	page[at-startPage], page[at-startPage+1] = byte(v), byte(v>>8)
}

func put32(page []byte, at int, v uint32) {
	store16(page, at, uint16(v))
	store16(page, at+2, uint16(v>>16))
}

// skew is how a starting processor shows its time stamp counter: it makes turn odd when it
// has stored a value of it, and waits until turn is even again.
var skew struct {
	turn atomic.Uint32
	tsc  atomic.Uint64
}

// skewTurns is how many times the counters are compared.
const skewTurns = 4

// measureSkew compares a starting processor's time stamp counter with this one's: what it
// reads must be between what is read here before and after. It returns what is wrong, or "".
func measureSkew() string {
	for range skewTurns {
		before := rdtsc()
		turn := skew.turn.Add(1)
		for skew.turn.Load() == turn {
			if rdtsc()-before > timebase.hz/1000*secondStart {
				return "it stopped while it came up"
			}
		}
		tsc := skew.tsc.Load()
		if tsc < before || tsc > rdtsc() {
			return "its time stamp counter differs"
		}
	}
	return ""
}

// apMain is what a further processor does once it is in 64-bit mode, with interrupts off and no
// goroutine: all that it calls is nosplit.
//
//go:nosplit
func apMain(c *cpu) {
	c.load()
	if xcr0 != 0 {
		setXCR0(xcr0)
	}
	enableLAPIC()

	skew.turn.Store(1)
	for turn := uint32(1); turn < 1+2*skewTurns; turn += 2 {
		for skew.turn.Load() == turn {
		}
		skew.tsc.Store(rdtsc())
		skew.turn.Store(turn + 2)
	}

	// Interrupts of devices are taken meanwhile.
	for c.fn.Load() == 0 {
		stiHlt()
		cli()
	}
	store32(lapicTimerInitial, timing.tickCount)
	c.timer.deadline = rdtsc() + timing.tickTSC
	enterTask(c.sp, c.gp, c.fn.Load())
}

// procID is the hook of package runtime/goos: the calling processor's index.
//
//go:nosplit
func procID() uint64 { return uint64(thisCPU().index) }

// started is how many processors have a task, startTask's caller has a lock.
var started = 1

// startTask is the hook of package runtime/goos: it has another processor run fn.
// It does not allocate.
func startTask(sp, _, gp, fn unsafe.Pointer) {
	if started == ncpu {
		stop("the runtime wants more processors than there are")
	}
	c := cpus[started]
	started++
	c.sp, c.gp = uintptr(sp), uintptr(gp)
	c.fn.Store(uintptr(fn))
	sendIPI(c.apic, icrFixed|vecWake)
}

// wakeCPU is the hook of package runtime/goos: it makes a processor's idle return, or the
// next one when it is not idle.
func wakeCPU(id uint64) {
	c := cpus[id]
	c.wake.Store(1) // before the look at idleCPUs
	if idleCPUs.Load()&(1<<c.index) != 0 {
		sendIPI(c.apic, icrFixed|vecWake)
	}
}
