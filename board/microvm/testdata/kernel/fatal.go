//go:build tamago

package main

import (
	"fmt"
	"os"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// fatal makes mistakes that end the program.
func fatal(arg string) {
	switch arg {
	case "nil":
		var p *int
		*p = 1
	case "wild": // an address that is not mapped
		mmio.At(1<<40, 4096).Write32(0, 1)
	case "opcode":
		invalidOpcode()
	case "int3":
		breakpoint()
	case "smash": // the stack pointer leads nowhere, so does the handler's push
		smash()
	}
	fmt.Printf("fatal: %q did nothing\n", arg)
	os.Exit(1)
}

// Implemented in assembly.
func invalidOpcode()
func breakpoint()
func smash()
