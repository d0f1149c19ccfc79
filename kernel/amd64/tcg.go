//go:build tamago

package amd64

// What QEMU's emulation, as opposed to KVM, says it is: "TCGTCGTCGTCG" in EBX, ECX and EDX
// (QEMU target/i386/cpu.c cpu_x86_cpuid).
const (
	tcgSignatureB = 'T' | 'C'<<8 | 'G'<<16 | 'T'<<24
	tcgSignatureC = 'C' | 'G'<<8 | 'T'<<16 | 'C'<<24
	tcgSignatureD = 'G' | 'T'<<8 | 'C'<<16 | 'G'<<24
)

// Emulated reports whether QEMU emulates the processor (TCG).
func Emulated() bool {
	if !cpuHas(ecxHypervisor) {
		return false
	}
	_, b, c, d := cpuid(leafHypervisor, 0)
	return b == tcgSignatureB && c == tcgSignatureC && d == tcgSignatureD
}

// emulated is Emulated, for the timer's interrupt: a busy processor then flushes its TLB every tlbTicks. QEMU's
// emulation begins with a TLB of 256 pages, and makes it larger only as it flushes one that was full
// (QEMU accel/tcg/cputlb.c tlb_mmu_resize_locked); nothing else here ever flushes. With HTTP over 16 connections
// some 10 % of QEMU's time went to filling it, with this 2 %.
var emulated bool

// tlbTicks is a power of two, and longer than the 100 ms over which QEMU looks at how full the TLB was.
const tlbTicks = 16
