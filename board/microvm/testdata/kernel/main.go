// Command kernel is what the board's tests boot. The kernel command line says
// what it does.
package main

import (
	"fmt"
	"os"

	_ "github.com/tamanet/tamanet/board/microvm"
)

func main() {
	fmt.Println("hello")
	os.Exit(3)
}
