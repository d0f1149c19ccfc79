//go:build tamago

package dma

import (
	"fmt"
	"unsafe"
)

// Heap is a Memory over Go's own heap. It serves amd64 under GOOS=tamago, where
// memory is mapped one to one, the heap does not move, and devices see what the
// caches hold. The zero value is ready to use.
type Heap struct{}

var _ Memory = Heap{}

// Alloc implements [Memory].
func (Heap) Alloc(size, align int) (*Block, error) {
	if size <= 0 || align <= 0 || align&(align-1) != 0 {
		return nil, fmt.Errorf("dma: block of %d bytes aligned to %d: size and alignment must be positive, alignment a power of two", size, align)
	}
	b := make([]byte, size+align-1)
	pad := int(-address(b) & uint64(align-1))
	b = b[pad : pad+size : pad+size]
	return &Block{Addr: Addr(address(b)), Bytes: b}, nil
}

// Free implements [Memory]: the garbage collector does it.
func (Heap) Free(*Block) {}

// Map implements [Memory].
func (Heap) Map(b []byte, _ Direction) (Addr, error) { return Addr(address(b)), nil }

// Unmap implements [Memory].
func (Heap) Unmap(Addr, []byte, Direction) {}

func address(b []byte) uint64 {
	// SAFETY: the device address is the virtual address, and whoever lends b
	// to a device keeps it reachable.
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}
