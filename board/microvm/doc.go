// Package microvm is the board package of QEMU's machine type microvm
// (docs/system/i386/microvm.rst in QEMU's source).
package microvm

// TextStart is the address at which kernels for this board are linked (the linker's
// -T, with -R 0x1000): the ELF headers take the page below, RAM begins at 2 MiB.
const TextStart = 0x0020_1000
