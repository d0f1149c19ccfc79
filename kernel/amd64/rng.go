//go:build tamago

package amd64

import (
	"io"
	_ "unsafe" // for go:linkname

	"github.com/tamanet/tamanet/kernel/entropy"
)

// generator is where random numbers come from.
var generator struct {
	rdrand bool
	// seeded is set once the runtime has its own seed, the first random numbers that it asks for.
	seeded bool
	// pool is over the board's device, where there is no RDRAND.
	pool *entropy.Pool
}

// initGenerator looks what the processor has. It runs in hwinit0.
func initGenerator() { generator.rdrand = cpuHas(ecxRDRAND) }

// HasRDRAND reports whether random numbers come from the processor; otherwise the board has
// to give a source of them.
func HasRDRAND() bool { return generator.rdrand }

// SetEntropySource has random numbers come from a source, on a processor without RDRAND. With
// nil the machine stops, and says what is missing. A board calls it once while it is
// initialised. The source's Read is not called concurrently, and must not need random numbers.
func SetEntropySource(source io.Reader) {
	switch {
	case generator.rdrand:
	case source == nil:
		stop("this CPU lacks RDRAND and the machine a virtio-rng device, one of which random numbers need: choose another CPU, as QEMU's -cpu max or qemu64,+rdrand, or add the device, -device virtio-rng-device or virtio-rng-pci")
	default:
		generator.pool = entropy.NewPool(source)
	}
}

// initRNG has nothing to do.
//
//go:linkname initRNG runtime/goos.InitRNG
func initRNG() {}

// getRandomData fills b from RDRAND, which is a generator of its own (AES-CTR,
// SP 800-90A, reseeded by the processor), so it is used as it comes; or from the board's
// device. Where neither delivers the machine stops: nothing may go on with
// predictable keys.
//
// Without RDRAND the runtime's seed is an exception: it is needed before any code that could
// talk to a device, and is taken from how long port accesses take. The runtime makes of it the order of
// maps and select, seeds of hash tables, and what math/rand yields by itself: nothing that
// claims to be secret. Package crypto/rand and what is above it never see it.
//
//go:linkname getRandomData runtime/goos.GetRandomData
func getRandomData(b []byte) {
	switch seed := !generator.seeded; {
	case generator.rdrand:
		if !entropy.Fill(b, rdrand) {
			stop("RDRAND delivers no random numbers")
		}
	case seed:
		entropy.Jitter(b, rdtsc, disturb)
	case generator.pool == nil:
		stop("random numbers are asked for before the board is initialised, and this CPU lacks RDRAND: choose another one, as QEMU's -cpu max or qemu64,+rdrand")
	default:
		if err := generator.pool.Fill(b); err != nil {
			stop("the virtio-rng device delivers no random numbers: " + err.Error())
		}
	}
	generator.seeded = true
}

// disturb reads a port, which takes another time each time.
func disturb() { inb(pitGate) }
