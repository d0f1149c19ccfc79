//go:build tamago && arm

// Command kernel is what the tests of the processor's package boot. The kernel command line says
// what it does: do=<one of the functions in table>.
package main

import (
	"github.com/tamanet/tamanet/board/internal/testkernel"
	_ "github.com/tamanet/tamanet/board/mx6ullevk"
)

// table has what the kernel can do, by name.
var table = map[string]func(arg string){
	"fault":  testkernel.Fault,
	"fatal":  fatal,
	"host":   host,
	"random": random,
}

func main() { testkernel.Main(table) }
