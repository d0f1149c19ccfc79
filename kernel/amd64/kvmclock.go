//go:build tamago

package amd64

import (
	"encoding/binary"
	"unsafe"

	"github.com/tamanet/tamanet/kernel/clock"
)

// KVM's clock, Linux Documentation/virt/kvm/x86/cpuid.rst and msr.rst.
const (
	kvmFeatures     = 1 // leaf, from the first one on
	kvmClockSource2 = 1 << 3

	msrKVMWallClock  = 0x4b564d00
	msrKVMSystemTime = 0x4b564d01
	kvmSystemTimeOn  = 1

	// kvmReads bounds the wait for a version that stays; what KVM writes is there when the WRMSR ends.
	kvmReads = 100

	// maxWallError is how far KVM's time may be from the real-time clock's, which may be a local time.
	maxWallError = 26 * 3600 * 1e9
)

// kvmPage is where KVM writes, from a multiple of 64 on.
var kvmPage [128]byte

// kvmClock returns what KVM says about the time stamp counter, and when its clock began, 0 when it does not
// say that. ok is false without KVM. It is asked once: KVM does not write afterwards. It runs
// in hwinit0.
//
// It has not been tried on hardware. What it says is believed only as far as the timer and the real-time
// clock agree.
func kvmClock() (p clock.PVClock, wall int64, ok bool) {
	if !cpuHas(ecxHypervisor) {
		return p, 0, false
	}
	first, last, found := clock.FindKVM(cpuid)
	if !found || last < first+kvmFeatures {
		return p, 0, false
	}
	if features, _, _, _ := cpuid(first+kvmFeatures, 0); features&kvmClockSource2 == 0 {
		return p, 0, false
	}

	// SAFETY: only the address is used; kvmPage is a package variable and stays.
	at := (uintptr(unsafe.Pointer(&kvmPage)) + 63) &^ 63
	wrmsr(msrKVMWallClock, uint64(at))
	if b, stable := readVersioned(at, clock.PVWallClockSize); stable {
		wall, _ = clock.ParsePVWallClock(b[:])
	}
	wrmsr(msrKVMSystemTime, uint64(at)|kvmSystemTimeOn)
	if b, stable := readVersioned(at, clock.PVClockSize); stable {
		p, ok = clock.ParsePVClock(b[:])
	}
	wrmsr(msrKVMSystemTime, 0)
	return p, wall, ok
}

// readVersioned copies a structure of n bytes whose first word changes whenever it is
// written.
func readVersioned(at uintptr, n int) (b [clock.PVClockSize]byte, stable bool) {
	for range kvmReads {
		version := load32(at)
		for i := 0; i < n; i += 4 {
			binary.LittleEndian.PutUint32(b[i:], load32(at+uintptr(i)))
		}
		if version&1 == 0 && load32(at) == version {
			return b, true
		}
	}
	return b, false
}
