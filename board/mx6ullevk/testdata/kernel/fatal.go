//go:build tamago && arm

package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// nowhere is an address where the machine has nothing.
const nowhere = 0x7000_0000

// fatal makes mistakes that end the program, but for the last.
func fatal(arg string) {
	switch arg {
	case "nil":
		var p *int
		*p = 1
	case "wild":
		mmio.At(nowhere, 4096).Write32(0, 1)
	case "undefined":
		undefined()
	case "breakpoint":
		breakpoint()
	case "jump": // out of the program
		jump(nowhere)
	case "data": // what is not code is not executed
		word := []uint32{0xe12fff1e} // BX LR
		jump(uintptr(unsafe.Pointer(&word[0])))
	case "system": // on the runtime's own stack
		systemstack(undefined)
	case "smash": // the stack pointer leads nowhere
		smash()
	case "recovered":
		defer func() { fmt.Println("fatal:", recover()) }()
		debug.SetPanicOnFault(true)
		mmio.At(nowhere, 4096).Write32(0, 1)
	}
	fmt.Printf("fatal: %q did nothing\n", arg)
	os.Exit(1)
}

//go:linkname systemstack runtime.systemstack
func systemstack(fn func())

// Implemented in assembly.
func undefined()
func breakpoint()
func jump(addr uintptr)
func smash()
