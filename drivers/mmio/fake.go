package mmio

import (
	"encoding/binary"
	"sync"
)

// Fake is a Region in ordinary memory for tests. A register without a hook
// holds what was last written to it.
//
// The hooks model side effects; set them before the Fake is used. They run in
// the accessing goroutine with no lock held, so they may use the Fake's own
// Peek and Poke.
type Fake struct {
	// OnRead, when set, decides what a read of width bytes at off returns;
	// stored is what the register holds.
	OnRead func(off Offset, width int, stored uint64) uint64
	// OnWrite, when set, is told each write and returns what the register is to hold.
	OnWrite func(off Offset, width int, value uint64) uint64

	mu  sync.Mutex
	mem []byte
}

var _ Region = (*Fake)(nil)

// NewFake returns a Fake of size zeroed bytes.
func NewFake(size int) *Fake { return &Fake{mem: make([]byte, size)} }

// Size implements [Region].
func (f *Fake) Size() int { return len(f.mem) }

// Peek returns what the register at off holds, without side effects.
func (f *Fake) Peek(off Offset, width int) uint64 {
	check(off, width, len(f.mem))
	f.mu.Lock()
	defer f.mu.Unlock()
	var b [8]byte
	copy(b[:width], f.mem[off:])
	return binary.LittleEndian.Uint64(b[:])
}

// Poke sets what the register at off holds, without side effects.
func (f *Fake) Poke(off Offset, width int, value uint64) {
	check(off, width, len(f.mem))
	f.mu.Lock()
	defer f.mu.Unlock()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], value)
	copy(f.mem[off:], b[:width])
}

func (f *Fake) read(off Offset, width int) uint64 {
	v := f.Peek(off, width)
	if f.OnRead != nil {
		v = f.OnRead(off, width, v)
	}
	return v
}

func (f *Fake) write(off Offset, width int, value uint64) {
	check(off, width, len(f.mem))
	if f.OnWrite != nil {
		value = f.OnWrite(off, width, value)
	}
	f.Poke(off, width, value)
}

// Read8 implements [Region].
func (f *Fake) Read8(off Offset) uint8 { return uint8(f.read(off, 1)) }

// Read16 implements [Region].
func (f *Fake) Read16(off Offset) uint16 { return uint16(f.read(off, 2)) }

// Read32 implements [Region].
func (f *Fake) Read32(off Offset) uint32 { return uint32(f.read(off, 4)) }

// Read64 implements [Region].
func (f *Fake) Read64(off Offset) uint64 { return f.read(off, 8) }

// Write8 implements [Region].
func (f *Fake) Write8(off Offset, v uint8) { f.write(off, 1, uint64(v)) }

// Write16 implements [Region].
func (f *Fake) Write16(off Offset, v uint16) { f.write(off, 2, uint64(v)) }

// Write32 implements [Region].
func (f *Fake) Write32(off Offset, v uint32) { f.write(off, 4, uint64(v)) }

// Write64 implements [Region].
func (f *Fake) Write64(off Offset, v uint64) { f.write(off, 8, v) }
