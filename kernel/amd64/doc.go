// Package amd64 brings up 64-bit x86 processors for GOOS=tamago: the PVH
// entry point, paging, descriptor tables, exceptions, interrupts, the idle
// loop, the clock, random numbers and the first serial port. It supplies every
// runtime/goos hook that the Go runtime needs, so that a board package is
// left with addresses and wiring.
//
// References:
//   - Intel 64 and IA-32 Architectures Software Developer's Manual
//     (SDM), edition 078
//   - Xen x86/HVM direct boot ABI (PVH), docs/misc/pvh.pandoc
//   - Advanced Configuration and Power Interface Specification (ACPI), version 6.4
//   - MultiProcessor Specification, version 1.4
//   - 82093AA I/O APIC datasheet, 8254 and MC146818 datasheets
//   - Linux Documentation/virt/kvm/x86 (CPUID leaves and MSRs of KVM)
//
// # Memory
//
// Everything below 4 GiB is mapped one to one with 2 MiB pages, so a
// pointer is also the address that a device sees. The first 4 KiB are absent, to
// catch nil pointers; whatever is not RAM is uncached. Kernels are linked at 1 MiB: below is what the
// firmware and the loader have in RAM. The Go runtime gets the
// one RAM region that holds the kernel, from the kernel's end to the region's end or
// 4 GiB. RAM above 4 GiB is left out: the runtime's allocator grows one
// contiguous region, and the PCI hole ends it.
//
// # Processors
//
// All processors that the firmware lists run Go, up to 16 of them: found in ACPI's MADT or the MultiProcessor
// Specification's table, started by INIT and startup messages from real mode at 0x8000, and
// handed to the runtime by the hooks of package runtime/goos. One that does not come up, or whose
// time stamp counter differs from the first one's, is named on the console and left out. It takes
// tamanet's own GOOS=tamago: with another one, the first processor stays alone.
//
// What a processor has for itself is in type cpu, which its GS base points to: task state segment
// and stacks for handlers, timer, wake flag. The rest is shared, page tables and the interrupt
// descriptor table included. Every processor has its own one-shot timer for sleeps and the
// preemption tick. An idle one halts until an interrupt, or until another processor wakes it by a message;
// idle sets the processor's bit in idleCPUs before it looks at its wake flag for the
// last time, and the waker does the two in the other order, so that no wake-up is lost.
//
// A goroutine that makes no calls is preempted by an interrupt, of the processor's own tick or sent by another processor
// whose collector waits for it. The handler has the runtime look at where it was interrupted; at a safe point
// it goes on in the scheduler, as if it had called it. Handlers have stacks of their own, so nothing of the goroutine's is touched otherwise.
//
// Interrupt lines go to the processors by turns, the first line to the first processor, and stay there:
// a device with a line for each queue spreads its queues. A busy processor that takes a
// device's interrupt wakes an idle one, which then runs the goroutine that waits.
//
// A program's end, by exit, panic or exception, first stops all other processors.
//
// # Random numbers
//
// They come from RDRAND, or else from the source that the board gives
// ([SetEntropySource]). Until then, without RDRAND, nothing but the Go runtime's own start gets any; a
// program that asks in a package which is initialised before the board stops with a message.
//
// # Left out
//
// x2APIC, memory type ranges of further processors (virtual machines need none), TSC-deadline timers,
// write-xor-execute pages.
package amd64
