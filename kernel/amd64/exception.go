//go:build tamago

package amd64

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Exception vectors that are told apart, SDM vol. 3 table 6-1.
const (
	vecDivide       = 0
	vecNMI          = 2
	vecDoubleFault  = 8
	vecProtection   = 13
	vecPageFault    = 14
	vecMachineCheck = 18

	vecExceptions = 32 // the exceptions are below
)

// Page fault error code bits, SDM vol. 3 §4.7.
const (
	faultPresent = 1 << 0
	faultWrite   = 1 << 1
	faultFetch   = 1 << 4
)

// Unix's signals for what a goroutine can recover from; not every GOOS=tamago has
// them in package syscall.
const (
	sigFPE  = 8
	sigSEGV = 11
)

// exitPanic is the exit status of a Go program that dies of a panic.
const exitPanic = 2

// trapFrame is what an exception leaves on its stack, lowest address first.
type trapFrame struct {
	cr2                                  uint64
	r15, r14, r13, r12, r11, r10, r9, r8 uint64
	bp, di, si, dx, cx, bx, ax           uint64
	vector, code                         uint64
	rip, cs, rflags, rsp, ss             uint64
}

// exceptionName has the names of the vectors, as the SDM gives them.
var exceptionName = [vecExceptions]string{
	0: "divide error", 1: "debug", 2: "non-maskable interrupt", 3: "breakpoint",
	4: "overflow", 5: "bound range exceeded", 6: "invalid opcode", 7: "device not available",
	8: "double fault", 10: "invalid TSS", 11: "segment not present", 12: "stack fault",
	13: "general protection", 14: "page fault", 16: "x87 floating point",
	17: "alignment check", 18: "machine check", 19: "SIMD floating point",
	20: "virtualization", 21: "control protection", 28: "hypervisor injection",
	29: "VMM communication", 30: "security",
}

var (
	// trapped is set with the first exception that ends the program, to 1 + the index of its
	// processor: a second one is not reported by Go code.
	trapped atomic.Uint32

	// fatalException is a variable for the assembler's sake, which can
	// call a closure but not a Go function of the other ABI.
	fatalException = reportException
)

// faultHandler is the address of the runtime's own handler for faults of
// goroutines, 0 where it has none.
var faultHandler uintptr

// init asks the runtime for its handler, which tamanet's GOOS=tamago offers as
// a method of syscall.Signal.
func init() {
	if s, ok := any(syscall.Signal(sigSEGV)).(interface{ FaultHandler() uintptr }); ok {
		faultHandler = s.FaultHandler()
	}
}

// callFault calls the runtime's handler with a signal, the address that
// faulted and what the processor pushed; the handler may change that. It
// reports whether the goroutine will panic. Implemented in interrupt_amd64.s.
//
//go:noescape
func callFault(handler uintptr, signal, addr uint64, pushed *uint64) bool

// Implemented in interrupt_amd64.s. exceptionCall is never called by Go code;
// exceptionCallPC returns its address.
func exceptionCall()
func exceptionCallPC() uintptr

// handleException decides what becomes of an exception. It runs on the
// exception's stack, so it and all it calls are nosplit. What a goroutine can
// recover from becomes a panic of its own. Otherwise the interrupted code goes on in
// exceptionCall, which ends the program, unless that cannot work either.
//
//go:nosplit
func handleException(f *trapFrame) {
	c := thisCPU()
	if f.vector == vecNMI && c.endsElsewhere() {
		haltForever()
	}
	if c.handling {
		// The frame of the first one is gone: both came on the same stack.
		putException(&c.trap)
		puts("while that was handled:")
		putException(f)
		exit(exitPanic)
	}
	c.handling = true
	c.trap = *f

	if !c.recoverable(f) {
		c.report(f)
	}
	c.handling = false
}

// report has the interrupted code go on in exceptionCall, as if the faulting
// instruction were a call of it, or ends the machine here when that cannot work.
//
//go:nosplit
func (c *cpu) report(f *trapFrame) {
	first := trapped.CompareAndSwap(0, 1+c.index)
	if !first && trapped.Load() != 1+c.index {
		// Another processor reports and then ends the machine, this one included.
		pauseFor(reportTime)
	}
	if !first || f.vector == vecNMI || f.vector == vecDoubleFault || f.vector == vecMachineCheck || c.onHandlerStack(f.rsp) {
		putException(f)
		exit(exitPanic)
	}

	// A jump to nowhere, as by a nil function, already pushed its return address.
	if inText(f.rip) {
		// The stack pointer of running Go code: Go keeps room below it for such a
		// call (runtime.preparePanic does the same). If it is bad, the
		// fault ends in handleException's first case.
		f.rsp -= 8
		store64(uintptr(f.rsp), f.rip)
	}
	f.rip = uint64(exceptionCallPC())
}

// recoverable has the runtime make a fault a panic of the goroutine, and reports
// whether it could. The signals are those of Unix.
//
//go:nosplit
func (c *cpu) recoverable(f *trapFrame) bool {
	if faultHandler == 0 || trapped.Load() == 1+c.index || c.onHandlerStack(f.rsp) {
		return false
	}
	switch f.vector {
	case vecDivide:
		return callFault(faultHandler, sigFPE, f.rip, &f.rip)
	case vecPageFault:
		return callFault(faultHandler, sigSEGV, f.cr2, &f.rip)
	case vecProtection:
		// The processor does not tell the address.
		return callFault(faultHandler, sigSEGV, ^uint64(0), &f.rip)
	}
	return false
}

// onHandlerStack reports whether sp is on a stack of interrupt handlers.
//
//go:nosplit
func (c *cpu) onHandlerStack(sp uint64) bool {
	// SAFETY: only addresses are used. The stacks follow each other.
	start := uint64(uintptr(unsafe.Pointer(&c.interruptStack)))
	end := uint64(uintptr(unsafe.Pointer(&c.doubleFaultStack))) + uint64(len(c.doubleFaultStack))

	return sp >= start && sp <= end
}

// reportTime is how long the report of an exception can take, with all goroutines'
// traces on a serial port.
const reportTime = 10 // seconds

// pauseFor waits, in seconds.
//
//go:nosplit
func pauseFor(seconds uint64) {
	for start := rdtsc(); rdtsc()-start < seconds*timebase.hz; {
	}
}

// inText reports whether pc is in the kernel's code.
//
//go:nosplit
func inText(pc uint64) bool {
	start, end := runtime.TextRegion()
	return pc >= start && pc < end
}

// reportException prints the exception and dies with all goroutines' traces. It
// runs on the system stack, where a panic is fatal.
func reportException() {
	putException(&cpus[trapped.Load()-1].trap)
	panic("unhandled processor exception")
}

// putException prints what is known about an exception, without the runtime.
//
//go:nosplit
func putException(f *trapFrame) {
	puts("\nexception: ")
	if f.vector < vecExceptions && exceptionName[f.vector] != "" {
		puts(exceptionName[f.vector])
	} else {
		puts("reserved")
	}
	puts(", vector ")
	putHex(f.vector)
	puts(", error code ")
	putHex(f.code)
	if f.vector == vecPageFault {
		puts(" (")
		putFault(f.code)
		puts(" at ")
		putHex(f.cr2)
		puts(")")
	}
	puts("\nrip ")
	putHex(f.rip)
	puts(" rsp ")
	putHex(f.rsp)
	puts(" rflags ")
	putHex(f.rflags)
	puts(" rax ")
	putHex(f.ax)
	puts(" rbx ")
	putHex(f.bx)
	puts(" rcx ")
	putHex(f.cx)
	puts(" rdx ")
	putHex(f.dx)
	puts("\n")
}

// putFault prints what a page fault's error code means.
//
//go:nosplit
func putFault(code uint64) {
	switch {
	case code&faultFetch != 0:
		puts("execute")
	case code&faultWrite != 0:
		puts("write")
	default:
		puts("read")
	}
	if code&faultPresent != 0 {
		puts(", protected")
	} else {
		puts(", not mapped")
	}
}
