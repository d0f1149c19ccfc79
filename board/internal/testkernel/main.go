//go:build tamago

package testkernel

import (
	"fmt"
	"os"
	"strings"

	"github.com/tamanet/tamanet/kernel/boot"
)

// Main does what the kernel command line says: do=<a name in table>, and behind a colon an argument.
func Main(table map[string]func(arg string)) {
	do, _ := boot.Lookup("do")
	name, arg, _ := strings.Cut(do, ":")
	f, ok := table[name]
	if !ok {
		fmt.Printf("do=%q is not known\n", do)
		os.Exit(1)
	}
	f(arg)
}
