//go:build tamago

package amd64

import (
	_ "unsafe" // for go:linkname

	"github.com/tamanet/tamanet/kernel/clock"
)

// Ports of the 8254 timer's channel 2 and of the real-time clock.
const (
	pitChannel2 = 0x42
	pitCommand  = 0x43
	pitGate     = 0x61 // bit 0 gates channel 2, bit 1 is the speaker
	pitHz       = 1193182

	pitMode0  = 0xb0 // channel 2, low then high byte, mode 0, binary
	pitLatch2 = 0x80

	cmosIndex = 0x70
	cmosData  = 0x71

	pitWindow = pitHz / 100 // 10 ms
)

// timebase turns the time stamp counter into the time. It is written once, by
// initClock, before anything else runs.
var timebase struct {
	hz   uint64      // the counter's rate
	toNS clock.Ratio // from counts to nanoseconds
	base uint64      // counter at boot
	boot int64       // time at boot, nanoseconds since 1970
	wall bool        // the real-time clock could be read
}

// nanotime returns the nanoseconds since 1970. It is both the runtime's monotonic
// clock and its wall clock.
//
//go:linkname nanotime runtime/goos.Nanotime
//go:nosplit
func nanotime() int64 {
	return timebase.boot + int64(timebase.toNS.Mul(rdtsc()-timebase.base))
}

// initClock finds the counter's rate and the time of day. It runs in hwinit0.
func initClock() {
	kvm, wall, ok := kvmClock()
	var kvmRate uint64
	if ok {
		kvmRate = kvm.Rate()
	}
	hz := tscRate(kvmRate)
	if hz == 0 {
		stop("the TSC's rate is unknown: neither KVM, CPUID nor the 8254 timer tells it (QEMU: -M microvm,pit=on)")
	}

	sec, rtc := clock.ReadRTC(readCMOS)
	timebase.base = rdtsc()
	timebase.hz = hz
	timebase.toNS = clock.NewRatio(1e9, hz)
	timebase.boot = sec * 1e9
	if ok && wall != 0 {
		// To the nanosecond, where the real-time clock has seconds.
		if now := wall + int64(kvm.At(timebase.base)); !rtc || max(now-timebase.boot, timebase.boot-now) < maxWallError {
			timebase.boot, rtc = now, true
		}
	}
	timebase.wall = rtc
	if !rtc {
		puts("tamanet: no real-time clock: the date begins in 1970 (QEMU: -M microvm,rtc=on)\n")
	}
}

// tscRate returns the time stamp counter's rate in Hz, 0 when nothing tells.
// What KVM (0 for nothing) and CPUID state is exact, so it wins over the measurement that confirms
// it; alone, each is believed.
func tscRate(kvm uint64) uint64 {
	outb(pitGate, inb(pitGate)&^3|1)
	outb(pitCommand, pitMode0)
	outb(pitChannel2, 0xff)
	outb(pitChannel2, 0xff)
	measured := clock.Rate(rdtsc, pitCount, 0xffff, pitWindow, pitHz)

	return clock.ChooseRate(measured, kvm, hypervisorRate(), crystalRate())
}

// pitCount returns the ticks that channel 2 counted, modulo 2^16.
func pitCount() uint64 {
	outb(pitCommand, pitLatch2)
	lo := inb(pitChannel2)
	hi := inb(pitChannel2)
	return uint64(-(uint16(hi)<<8 | uint16(lo)))
}

// hypervisorRate returns the rate that a hypervisor states, in Hz, or 0.
func hypervisorRate() uint64 {
	if !cpuHas(ecxHypervisor) {
		return 0
	}
	if max, _, _, _ := cpuid(leafHypervisor, 0); max < leafHypervisorTiming || max > leafHypervisor+0xffff {
		return 0
	}
	khz, _, _, _ := cpuid(leafHypervisorTiming, 0)
	return uint64(khz) * 1000
}

// crystalRate returns the rate by CPUID leaf 0x15, in Hz, or 0.
func crystalRate() uint64 {
	if max, _, _, _ := cpuid(0, 0); max < leafTSC {
		return 0
	}
	den, num, crystal, _ := cpuid(leafTSC, 0)
	if den == 0 {
		return 0
	}
	return uint64(crystal) * uint64(num) / uint64(den)
}

// readCMOS returns a register of the real-time clock.
func readCMOS(reg uint8) uint8 {
	outb(cmosIndex, reg)
	return inb(cmosData)
}
