//go:build amd64 || arm

package mmio

import (
	"runtime"
	"testing"
	"unsafe"
)

// heap makes what is stored in it escape: a stack may move, which an address does not survive.
var heap *[3]uint64

// TestRawTouchesOnlyItsWidth runs the assembly over ordinary memory: each width
// must change and read just its own bytes.
func TestRawTouchesOnlyItsWidth(t *testing.T) {
	const pattern = 0x1122334455667788
	for _, tc := range []struct {
		name  string
		write func(Region)
		read  func(Region) uint64
		want  uint64
		mem   uint64
	}{
		{"8", func(r Region) { r.Write8(9, 0xab) }, func(r Region) uint64 { return uint64(r.Read8(9)) }, 0xab, 0x112233445566ab88},
		{"16", func(r Region) { r.Write16(10, 0xabcd) }, func(r Region) uint64 { return uint64(r.Read16(10)) }, 0xabcd, 0x11223344abcd7788},
		{"32", func(r Region) { r.Write32(12, 0xabcdef01) }, func(r Region) uint64 { return uint64(r.Read32(12)) }, 0xabcdef01, 0xabcdef0155667788},
		{"64", func(r Region) { r.Write64(8, 0xabcdef0123456789) }, func(r Region) uint64 { return r.Read64(8) }, 0xabcdef0123456789, 0xabcdef0123456789},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mem := &[3]uint64{pattern, pattern, pattern}
			heap = mem
			// SAFETY: mem is on the heap, see heap, and is kept alive past r's last use.
			r := raw{base: uintptr(unsafe.Pointer(mem)), size: 24}
			tc.write(r)
			if got := tc.read(r); got != tc.want {
				t.Errorf("read back %#x, want %#x", got, tc.want)
			}
			if mem[0] != pattern || mem[2] != pattern || mem[1] != tc.mem {
				t.Errorf("memory is %#x, want only the middle word changed to %#x", *mem, tc.mem)
			}
			runtime.KeepAlive(mem)
		})
	}
}
