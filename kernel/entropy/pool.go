package entropy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrBroken is returned for a source that repeats itself.
var ErrBroken = errors.New("entropy: the source repeats itself")

const (
	// blockSize is how much is read from a source at a time.
	blockSize = 256
	// maxReads bounds the reads in a row that give no byte.
	maxReads = 10
)

// Pool hands out what a source that is slow to ask gives, each byte once. It is safe for concurrent use.
type Pool struct {
	source io.Reader

	mu    sync.Mutex
	block [blockSize]byte
	rest  []byte // of block, not handed out yet
	check check
}

// NewPool returns a pool over a source. A Read of it may give less than was asked for with
// an error that passes, as when it takes long.
func NewPool(source io.Reader) *Pool { return &Pool{source: source} }

// Fill fills b. The error is ErrBroken, or wraps the source's last one; b then holds nothing of
// the source's. It does not allocate.
func (p *Pool) Fill(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for left := b; len(left) > 0; {
		if len(p.rest) == 0 {
			if err := p.refill(); err != nil {
				clear(b)
				return err
			}
		}
		n := copy(left, p.rest)
		clear(p.rest[:n])
		left, p.rest = left[n:], p.rest[n:]
	}
	return nil
}

// refill reads a block.
func (p *Pool) refill() error {
	got := 0
	for idle := 0; got < blockSize; {
		n, err := p.source.Read(p.block[got:])
		got += n
		if n > 0 {
			idle = 0
		} else if idle++; idle == maxReads {
			return fmt.Errorf("entropy: %d reads gave nothing: %w", maxReads, err)
		}
	}
	for at := 0; at < blockSize; at += 8 {
		if !p.check.ok(binary.LittleEndian.Uint64(p.block[at:])) {
			clear(p.block[:])
			return ErrBroken
		}
	}
	p.rest = p.block[:]
	return nil
}

// check looks for a generator that yields the same word again and again: 64
// equal bits in three consecutive words are a broken one (as in AMD's
// erratum after resume, which returned all ones), not chance. The zero check is ready to use.
type check struct {
	last uint64
	same int
	some bool
}

// ok takes the next word and reports whether the generator can still be believed.
func (c *check) ok(w uint64) bool {
	if c.some && w == c.last {
		c.same++
	} else {
		c.same = 0
	}
	c.last, c.some = w, true
	return c.same < 2
}
