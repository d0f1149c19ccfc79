// Package microvm is the board package of QEMU's machine type microvm, with
// software emulation and with KVM. A kernel that imports it boots there.
//
// The machine has a serial port, up to 24 virtio-mmio slots, one or two I/O APICs, and
// from the PC's past the 8254 timer and the real-time clock, both of which are
// needed (-M microvm,pit=on,rtc=on; QEMU leaves them out under KVM otherwise). The exit code
// leaves by an isa-debug-exit device at 0xf4.
//
// Reference: QEMU 7.2, hw/i386/microvm.c and docs/system/i386/microvm.rst.
package microvm

// TextStart is the address at which kernels for this board are linked (the linker's
// -T, with -R 0x1000): RAM for the kernel begins at 1 MiB, with the ELF headers.
// What the firmware and the loader have in RAM is below.
const TextStart = 0x0010_1000
