//go:build tamago && arm

package imx6ul

import (
	_ "unsafe" // for go:linkname

	"github.com/tamanet/tamanet/kernel/entropy"
)

// Registers of the RNGB (IMX6ULLRM §44.6) and their bits.
const (
	rngCmd = rngb + 0x04
	rngCR  = rngb + 0x08
	rngSR  = rngb + 0x0c
	rngOut = rngb + 0x14

	rngCmdReset      = 1 << 6
	rngCmdClearError = 1 << 5
	rngCmdSeed       = 1 << 1
	rngCmdSelfTest   = 1 << 0
	rngCRReseed      = 1 << 4
	rngSRSelfTestBad = 1 << 21
	rngSRError       = 1 << 16
	rngSRLevel       = 0xf << 8
	rngSRSeeded      = 1 << 5
	rngSRTested      = 1 << 4

	// rngWait bounds a wait for the RNGB in nanoseconds; seeding takes 3 ms.
	rngWait = 100e6
)

// rngReady is set once the RNGB has been seeded.
var rngReady bool

// initRNG has nothing to do: the generator is set up when it is first asked.
//
//go:linkname initRNG runtime/goos.InitRNG
func initRNG() {}

// getRandomData fills b: on a board from the RNGB, which is a generator of its own, seeded by
// noise; in QEMU from the host's, on UART2. Where neither delivers the machine stops: nothing
// may go on with predictable keys. It does not allocate.
//
//go:linkname getRandomData runtime/goos.GetRandomData
func getRandomData(b []byte) {
	switch {
	case !native():
		if hostRandom(b) {
			return
		}
		stop("no random numbers from the host on the second serial port (QEMU: -serial stdio -serial pipe:/dev/urandom)")
	case family() != familyULL:
		stop("this processor has no RNGB, which random numbers need: i.MX6ULL and i.MX6ULZ have")
	case !entropy.Fill(b, rngbWord):
		stop("the RNGB delivers no random numbers")
	}
}

// rngbWord returns 64 random bits.
func rngbWord() (uint64, bool) {
	if !rngReady && !initRNGB() {
		return 0, false
	}
	var w uint64
	for range 2 {
		if !awaitRNG(rngSRLevel) || load32(rngSR)&rngSRError != 0 {
			return 0, false
		}
		w = w<<32 | uint64(load32(rngOut))
	}
	return w, true
}

// initRNGB tests the RNGB and has it seed itself, again and again (§44.5.2).
func initRNGB() bool {
	store32(rngCmd, rngCmdClearError|rngCmdReset)
	store32(rngCmd, rngCmdSelfTest)
	if !awaitRNG(rngSRTested) || load32(rngSR)&(rngSRError|rngSRSelfTestBad) != 0 {
		return false
	}
	store32(rngCR, rngCRReseed)
	store32(rngCmd, rngCmdSeed)
	rngReady = awaitRNG(rngSRSeeded)
	return rngReady
}

// awaitRNG waits until some bits of the status are set.
func awaitRNG(bits uint32) bool {
	for end := nanotime() + rngWait; load32(rngSR)&bits == 0; {
		if nanotime() > end {
			return load32(rngSR)&bits != 0
		}
	}
	return true
}
