//go:build tamago

// Command kernel is what the board's tests boot. The kernel command line says
// what it does: do=<one of the functions in table>.
package main

import (
	"github.com/tamanet/tamanet/board/internal/testkernel"
	_ "github.com/tamanet/tamanet/board/microvm"
)

// table has what the kernel can do, by name.
var table = map[string]func(arg string){
	"info":    info,
	"exit":    exit,
	"panic":   func(string) { panic("as told") },
	"fault":   testkernel.Fault,
	"fatal":   fatal,
	"clock":   clock,
	"idle":    idle,
	"memory":  memory,
	"busy":    busy,
	"print":   printLines,
	"random":  random,
	"stray":   stray,
	"vector":  vector,
	"flood":   flood,
	"oneshot": oneshot,

	"parallel": parallel,
	"stress":   stress,
	"exitOn":   exitOn,
	"exitAll":  exitAll,
	"panicOn":  panicOn,
	"fatalOn":  fatalOn,
	"faultOn":  faultOn,
	"preempt":  preempt,
}

func main() { testkernel.Main(table) }
