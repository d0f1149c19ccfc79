package dma

import "unsafe"

// alignedBytes returns n zeroed bytes that may also be accessed as 64-bit words.
func alignedBytes(n int) []byte {
	words := make([]uint64, (n+7)/8)
	// SAFETY: the bytes are within words, which they keep reachable.
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}
