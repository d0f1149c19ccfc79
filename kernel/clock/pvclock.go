package clock

import (
	"encoding/binary"
	"math/bits"
)

// Where a hypervisor's CPUID leaves begin: at the first multiple of the step with its signature
// (Linux arch/x86/include/asm/cpuid/api.h cpuid_base_hypervisor).
const (
	hypervisorFirst = 0x4000_0000
	hypervisorLast  = 0x4001_0000
	hypervisorStep  = 0x100
)

// FindKVM returns the first of KVM's CPUID leaves, whose signature is "KVMKVMKVM" (Linux
// Documentation/virt/kvm/x86/cpuid.rst), and the last. ok is false when the hypervisor is none of
// KVM's. cpuid returns EAX to EDX of a leaf.
func FindKVM(cpuid func(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)) (first, last uint32, ok bool) {
	const k, v, m = 0x4b4d564b, 0x564b4d56, 0x4d // "KVMK", "VMKV", "M\0\0\0"
	for leaf := uint32(hypervisorFirst); leaf < hypervisorLast; leaf += hypervisorStep {
		last, ebx, ecx, edx := cpuid(leaf, 0)
		if ebx != k || ecx != v || edx != m {
			continue
		}
		// Early ones say 0, and have one leaf more.
		return leaf, max(last, leaf+1), true
	}
	return 0, 0, false
}

// PVClockSize and PVWallClockSize are the sizes in bytes of what KVM writes for its clock (Linux
// arch/x86/include/asm/pvclock-abi.h): pvclock_vcpu_time_info and pvclock_wall_clock.
const (
	PVClockSize     = 32
	PVWallClockSize = 12
)

// PVClock turns a processor's time stamp counter into nanoseconds since the virtual machine's
// clock began: those at TSC, and then Mul/2^32 for each count times 2^Shift.
type PVClock struct {
	TSC   uint64
	NS    uint64
	Mul   uint32
	Shift int8
}

// ParsePVClock reads a pvclock_vcpu_time_info. ok is false when b is too short, was never
// written or is being written (an odd version), or holds numbers that no clock has.
func ParsePVClock(b []byte) (p PVClock, ok bool) {
	if len(b) < PVClockSize {
		return p, false
	}
	version := binary.LittleEndian.Uint32(b)
	p = PVClock{
		TSC: binary.LittleEndian.Uint64(b[8:]), NS: binary.LittleEndian.Uint64(b[16:]),
		Mul: binary.LittleEndian.Uint32(b[24:]), Shift: int8(b[28]),
	}
	return p, version != 0 && version&1 == 0 && p.Mul != 0 && p.Shift > -32 && p.Shift < 32
}

// Rate returns the time stamp counter's rate in Hz, 0 when it does not fit into 64 bits.
func (p PVClock) Rate() uint64 {
	// A count takes Mul·2^(Shift-32) ns.
	hi, lo := uint64(1e9)>>32, uint64(1e9)<<32
	if p.Shift < 0 {
		hi, lo = shiftLeft(hi, lo, uint(-p.Shift))
	}
	den := uint64(p.Mul)
	if p.Shift > 0 {
		den <<= uint(p.Shift)
	}
	if den == 0 || hi >= den {
		return 0
	}
	q, _ := bits.Div64(hi, lo, den)
	return q
}

// shiftLeft returns hi:lo times 2^n, n below 64.
func shiftLeft(hi, lo uint64, n uint) (uint64, uint64) { return hi<<n | lo>>(64-n), lo << n }

// At returns the nanoseconds at a counter's value, modulo 2^64; those at p.TSC for an earlier one.
func (p PVClock) At(tsc uint64) uint64 {
	if tsc < p.TSC {
		return p.NS
	}
	delta := tsc - p.TSC
	if p.Shift >= 0 {
		delta <<= uint(p.Shift)
	} else {
		delta >>= uint(-p.Shift)
	}
	hi, lo := bits.Mul64(delta, uint64(p.Mul))
	return p.NS + (hi<<32 | lo>>32)
}

// ParsePVWallClock reads a pvclock_wall_clock: when the virtual machine's clock began, in nanoseconds since
// 1970. ok is as for ParsePVClock.
func ParsePVWallClock(b []byte) (ns int64, ok bool) {
	if len(b) < PVWallClockSize {
		return 0, false
	}
	version := binary.LittleEndian.Uint32(b)
	sec, nsec := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	return int64(sec)*1e9 + int64(nsec), version != 0 && version&1 == 0 && sec != 0 && nsec < 1e9
}
