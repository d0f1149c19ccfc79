package deflate

import (
	"cmp"
	"math/bits"
	"slices"
)

// code is a prefix code: the length of each symbol's word in bits, 0 for one that does not occur, and the words, whose first
// bit is the lowest.
type code struct {
	lengths []uint8
	words   []uint32
}

// makeCode returns a code for symbols that occur so often, without words that are longer than limit. It takes some bits more than the
// best one where that has longer ones.
func makeCode(counts []int, limit int) code {
	counts = slices.Clone(counts)
	for {
		lengths := huffman(counts)
		if int(slices.Max(lengths)) <= limit {
			return code{lengths, words(lengths)}
		}
		for i, n := range counts {
			if n > 0 {
				counts[i] = n/2 + 1
			}
		}
	}
}

// huffman returns the lengths of the best code.
func huffman(counts []int) []uint8 {
	lengths := make([]uint8, len(counts))
	type node struct{ count, parent, symbol int }
	var nodes []node // first the symbols, the rarest first; then what is above, which comes out in order as well
	for symbol, n := range counts {
		if n > 0 {
			nodes = append(nodes, node{n, 0, symbol})
		}
	}
	symbols := len(nodes)
	if symbols == 1 {
		lengths[nodes[0].symbol] = 1
		return lengths
	}
	slices.SortStableFunc(nodes, func(a, b node) int { return cmp.Compare(a.count, b.count) })
	below, above := 0, symbols // the first of each that has no parent
	for range symbols - 1 {
		sum := 0
		for range 2 {
			next := &above
			if below < symbols && (above == len(nodes) || nodes[below].count <= nodes[above].count) {
				next = &below
			}
			nodes[*next].parent = len(nodes)
			sum += nodes[*next].count
			*next++
		}
		nodes = append(nodes, node{count: sum})
	}
	depths := make([]uint8, len(nodes))
	for i := len(nodes) - 2; i >= 0; i-- {
		depths[i] = depths[nodes[i].parent] + 1
		if i < symbols {
			lengths[nodes[i].symbol] = depths[i]
		}
	}
	return lengths
}

// words returns the words of a code with these lengths (RFC 1951 §3.2.2).
func words(lengths []uint8) []uint32 {
	words := make([]uint32, len(lengths))
	next := uint32(0)
	for length := uint8(1); length <= longestCode; length++ {
		next <<= 1
		for symbol, n := range lengths {
			if n == length {
				words[symbol] = bits.Reverse32(next) >> (32 - length)
				next++
			}
		}
	}
	return words
}
