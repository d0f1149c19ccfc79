//go:build tamago && arm

// Command kernel is what the tests of the processor's package boot. The kernel command line says
// what it does: do=<one of the functions in table>.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/tamanet/tamanet/board/internal/testkernel"
	_ "github.com/tamanet/tamanet/board/mx6ullevk"
	"github.com/tamanet/tamanet/kernel/boot"
)

// table has what the kernel can do, by name.
var table = map[string]func(arg string){
	"fault":  testkernel.Fault,
	"fatal":  fatal,
	"host":   host,
	"random": random,
}

func main() {
	do, _ := boot.Lookup("do")
	name, arg, _ := strings.Cut(do, ":")
	f, ok := table[name]
	if !ok {
		fmt.Printf("do=%q is not known\n", do)
		os.Exit(1)
	}
	f(arg)
}
