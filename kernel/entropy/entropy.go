// Package entropy fills memory from a hardware random number generator that
// can run dry, or be broken.
//
// Reference: Intel Digital Random Number Generator (DRNG) Software
// Implementation Guide 2.1, §5.2.1 (retries).
package entropy

// retries is how often Intel's guide (§5.2.1) asks again before it takes a
// generator for broken.
const retries = 10

// Fill fills b with the words that next yields, each of which comes with a flag
// that says whether it is valid. It returns false, with b partly filled, when the
// generator fails ten times in a row or yields the same word three times.
//
// It does not allocate, so a kernel can use it before its runtime is set up. It may be
// called concurrently if next may.
func Fill(b []byte, next func() (word uint64, ok bool)) bool {
	var check check
	for len(b) > 0 {
		w, ok := retry(next)
		if !ok || !check.ok(w) {
			return false
		}
		for i := 0; i < 8 && len(b) > 0; i++ {
			b[0] = byte(w)
			w >>= 8
			b = b[1:]
		}
	}
	return true
}

// retry asks for one word, ten times if need be.
func retry(next func() (uint64, bool)) (uint64, bool) {
	for range retries {
		if w, ok := next(); ok {
			return w, true
		}
	}
	return 0, false
}
