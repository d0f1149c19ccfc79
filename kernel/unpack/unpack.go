// Package unpack is the code with which a packed kernel starts: a stub that a PVH loader enters in the kernel's place, that
// decompresses the kernel to where it is linked, and enters it as the loader would have.
//
// A kernel carries the stub's code and never runs it: [github.com/tamanet/tamanet/kernel/pack] takes it
// from there, since no other program than a kernel is assembled for the processor that kernels run on, whatever
// the host has. It is one function that refers to nothing but itself, and what is agreed with those who copy it
// stands in unpack.h.
//
// References:
//   - Xen x86/HVM direct boot ABI (PVH), docs/misc/pvh.pandoc
//   - RFC 1951, DEFLATE Compressed Data Format Specification version 1.3, and [github.com/tamanet/tamanet/kernel/deflate]
package unpack
