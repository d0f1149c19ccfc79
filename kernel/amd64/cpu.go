//go:build tamago

package amd64

// Implemented in cpu_amd64.s. load32, store32 and store64 access memory and device
// registers exactly once, at an address that is mapped.
func outb(port uint16, v uint8)
func inb(port uint16) uint8
func load32(addr uintptr) uint32
func store32(addr uintptr, v uint32)
func store64(addr uintptr, v uint64)
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
func rdtsc() uint64
func rdrand() (v uint64, ok bool)
func rdmsr(msr uint32) uint64
func wrmsr(msr uint32, v uint64)
func setXCR0(v uint64)
func sendIPI(apic, command uint32)
func flushTLB()
func loadTables(idtr uintptr, tss uint16)
func tripleFault()
func haltForever()
func cli()
func sti()
func stiHlt()

// CPUID leaves and bits, SDM vol. 2 CPUID.
const (
	leafFeatures  = 0x01
	ecxXSAVE      = 1 << 26
	ecxRDRAND     = 1 << 30
	ecxHypervisor = 1 << 31

	leafTSC = 0x15

	leafXSAVE = 0x0d

	leafHypervisor = 0x4000_0000
	// leafHypervisorTiming gives the TSC's rate in kHz; it began with VMware
	// and KVM and QEMU have it too (Linux arch/x86/kernel/cpu/vmware.c).
	leafHypervisorTiming = 0x4000_0010

	leafExtended   = 0x8000_0000
	leafBrandFirst = 0x8000_0002
	leafBrandLast  = 0x8000_0004
)

// Components of XCR0, SDM vol. 1 §13.3.
const (
	xcr0AVX    = 1<<0 | 1<<1 | 1<<2 // x87, SSE, upper halves of YMM
	xcr0AVX512 = 1<<5 | 1<<6 | 1<<7 // opmasks, upper halves of ZMM, ZMM16 to 31
)

// xcr0 is what setXCR0 is called with on each processor, 0 for not at all.
var xcr0 uint64

// initVector enables AVX and AVX-512 where the processor has them: Go's copying
// and cryptography use them. Interrupt handlers leave vector registers alone.
func initVector() {
	if !cpuHas(ecxXSAVE) {
		return
	}
	supported, _, _, _ := cpuid(leafXSAVE, 0)
	if supported&xcr0AVX != xcr0AVX {
		return
	}
	enable := uint64(xcr0AVX)
	if supported&xcr0AVX512 == xcr0AVX512 {
		enable |= xcr0AVX512
	}
	xcr0 = enable
	setXCR0(enable)
}

// cpuHas reports whether a bit of CPUID leaf 1's ECX is set.
func cpuHas(bit uint32) bool {
	_, _, ecx, _ := cpuid(leafFeatures, 0)
	return ecx&bit != 0
}

// Brand returns the processor's name as CPUID gives it, or "" when it gives
// none. It may be called at any time and does not block.
func Brand() string {
	if max, _, _, _ := cpuid(leafExtended, 0); max < leafBrandLast {
		return ""
	}

	var b []byte
	for leaf := uint32(leafBrandFirst); leaf <= leafBrandLast; leaf++ {
		eax, ebx, ecx, edx := cpuid(leaf, 0)
		for _, r := range [...]uint32{eax, ebx, ecx, edx} {
			for ; r != 0; r >>= 8 {
				b = append(b, byte(r))
			}
		}
	}

	return string(b)
}
