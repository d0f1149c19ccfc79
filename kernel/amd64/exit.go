//go:build tamago

package amd64

import "sync/atomic"

// debugExit is the port of QEMU's isa-debug-exit device. A code written to it
// ends QEMU with the exit status code<<1|1.
const debugExit = 0xf4

// maxExit is the greatest code that fits through debugExit: an exit status has
// 8 bits.
const maxExit = 127

// ending is 1 + the index of the processor that ends the machine, 0 while none does.
var ending atomic.Uint32

// endsElsewhere reports whether another processor than c ends the machine.
//
//go:nosplit
func (c *cpu) endsElsewhere() bool {
	by := ending.Load()
	return by != 0 && by != 1+c.index
}

// stopOthers halts all other processors, or this one when another does that already. It is by an NMI, which
// handleException takes: INIT would have the processor that the machine booted with begin again.
//
//go:nosplit
func stopOthers() {
	c := thisCPU()
	if !ending.CompareAndSwap(0, 1+c.index) && c.endsElsewhere() {
		haltForever()
	}
	sendIPI(0, icrOthers|icrNMI)
}

// exit ends the machine, all other processors first, and is the runtime's way out for os.Exit and for
// panics. A code that does not fit into 0..127 becomes 127. Without QEMU's
// exit device the code is printed, and a triple fault resets the machine, which
// ends a virtual machine that was started with -no-reboot.
//
//go:nosplit
func exit(code int32) {
	cli()
	if smp {
		stopOthers()
	}

	if code < 0 || code > maxExit {
		code = maxExit
	}

	outb(debugExit, uint8(code))

	puts("exit status ")
	putHex(uint64(code))
	puts("\n")
	tripleFault()
}

// stop prints why the machine cannot go on, and ends it with status 1. It can be
// used before the runtime is set up.
//
//go:nosplit
func stop(why string) {
	puts("tamanet: ")
	puts(why)
	puts("\n")
	exit(1)
}
