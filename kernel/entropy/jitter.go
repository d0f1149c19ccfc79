package entropy

import "math/bits"

// jitterRounds is how many times the counter is looked at for each byte. A few of its bits
// differ from boot to boot on hardware and in virtual machines, where each disturbance leaves the guest; on
// a simulator that counts instructions none may.
const jitterRounds = 32

// Jitter fills b from the times that disturb takes, by a fast counter. It is for what only wants to
// differ from boot to boot, as seeds of hash tables: nobody has counted the bits of
// chance in it, so it must never become a key. It does not allocate.
func Jitter(b []byte, counter func() uint64, disturb func()) {
	var x uint64
	for i := range b {
		for range jitterRounds {
			disturb()
			// The multiplier is that of Knuth's MMIX generator; it carries low bits up.
			x = bits.RotateLeft64(x^counter(), 29) * 6364136223846793005
		}
		b[i] = byte(x >> 56)
	}
}
