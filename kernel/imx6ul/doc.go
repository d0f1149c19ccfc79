// Package imx6ul makes a Go program a kernel of NXP's i.MX6UL and i.MX6ULL processors, on real
// boards and on QEMU's machine mcimx6ul-evk, over package
// github.com/usbarmory/tamago/soc/nxp/imx6ul. The boards' packages import it.
//
// It finds the RAM, sets memory up, takes interrupts from the GIC to
// kernel/irq, halts the processor when there is nothing to do, and has memory for devices.
//
// # Memory
//
// DDR begins at 0x80000000. The first 64 KiB hold the exception vectors, the page tables and the
// handlers' stack, as package github.com/usbarmory/tamago/arm lays them out; the
// program follows at [TextStart], then the heap, the first stack, and last [DMASize] bytes that are not
// cached, for descriptors. How much RAM there is tells the DDR controller on a
// board, which has been set up for it by the image's DCD, and QEMU by semihosting.
//
// # Real or emulated
//
// QEMU has no silicon revision, by which it is told from a board. The command line, the
// time of day and the exit code go through its semihosting (-semihosting-config
// enable=on,target=gdb); without that, and on a board, the command line is the one that
// the kernel was built with, and the clock begins in 1970. With target=native, QEMU would let any code of the guest
// open, change and run files of the host. Random numbers of the host come in on UART2 (-serial pipe:/dev/urandom).
//
// # Exceptions
//
// What a goroutine can recover from, such as a nil pointer, becomes a Go panic where the runtime has a handler for it, as
// tamanet's has. All else is printed and ends the program.
//
// References: IMX6ULLRM Rev 1; ARM DDI 0406C (the architecture); ARM IHI 0048B (GIC);
// ARM's Semihosting for AArch32 and AArch64, 2022Q2.
package imx6ul

// TextStart is the address at which kernels are linked (the linker's -T, with -R 0x1000).
const TextStart = 0x8001_0000

// RAMStart is where DDR begins.
const RAMStart = 0x8000_0000

// DMASize is the size of the memory for devices, in bytes: whole sections of the page table.
const DMASize = 2 << 20
