//go:build tamago

package amd64

import (
	_ "unsafe" // for go:linkname

	"github.com/tamanet/tamanet/kernel/entropy"
)

// initRNG has nothing to do: hwinit0 made sure that there is RDRAND.
//
//go:linkname initRNG runtime/goos.InitRNG
func initRNG() {}

// getRandomData fills b from RDRAND, which is a generator of its own (AES-CTR,
// SP 800-90A, reseeded by the processor), so it is used as it comes. When the processor
// fails to deliver the machine stops: nothing may go on with predictable keys.
//
//go:linkname getRandomData runtime/goos.GetRandomData
func getRandomData(b []byte) {
	if !entropy.Fill(b, rdrand) {
		stop("RDRAND delivers no random numbers")
	}
}
