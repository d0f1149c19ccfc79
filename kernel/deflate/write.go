package deflate

import "slices"

// bitWriter writes bits, the lowest first.
type bitWriter struct {
	out  []byte
	bits uint64
	n    int // of bits, less than 8 between calls
}

// put writes the lowest n bits of v, which has no others; n is at most 32.
func (w *bitWriter) put(v uint32, n int) {
	w.bits |= uint64(v) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// end returns what was written, in whole bytes.
func (w *bitWriter) end() []byte {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
	return w.out
}

// block writes a block with codes of its own (RFC 1951 §3.2.7), the way to write which is given from its end to its begin.
func (w *bitWriter) block(data []byte, way []match, c *counts, final bool) {
	literal, distance := makeCode(c.literal[:], longestCode), makeCode(c.distance[:], longestCode)
	if final {
		w.put(1, 1)
	} else {
		w.put(0, 1)
	}
	w.put(2, 2)
	w.codes(literal.lengths, distance.lengths)
	at := 0
	for _, m := range slices.Backward(way) {
		if m.distance == 0 {
			w.symbol(literal, int(data[at]))
		} else {
			w.match(literal, distance, int(m.length), int(m.distance))
		}
		at += int(m.length)
	}
	w.symbol(literal, endOfBlock)
}

func (w *bitWriter) match(literal, distance code, n, d int) {
	symbol, extra := lengthCode(n)
	w.symbol(literal, symbol)
	w.put(uint32(n-minMatch)&(1<<extra-1), extra)
	symbol, extra = distanceCode(d)
	base := 1
	if symbol >= firstFar {
		base = farBase
	}
	w.symbol(distance, symbol)
	w.put(uint32(d-base)&(1<<extra-1), extra)
}

func (w *bitWriter) symbol(c code, symbol int) { w.put(c.words[symbol], int(c.lengths[symbol])) }

// order is the order in which the lengths of the code of lengths come.
var order = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes writes the lengths of both codes, in a code of their own that has repetitions.
func (w *bitWriter) codes(literal, distance []uint8) {
	literal, distance = trim(literal, endOfBlock+1), trim(distance, 1)
	type run struct{ symbol, more, bits int }
	var runs []run
	var counts [len(order)]int
	all := slices.Concat(literal, distance)
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		var r run
		switch zero := all[i] == 0; {
		case zero && n >= 11:
			n = min(n, 138)
			r = run{18, n - 11, 7}
		case zero && n >= 3:
			r = run{17, n - 3, 3}
		case i > 0 && all[i-1] == all[i] && n >= 3:
			n = min(n, 6)
			r = run{16, n - 3, 2}
		default:
			n = 1
			r = run{int(all[i]), 0, 0}
		}
		counts[r.symbol]++
		runs = append(runs, r)
		i += n
	}
	c := makeCode(counts[:], longestLength)
	n := len(order)
	for n > 4 && c.lengths[order[n-1]] == 0 {
		n--
	}
	w.put(uint32(len(literal)-(endOfBlock+1)), 5)
	w.put(uint32(len(distance)-1), 5)
	w.put(uint32(n-4), 4)
	for _, symbol := range order[:n] {
		w.put(uint32(c.lengths[symbol]), 3)
	}
	for _, r := range runs {
		w.symbol(c, r.symbol)
		w.put(uint32(r.more), r.bits)
	}
}

// trim returns lengths without what is 0 at its end, but at least some of them.
func trim(lengths []uint8, least int) []uint8 {
	n := len(lengths)
	for n > least && lengths[n-1] == 0 {
		n--
	}
	return lengths[:n]
}
