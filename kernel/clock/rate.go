package clock

import "math/bits"

const (
	windows = 5 // measurements, of which the median counts
	tries   = 5 // readings, of which the quickest counts

	// deadPolls is after how many readings a reference that does not move is
	// taken for absent. Every reference ticks at least once in a few
	// microseconds, a reading takes longer than 20 ns.
	deadPolls = 100_000
)

// Rate measures counter's rate in Hz against a reference of a known rate. ref
// counts upwards modulo mask+1 (mask is 2^n-1); one measurement lasts window
// counts of it, which must be less than mask. The median of five measurements is
// returned, and each one begins and ends with the quickest of several readings, so
// that an interruption between the two counters' readings does not spoil it. They
// overlap: a machine that boots waits for little more than one. All are done again where an
// interruption was longer than the reference's period.
// It returns 0 when the reference stands still.
func Rate(counter, ref func() uint64, mask, window, refHz uint64) uint64 {
	var least uint64
	for range tries {
		rate, whole := overlapping(counter, ref, mask, window, refHz)
		if rate == 0 || whole {
			return rate
		}
		if least == 0 || rate < least {
			least = rate
		}
	}
	return least
}

// overlapping measures once. A period of the reference that an interruption hides makes the rate at least twice of
// what it is; the interruption cannot be both in the time in which measurements begin and in that in which they
// end, so that one of the two tells. whole is whether none was hidden.
func overlapping(counter, ref func() uint64, mask, window, refHz uint64) (rate uint64, whole bool) {
	var c0, r0, c1, r1, rates [windows]uint64

	for i := range windows {
		if i > 0 && !elapse(ref, r0[i-1], mask, window/(4*windows)) {
			return 0, false
		}
		c0[i], r0[i] = sample(counter, ref)
	}
	for i := range windows {
		if !elapse(ref, r0[i], mask, window) {
			return 0, false
		}
		c1[i], r1[i] = sample(counter, ref)

		r := mulDiv(c1[i]-c0[i], refHz, (r1[i]-r0[i])&mask)

		// Insertion sort.
		j := i
		for ; j > 0 && rates[j-1] > r; j-- {
			rates[j] = rates[j-1]
		}
		rates[j] = r
	}

	const last = windows - 1
	begin := mulDiv(c0[last]-c0[0], refHz, (r0[last]-r0[0])&mask)
	end := mulDiv(c1[last]-c1[0], refHz, (r1[last]-r1[0])&mask)
	rate = rates[windows/2]
	return rate, rate/3 < min(begin, end)/2
}

// sample reads both counters at nearly the same moment: the counter is taken
// in the middle of the quickest reading of the reference.
func sample(counter, ref func() uint64) (c, r uint64) {
	best := ^uint64(0)

	for range tries {
		before := counter()
		now := ref()
		took := counter() - before
		if took < best {
			best = took
			c, r = before+took/2, now
		}
	}

	return c, r
}

// elapse waits until the reference has counted window since start. It returns
// false when the reference stands still.
func elapse(ref func() uint64, start, mask, window uint64) bool {
	last, still := start, 0

	for {
		now := ref()
		if (now-start)&mask >= window {
			return true
		}
		if now != last {
			last, still = now, 0
			continue
		}
		if still++; still == deadPolls {
			return false
		}
	}
}

// mulDiv returns a*b/c, and 0 when c is 0 or the result does not fit.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// Bounds of a time stamp counter's rate in Hz that can be believed.
const (
	minTSC = 50e6
	maxTSC = 20e9
)

// ChooseRate picks a time stamp counter's rate in Hz from one that was
// measured and those that the processor states, in order of trust; 0 means
// not known. A stated rate is exact and wins if the measurement confirms it within
// 1%, or if there is no measurement. It returns 0 when nothing believable is known.
func ChooseRate(measured uint64, stated ...uint64) uint64 {
	if measured < minTSC || measured > maxTSC {
		measured = 0
	}

	for _, s := range stated {
		if s < minTSC || s > maxTSC {
			continue
		}
		if measured == 0 || (s > measured-measured/100 && s < measured+measured/100) {
			return s
		}
	}

	return measured
}
