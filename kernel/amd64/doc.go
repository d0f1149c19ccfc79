// Package amd64 brings up a 64-bit x86 processor for GOOS=tamago: the PVH
// entry point, paging, descriptor tables, exceptions, interrupts, the idle
// loop, the clock, random numbers and the first serial port. It supplies every
// runtime/goos hook that the Go runtime needs, so that a board package is
// left with addresses and wiring.
//
// References:
//   - Intel 64 and IA-32 Architectures Software Developer's Manual
//     (SDM), edition 078
//   - Xen x86/HVM direct boot ABI (PVH), docs/misc/pvh.pandoc
//   - 82093AA I/O APIC datasheet, 8254 and MC146818 datasheets
//   - Linux Documentation/virt/kvm/x86 (CPUID leaves and MSRs of KVM)
//
// # Memory
//
// Everything below 4 GiB is mapped one to one with 2 MiB pages, so a
// pointer is also the address that a device sees. The first 4 KiB are absent, to
// catch nil pointers; whatever is not RAM is uncached. The Go runtime gets the
// one RAM region that holds the kernel, from the kernel's end to the region's end or
// 4 GiB. RAM above 4 GiB is left out: the runtime's allocator grows one
// contiguous region, and the PCI hole ends it.
//
// # Concurrency
//
// One processor runs Go. The per-processor state (interrupt stacks, wake flag, timer)
// is in one place each, for the day when there are more.
//
// # Random numbers
//
// They come from RDRAND, or else from the source that the board gives
// ([SetEntropySource]). Until then, without RDRAND, nothing but the Go runtime's own start gets any; a
// program that asks in a package which is initialised before the board stops with a message.
//
// # Left out
//
// Application processors, x2APIC, TSC-deadline timers, write-xor-execute pages.
package amd64
