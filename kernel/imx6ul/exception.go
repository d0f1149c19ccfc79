//go:build tamago && arm

package imx6ul

import (
	"runtime"
	"syscall"
)

// Exceptions, by the offsets of their vectors (ARM DDI 0406C Table B1-3).
const (
	vecUndefined     = 0x04
	vecPrefetchAbort = 0x0c
	vecDataAbort     = 0x10
)

// Bits of a fault status register, DFSR or IFSR (ARM DDI 0406C §B4.1.51).
const (
	fsrStatus = 0x40f // bits 10 and 3:0
	fsrWrite  = 1 << 11
	fsrAsync  = 0x406
	fsrDebug  = 0x002
)

// modeSystem is the mode that Go code runs in, in the CPSR.
const (
	modeMask   = 0x1f
	modeSystem = 0x1f
)

// Unix's signals for what a goroutine can recover from, and for what it cannot; not every
// GOOS=tamago has them in package syscall.
const (
	sigILL  = 4
	sigSEGV = 11
)

// exitPanic is the exit status of a Go program that dies of a panic.
const exitPanic = 2

// trapFrame is what a handler in exception_arm.s leaves on its stack, lowest address first.
type trapFrame struct {
	vector, status, addr uint32
	r                    [13]uint32
	sp, lr, pc, cpsr     uint32
}

// abortName has the names of the faults, by their status (ARM DDI 0406C Table B3-23).
var abortName = [16]string{
	1: "alignment", 2: "debug event", 3: "access flag", 4: "cache maintenance", 5: "not mapped",
	6: "access flag", 7: "not mapped", 8: "external abort", 9: "domain", 11: "domain",
	12: "external abort on a table walk", 13: "permission", 14: "external abort on a table walk", 15: "permission",
}

var (
	// trap is the last exception.
	trap trapFrame

	// handling is set while handleException runs.
	handling bool

	// trapped is set with the first exception that ends the program: a second
	// one is not reported by Go code.
	trapped bool

	// fatalException is a variable for the assembler's sake.
	fatalException = fatal

	// handlerStack is for the handlers of exceptions, apart from that of interrupts, in which
	// they may occur.
	handlerStack [4096]byte
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

// callFault calls the runtime's handler with a signal, the address that faulted and where
// that was: sp, lr and pc, which the handler may change. It reports whether the goroutine will panic.
//
//go:noescape
func callFault(handler uintptr, signal, addr uint32, at *uint32) bool

// Implemented in exception_arm.s. setHandlerStack sets the stack of the modes that exceptions are taken
// in; exceptionCall is never called by Go code, exceptionCallPC returns its address.
func setHandlerStack(top uintptr)
func undefinedHandler()
func prefetchAbortHandler()
func dataAbortHandler()
func exceptionCall()
func exceptionCallPC() uint32

// handleException decides what becomes of an exception. It runs on handlerStack, so it and all it calls are
// nosplit. What a goroutine can recover from becomes a panic of its own; all else ends the program.
//
//go:nosplit
func handleException(f *trapFrame) {
	if handling {
		putException(&trap)
		puts("while that was handled:")
		putException(f)
		exit(exitPanic)
	}
	handling = true
	trap = *f

	if !recoverable(f) {
		report(f)
	}
	handling = false
}

// recoverable has the runtime make a fault a panic of the goroutine, and reports whether it could.
//
//go:nosplit
func recoverable(f *trapFrame) bool {
	if faultHandler == 0 || trapped || f.cpsr&modeMask != modeSystem || f.vector == vecUndefined {
		return false
	}
	if s := f.status & fsrStatus; s == fsrAsync || s == fsrDebug {
		return false // not this goroutine's, or meant for a debugger
	}
	return callFault(faultHandler, sigSEGV, f.addr, &f.sp)
}

// report prints an exception and has the interrupted code go on where the program ends with the traces of its
// goroutines, or ends the machine here when that cannot work.
//
//go:nosplit
func report(f *trapFrame) {
	putException(f)
	if trapped || f.cpsr&modeMask != modeSystem {
		exit(exitPanic)
	}
	trapped = true

	if faultHandler != 0 && callFault(faultHandler, sigILL, f.addr, &f.sp) {
		return // the runtime knows of no panic for this signal
	}
	if start, end := runtime.TextRegion(); f.pc >= start && f.pc < end {
		f.lr = f.pc
	}
	f.pc = exceptionCallPC()
}

// fatal ends the program. It runs on the system stack, where a panic is fatal.
func fatal() { panic("unhandled processor exception") }

// putException prints what is known about an exception, without the runtime.
//
//go:nosplit
func putException(f *trapFrame) {
	puts("\nexception: ")
	switch f.vector {
	case vecUndefined:
		puts("undefined instruction")
	case vecPrefetchAbort:
		puts("prefetch abort")
		putFault(f)
	case vecDataAbort:
		puts("data abort")
		putFault(f)
	}
	puts("\npc ")
	putHex(f.pc)
	puts(" lr ")
	putHex(f.lr)
	puts(" sp ")
	putHex(f.sp)
	puts(" cpsr ")
	putHex(f.cpsr)
	for i := 0; i < 4; i++ {
		puts(" r")
		printk('0' + byte(i))
		puts(" ")
		putHex(f.r[i])
	}
	puts("\n")
}

// putFault prints what a fault's status and address mean.
//
//go:nosplit
func putFault(f *trapFrame) {
	puts(", ")
	if f.status&fsrStatus == fsrAsync {
		puts("asynchronous external abort")
		return
	}
	puts(abortName[f.status&15])
	switch {
	case f.vector == vecPrefetchAbort:
		puts(", execute at ")
	case f.status&fsrWrite != 0:
		puts(", write at ")
	default:
		puts(", read at ")
	}
	putHex(f.addr)
}

//go:nosplit
func puts(s string) {
	for i := 0; i < len(s); i++ {
		printk(s[i])
	}
}

//go:nosplit
func putHex(v uint32) {
	puts("0x")
	for shift := 28; shift >= 0; shift -= 4 {
		printk("0123456789abcdef"[v>>shift&15])
	}
}
