// Package dma is memory that a device reads and writes by itself.
//
// There are two kinds, as in Linux's DMA API. A [Block] is coherent memory for
// as long as it is allocated: rings and descriptors live there, and both sides
// see each other's stores, ordered by the barriers of this package. A mapping
// lends ordinary memory to the device for one transfer: Map before the device
// is told of it, Unmap after it is done, and between the two the processor does
// not touch what the device may write.
//
// A driver never turns a pointer into an address by itself. That is what makes
// it run unchanged over the identity-mapped heap of amd64 (Heap), over an uncached
// region with cache maintenance for the rest (Region), and over a [Fake]
// whose device addresses resemble no pointer, so that mixing them up is found.
package dma

import "errors"

// Addr is an address as the device sees it.
type Addr uint64

// Direction says who writes the memory of a mapping.
type Direction uint8

const (
	// ToDevice memory is only read by the device.
	ToDevice Direction = iota
	// FromDevice memory is written by the device; what it held before is lost.
	FromDevice
)

// String names the direction.
func (d Direction) String() string {
	if d == FromDevice {
		return "from device"
	}
	return "to device"
}

// ErrNoMemory is returned by Alloc when no block of the size is left, and by
// Map when no more mappings can be had.
var ErrNoMemory = errors.New("dma: out of device-visible memory")

// ErrNotVisible is returned by Map for memory that the device cannot reach.
var ErrNotVisible = errors.New("dma: memory is not visible to the device")

// Block is coherent memory. It is zeroed when it is allocated.
type Block struct {
	// Addr is where the device finds Bytes.
	Addr Addr
	// Bytes is the memory as the processor finds it.
	Bytes []byte
}

// Memory gives device-visible memory. It is safe for concurrent use.
type Memory interface {
	// Alloc returns a zeroed Block of size bytes whose device address is a
	// multiple of align, a power of two. The error is ErrNoMemory.
	Alloc(size, align int) (*Block, error)
	// Free gives a Block back. The device must not use it any more.
	Free(*Block)

	// Map lends b, which must not be empty, to the device and returns its
	// address there. The caller keeps b reachable until Unmap. The error
	// wraps ErrNotVisible or ErrNoMemory. Map does not allocate.
	Map(b []byte, dir Direction) (Addr, error)
	// Unmap ends what Map(b, dir) began; it takes the same b and dir and
	// the address that Map returned.
	Unmap(a Addr, b []byte, dir Direction)
}
