// Package clock holds the arithmetic of a kernel's clock: fixed-point ratios,
// the calibration of one counter by another, and the real-time clock's registers.
// It touches no hardware itself, allocates nothing, and can be used before the
// Go runtime is set up.
package clock

import "math/bits"

// Ratio is a positive fraction in fixed point, with 32 bits after the point. It
// turns counts of one clock into counts of another with a multiplication and
// a shift. The zero Ratio is 0.
type Ratio struct {
	mult uint64
}

// NewRatio returns num/den, rounded to nearest. den must not be 0, num must be below
// 2^32 times den. The relative error is below 2^-33 times den/num: less than one part in
// 10^9 for a counter of up to 8 GHz turned into nanoseconds.
func NewRatio(num, den uint64) Ratio {
	hi, lo := num>>32, num<<32
	lo, carry := bits.Add64(lo, den/2, 0)
	q, _ := bits.Div64(hi+carry, lo, den)
	return Ratio{q}
}

// Mul returns x times the ratio, rounded down. It is exact as long as the
// result fits into 64 bits.
func (r Ratio) Mul(x uint64) uint64 {
	hi, lo := bits.Mul64(x, r.mult)
	return hi<<32 | lo>>32
}
