package dma

import (
	"errors"
	"fmt"
	"sync"
)

// ErrFault is what a Fake's Access returns for an address that the device was
// not given, or may not use in that way.
var ErrFault = errors.New("dma: fault")

const (
	// fakeBlocks is where a Fake's coherent blocks begin, fakeMaps where its
	// mappings do. Both need more than 32 bits, so that a truncated address is found.
	fakeBlocks Addr = 0x5a_0000_0000
	fakeMaps   Addr = 0xa5_0000_0000
	// fakeSlot is the room of one mapping; the rest of it after the mapped bytes is guard.
	fakeSlot     = 1 << 20
	fakeMaxSlots = 1 << 14

	// The same for 32-bit addresses.
	fakeBlocks32   Addr = 0x5a00_0000
	fakeMaps32     Addr = 0xa500_0000
	fakeMaxSlots32      = 1 << 10

	// fakeLine is what a mapping is aligned to, as a cache line is.
	fakeLine = 64
)

// Fake is a Memory for host tests. Its device addresses are unlike any pointer
// and each mapping gets its own, so that a driver which confuses the two kinds,
// forgets a Map, or lets the device use memory after Unmap makes Access fail.
// Once warm, Map and Unmap do not allocate.
type Fake struct {
	// maps is where mappings begin, maxSlots how many there can be.
	maps     Addr
	maxSlots int

	mu     sync.Mutex
	blocks []*Block
	next   Addr
	slots  []fakeMapping
	unused []int
	live   int
	faults int
}

type fakeMapping struct {
	b   []byte
	dir Direction
	gen uint8
}

var _ Memory = (*Fake)(nil)

// NewFake returns an empty Fake.
func NewFake() *Fake { return &Fake{next: fakeBlocks, maps: fakeMaps, maxSlots: fakeMaxSlots} }

// NewFake32 returns an empty Fake whose device addresses fit into 32 bits, for
// devices that have no more. Blocks of up to 1 GiB and 1024 mappings fit.
func NewFake32() *Fake {
	return &Fake{next: fakeBlocks32, maps: fakeMaps32, maxSlots: fakeMaxSlots32}
}

// Alloc implements [Memory].
func (f *Fake) Alloc(size, align int) (*Block, error) {
	if size <= 0 || align <= 0 || align&(align-1) != 0 {
		return nil, fmt.Errorf("dma: block of %d bytes aligned to %d", size, align)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	addr := (f.next + Addr(align) - 1) &^ Addr(align-1)
	f.next = addr + Addr(size) + fakeSlot
	b := &Block{Addr: addr, Bytes: alignedBytes(size)}
	f.blocks = append(f.blocks, b)
	return b, nil
}

// Free implements [Memory].
func (f *Fake) Free(b *Block) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.blocks {
		if f.blocks[i] == b {
			f.blocks = append(f.blocks[:i], f.blocks[i+1:]...)
			return
		}
	}
	panic(fmt.Sprintf("dma: Free of a block at %#x that is not allocated", b.Addr))
}

// Map implements [Memory].
func (f *Fake) Map(b []byte, dir Direction) (Addr, error) {
	if len(b) == 0 || len(b) > fakeSlot/2 {
		return 0, fmt.Errorf("%w: mapping of %d bytes", ErrNotVisible, len(b))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.unused) == 0 {
		if len(f.slots) == f.maxSlots {
			return 0, fmt.Errorf("%w: %d mappings", ErrNoMemory, len(f.slots))
		}
		f.slots = append(f.slots, fakeMapping{})
		f.unused = append(f.unused, len(f.slots)-1)
	}
	i := f.unused[len(f.unused)-1]
	f.unused = f.unused[:len(f.unused)-1]
	s := &f.slots[i]
	s.b, s.dir = b, dir
	s.gen++
	f.live++
	return f.maps + s.offset(i), nil
}

// offset gives each use of a slot another address, so that a stale one is found.
func (s *fakeMapping) offset(i int) Addr { return Addr(i)*fakeSlot + Addr(s.gen)*fakeLine }

// Unmap implements [Memory]. It panics when there is no such mapping: that is a driver's bug.
func (f *Fake) Unmap(a Addr, b []byte, dir Direction) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := int((a - f.maps) / fakeSlot)
	if a < f.maps || i >= len(f.slots) || f.slots[i].b == nil || a != f.maps+f.slots[i].offset(i) ||
		&f.slots[i].b[0] != &b[0] || len(f.slots[i].b) != len(b) || f.slots[i].dir != dir {
		panic(fmt.Sprintf("dma: Unmap of %d bytes (%v) at %#x: no such mapping", len(b), dir, a))
	}
	f.slots[i].b = nil
	f.unused = append(f.unused, i)
	f.live--
}

// Access is the device's side: the n bytes at a. With write set they must be
// coherent or mapped FromDevice. The error wraps ErrFault.
func (f *Fake) Access(a Addr, n int, write bool) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.lookup(a, n, write); ok {
		return b, nil
	}
	f.faults++
	return nil, fmt.Errorf("%w: %d bytes at %#x, write %v", ErrFault, n, a, write)
}

func (f *Fake) lookup(a Addr, n int, write bool) ([]byte, bool) {
	if n < 0 {
		return nil, false
	}
	if a >= f.maps {
		i := (a - f.maps) / fakeSlot
		if i >= Addr(len(f.slots)) || f.slots[i].b == nil || write != (f.slots[i].dir == FromDevice) {
			return nil, false
		}
		return within(f.slots[i].b, f.maps+f.slots[i].offset(int(i)), a, n)
	}
	for _, b := range f.blocks {
		if s, ok := within(b.Bytes, b.Addr, a, n); ok {
			return s, true
		}
	}
	return nil, false
}

// within cuts the n bytes at a out of b, which begins at base.
func within(b []byte, base, a Addr, n int) ([]byte, bool) {
	if a < base || a-base > Addr(len(b)) || n > len(b)-int(a-base) {
		return nil, false
	}
	off := int(a - base)
	return b[off : off+n : off+n], true
}

// Live is the number of mappings and blocks that were not yet given back.
func (f *Fake) Live() (mappings, blocks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live, len(f.blocks)
}

// Faults is the number of accesses that failed.
func (f *Fake) Faults() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults
}
