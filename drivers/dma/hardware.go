//go:build tamago

package dma

import "unsafe"

// RegionAt is NewRegion over the physical memory at base, which the board has
// mapped one to one, keeps out of Go's heap and passes to nothing else.
func RegionAt(base uintptr, size int) *Region {
	var p unsafe.Pointer
	// SAFETY: the board vouches for the range; it is not managed by Go's
	// allocator, so that the garbage collector ignores pointers to it.
	mem := unsafe.Slice((*byte)(unsafe.Add(p, base)), size)
	return NewRegion(mem, Addr(base))
}
