// Package pattern makes the bytes that bulk transfers between the host and the test appliance carry. Both ends make
// the same stream, cheaply, and no two of its blocks are equal: a lost, doubled or swapped segment changes its hash.
package pattern

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// blockSize is the unit of the stream, in bytes.
const blockSize = 64 << 10

// reader is an endless stream of blocks: a random one, with its number in the first 8 bytes.
type reader struct {
	block [blockSize]byte
	next  uint64 // number of the next block
	rest  []byte // of the current block
}

// New returns the first n bytes of the stream of a seed.
func New(seed byte, n int64) io.Reader {
	r := new(reader)
	rand.NewChaCha8([32]byte{0: seed}).Read(r.block[:])
	return io.LimitReader(r, n)
}

// Read implements io.Reader. It never fails.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		binary.LittleEndian.PutUint64(r.block[:], r.next)
		r.next++
		r.rest = r.block[:]
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
