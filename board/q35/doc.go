// Package q35 is the board package of QEMU's machine type q35, a PC with PCI
// Express. A kernel that imports it boots there by PVH, as on board/microvm,
// through the machine's firmware.
//
// What it uses of the machine: a serial port, the I/O APIC, the 8254 timer and the real-time
// clock, VIRTIO entropy devices on PCI, and network devices there, with an interrupt for each pair of queues
// by MSI-X. A network device without MSI-X interrupts by its pin, whose line it must not share with another one
// in use. The exit code leaves by an isa-debug-exit device at 0xf4.
//
// The firmware has set the base addresses of devices up; those that it has not are set here.
// Nothing is read from ACPI tables: where configuration space is says the
// memory controller's PCIEXBAR register, which is set when the firmware has not.
//
// References: QEMU 7.2, hw/i386/pc_q35.c, hw/pci-host/q35.c and hw/isa/lpc_ich9.c; Intel
// 3 Series Express Chipset Family datasheet (316966) §5.1.16, PCIEXBAR; Intel ICH9 datasheet (316972).
package q35

// TextStart is the address at which kernels for this board are linked, as on board/microvm.
const TextStart = 0x0010_1000
