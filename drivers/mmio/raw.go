//go:build amd64 || arm

package mmio

// raw is a Region at a virtual address. It exists for processors whose accesses
// are written in assembly, so that the compiler can neither merge, split nor move
// them; a host's tests run it over ordinary memory.
type raw struct {
	base uintptr
	size int
}

var _ Region = raw{}

// The accesses, in raw_amd64.s and raw_arm.s.

//go:noescape
func load8(addr uintptr) uint8

//go:noescape
func load16(addr uintptr) uint16

//go:noescape
func load32(addr uintptr) uint32

//go:noescape
func load64(addr uintptr) uint64

//go:noescape
func store8(addr uintptr, v uint8)

//go:noescape
func store16(addr uintptr, v uint16)

//go:noescape
func store32(addr uintptr, v uint32)

//go:noescape
func store64(addr uintptr, v uint64)

func (r raw) at(off Offset, width int) uintptr {
	check(off, width, r.size)
	return r.base + uintptr(off)
}

func (r raw) Size() int                    { return r.size }
func (r raw) Read8(off Offset) uint8       { return load8(r.at(off, 1)) }
func (r raw) Read16(off Offset) uint16     { return load16(r.at(off, 2)) }
func (r raw) Read32(off Offset) uint32     { return load32(r.at(off, 4)) }
func (r raw) Read64(off Offset) uint64     { return load64(r.at(off, 8)) }
func (r raw) Write8(off Offset, v uint8)   { store8(r.at(off, 1), v) }
func (r raw) Write16(off Offset, v uint16) { store16(r.at(off, 2), v) }
func (r raw) Write32(off Offset, v uint32) { store32(r.at(off, 4), v) }
func (r raw) Write64(off Offset, v uint64) { store64(r.at(off, 8), v) }
