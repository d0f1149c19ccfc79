// Package deflate compresses to the format DEFLATE (RFC 1951), slowly, and by a tenth better than
// compress/flate. It looks for the cheapest way to write each block by the codes of the block's last try, not for the
// longest match at each place.
//
// It refers back further than RFC 1951, whose 30 codes of distances end at 32768, by the two that are left:
//
//	code  distances from  extra bits
//	30             32767          20
//	31             32767          24
//
// Data of up to 32768 bytes has none of them. What reads both is package unpack.
//
// A kernel of 11 MB takes 5 to 10 s, and 100 MB of memory meanwhile.
package deflate

import (
	"math"
	"math/bits"
)

const (
	blockSize = 128 << 10 // of data
	passes    = 2         // over a block: each knows the codes of the one before

	minMatch, maxMatch = 3, 258

	endOfBlock    = 256
	literals      = 286 // and lengths, with endOfBlock
	distances     = 32
	maxNear       = 32768
	farBase       = 32767
	farBits       = 20
	fartherBits   = 24
	maxDistance   = farBase + 1<<fartherBits - 1
	firstFar      = 30
	longestCode   = 15
	longestLength = 7 // of a code of lengths of codes
)

// match is a way to write the next length bytes: as a copy of what is distance behind, or literally if that is 0.
type match struct{ length, distance int32 }

// Compress returns data as a DEFLATE stream.
func Compress(data []byte) []byte {
	f, p := newFinder(data), newParser(data[:min(blockSize, len(data))])
	var w bitWriter
	for from := 0; ; from += blockSize {
		to := min(from+blockSize, len(data))
		f.find(from, to)
		var way []match
		for range passes {
			way = p.parse(data[from:to], f)
		}
		w.block(data[from:to], way, &p.counts, to == len(data))
		if to == len(data) {
			return w.end()
		}
	}
}

// counts are how often the symbols of a block's two codes occur.
type counts struct {
	literal  [literals]int
	distance [distances]int
}

// parser looks for the cheapest way to write a block.
type parser struct {
	counts           // of the last try, also of another block
	cost   []float32 // in bits, up to each place
	last   []match   // how each place is got to
	way    []match   // backwards
}

// newParser returns a parser that takes a first block's literals to occur as often as its bytes, and all lengths and
// distances to occur alike.
func newParser(first []byte) *parser {
	p := &parser{cost: make([]float32, blockSize+1), last: make([]match, blockSize+1)}
	for i := range p.literal {
		p.literal[i] = 1 + len(first)/256
	}
	for _, b := range first {
		p.literal[b]++
	}
	for i := range p.distance {
		p.distance[i] = 1
	}
	return p
}

// parse returns the cheapest way to write a block of which f has the matches, from its end to its begin, as the symbols'
// counts have it that p has, and sets those to its own.
func (p *parser) parse(block []byte, f *finder) []match {
	literal, distance := price(p.literal[:]), price(p.distance[:])
	var length [maxMatch + 1]float32
	for n := minMatch; n <= maxMatch; n++ {
		code, extra := lengthCode(n)
		length[n] = literal[code] + float32(extra)
	}
	cost := p.cost[:len(block)+1]
	for i := range cost {
		cost[i] = math.MaxFloat32
	}
	cost[0] = 0
	for i, b := range block {
		if c := cost[i] + literal[b]; c < cost[i+1] {
			cost[i+1], p.last[i+1] = c, match{1, 0}
		}
		n := minMatch
		for _, m := range f.at(i) {
			code, extra := distanceCode(int(m.distance))
			here := cost[i] + distance[code] + float32(extra)
			end := min(int(m.length), len(block)-i)
			if end == maxMatch {
				n = end // no shorter one: runs would take long
			}
			for ; n <= end; n++ {
				if c := here + length[n]; c < cost[i+n] {
					cost[i+n], p.last[i+n] = c, match{int32(n), m.distance}
				}
			}
		}
	}
	return p.count(block)
}

// count returns the way that parse has found.
func (p *parser) count(block []byte) []match {
	p.counts = counts{}
	p.literal[endOfBlock] = 1
	p.way = p.way[:0]
	for i := len(block); i > 0; {
		m := p.last[i]
		i -= int(m.length)
		p.way = append(p.way, m)
		if m.distance == 0 {
			p.literal[block[i]]++
			continue
		}
		code, _ := lengthCode(int(m.length))
		p.literal[code]++
		code, _ = distanceCode(int(m.distance))
		p.distance[code]++
	}
	return p.way
}

// price returns what each symbol of a code takes, in bits. One that has not occurred takes more than any that has.
func price(counts []int) []float32 {
	sum := 1
	for _, n := range counts {
		sum += n
	}
	all := math.Log2(float64(sum))
	bits := make([]float32, len(counts))
	for i, n := range counts {
		if n == 0 {
			bits[i] = float32(all) + 1
		} else {
			bits[i] = float32(all - math.Log2(float64(n)))
		}
	}
	return bits
}

// lengthCode returns the symbol of a match's length, and how many bits follow (RFC 1951 §3.2.5): the lowest of length-3.
func lengthCode(length int) (code, extra int) {
	switch {
	case length == maxMatch:
		return 285, 0
	case length < 11:
		return 254 + length, 0
	}
	x := length - minMatch
	extra = bits.Len(uint(x)) - 3
	return 261 + 4*extra + x>>extra&3, extra
}

// distanceCode returns the symbol of a match's distance, and how many bits follow: the lowest of distance-1, or if it is far
// of distance-farBase.
func distanceCode(distance int) (code, extra int) {
	switch {
	case distance <= 4:
		return distance - 1, 0
	case distance > maxNear && distance-farBase < 1<<farBits:
		return firstFar, farBits
	case distance > maxNear:
		return firstFar + 1, fartherBits
	}
	x := distance - 1
	extra = bits.Len(uint(x)) - 2
	return 2 + 2*extra + x>>extra&1, extra
}
