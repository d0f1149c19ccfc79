//go:build tamago && arm

package imx6ul

import (
	"math/rand/v2"
	"sync/atomic"
)

// hostWait bounds the wait for a byte of the host's, in nanoseconds.
const hostWait = 10e9

// host is a generator that is seeded from the host: a byte of the host's takes QEMU some 100 µs.
var host struct {
	busy   atomic.Bool
	seeded bool
	chacha rand.ChaCha8
}

// hostRandom fills b with random numbers and says whether the host gives any. It may be called by any goroutine, and
// by the runtime, which cannot wait: while another one uses the generator it takes the host's bytes themselves.
func hostRandom(b []byte) bool {
	if !host.busy.CompareAndSwap(false, true) {
		return hostBytes(b)
	}
	defer host.busy.Store(false)
	if !host.seeded {
		var seed [32]byte
		if !hostBytes(seed[:]) {
			return false
		}
		host.chacha.Seed(seed)
		host.seeded = true
	}
	host.chacha.Read(b) // never fails
	return true
}

// hostBytes fills b with what comes in on UART2, where QEMU has the host's random numbers, and says whether
// all of it came.
func hostBytes(b []byte) bool {
	for i := range b {
		v := load32(uart2 + urxd)
		for end := int64(0); v&urxdReady == 0; v = load32(uart2 + urxd) {
			if now := nanotime(); end == 0 {
				end = now + hostWait
			} else if now > end {
				return false
			}
		}
		b[i] = byte(v)
	}
	return true
}
