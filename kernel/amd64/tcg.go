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
