//go:build tamago

package main

import (
	"fmt"

	"github.com/tamanet/tamanet/board/microvm/testdata/digest"
)

// vector prints a digest of what Go's assembly makes of the vector unit.
func vector(string) {
	fmt.Printf("vector: %x\n", digest.Sum())
}
