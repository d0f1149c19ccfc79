package dma

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"
)

// Region is a Memory over one contiguous range that the board set aside, for
// instance uncached memory on a processor whose caches a device does not see.
type Region struct {
	// Sync, when set, lets Map take memory outside the Region too, at its own
	// (identity-mapped) address: it is called with done false before the
	// device may use b, to write back or drop the cache lines of b, and with done
	// true after the device has used it. When nil, Map takes only memory of
	// the Region. Set it before the Region is used.
	Sync func(b []byte, dir Direction, done bool)

	base Addr
	mem  []byte

	mu sync.Mutex
	// free are the unused ranges of mem, by offset, no two touching.
	free []extent
}

type extent struct{ off, size int }

var _ Memory = (*Region)(nil)

// NewRegion returns a Memory that gives out mem, which the device sees at
// base. The caller does not use mem afterwards.
func NewRegion(mem []byte, base Addr) *Region {
	return &Region{base: base, mem: mem, free: []extent{{0, len(mem)}}}
}

// Alloc implements [Memory]: first fit.
func (r *Region) Alloc(size, align int) (*Block, error) {
	if size <= 0 || align <= 0 || align&(align-1) != 0 {
		return nil, fmt.Errorf("dma: block of %d bytes aligned to %d: size and alignment must be positive, alignment a power of two", size, align)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.free {
		pad := int(-(uint64(r.base) + uint64(e.off)) & uint64(align-1))
		if e.size < pad || e.size-pad < size {
			continue
		}
		start := e.off + pad
		rest := []extent{{e.off, pad}, {start + size, e.size - pad - size}}
		rest = slices.DeleteFunc(rest, func(e extent) bool { return e.size == 0 })
		r.free = slices.Replace(r.free, i, i+1, rest...)
		b := r.mem[start : start+size : start+size]
		clear(b)
		return &Block{Addr: r.base + Addr(start), Bytes: b}, nil
	}
	return nil, fmt.Errorf("%w: %d bytes aligned to %d in a region of %d", ErrNoMemory, size, align, len(r.mem))
}

// Free implements [Memory].
func (r *Region) Free(b *Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := extent{int(b.Addr - r.base), len(b.Bytes)}
	i, _ := slices.BinarySearchFunc(r.free, e, func(a, b extent) int { return a.off - b.off })
	r.free = slices.Insert(r.free, i, e)
	if i+1 < len(r.free) && e.off+e.size == r.free[i+1].off {
		r.free[i].size += r.free[i+1].size
		r.free = slices.Delete(r.free, i+1, i+2)
	}
	if i > 0 && r.free[i-1].off+r.free[i-1].size == e.off {
		r.free[i-1].size += r.free[i].size
		r.free = slices.Delete(r.free, i, i+1)
	}
}

// offset tells whether b lies in the Region, and where.
func (r *Region) offset(b []byte) (int, bool) {
	// SAFETY: the pointers are only compared; neither is dereferenced.
	start, p := uintptr(unsafe.Pointer(unsafe.SliceData(r.mem))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if p < start || p-start > uintptr(len(r.mem)) || len(b) > len(r.mem)-int(p-start) {
		return 0, false
	}
	return int(p - start), true
}

// Map implements [Memory].
func (r *Region) Map(b []byte, dir Direction) (Addr, error) {
	if off, ok := r.offset(b); ok {
		return r.base + Addr(off), nil
	}
	if r.Sync == nil {
		return 0, fmt.Errorf("%w: %d bytes outside the region at %#x", ErrNotVisible, len(b), r.base)
	}
	r.Sync(b, dir, false)
	// SAFETY: the caller keeps b reachable until Unmap, Go's heap does not
	// move, and Sync is set only where memory is mapped one to one.
	return Addr(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), nil
}

// Unmap implements [Memory].
func (r *Region) Unmap(_ Addr, b []byte, dir Direction) {
	if _, ok := r.offset(b); !ok && r.Sync != nil {
		r.Sync(b, dir, true)
	}
}
