//go:build tamago

package amd64

import "github.com/tamanet/tamanet/kernel/clock"

// Registers of the local APIC, SDM vol. 3 table 10-1. It is used through memory
// at its reset address; handlers in interrupt_amd64.s rely on that.
const (
	lapicBase = 0xfee0_0000

	lapicID           = lapicBase + 0x020
	lapicTPR          = lapicBase + 0x080
	lapicSVR          = lapicBase + 0x0f0
	lapicICRLow       = lapicBase + 0x300
	lapicICRHigh      = lapicBase + 0x310
	lapicLVTTimer     = lapicBase + 0x320
	lapicLVTThermal   = lapicBase + 0x330
	lapicLVTPerf      = lapicBase + 0x340
	lapicLVTLINT0     = lapicBase + 0x350
	lapicLVTLINT1     = lapicBase + 0x360
	lapicLVTError     = lapicBase + 0x370
	lapicTimerInitial = lapicBase + 0x380
	lapicTimerCurrent = lapicBase + 0x390
	lapicTimerDivide  = lapicBase + 0x3e0

	svrEnable  = 1 << 8
	lvtMasked  = 1 << 16
	lvtNMI     = 4 << 8
	divideBy16 = 3
	idShift    = 24

	// msrAPICBase is IA32_APIC_BASE, SDM vol. 4.
	msrAPICBase    = 0x1b
	apicBaseEnable = 1 << 11
	apicBaseX2     = 1 << 10
	apicBaseMask   = 0xf_ffff_f000
)

// Ports of the two 8259A interrupt controllers, which are never used.
const (
	picData1 = 0x21
	picData2 = 0xa1
)

// maskPIC masks all interrupts of the 8259As.
func maskPIC() {
	outb(picData1, 0xff)
	outb(picData2, 0xff)
}

// initLAPIC enables the local APIC with its timer in one-shot mode and all
// else masked but NMI, and finds the timer's rate. It returns that rate in Hz.
func initLAPIC() uint64 {
	base := rdmsr(msrAPICBase)
	if base&apicBaseMask != lapicBase || base&apicBaseX2 != 0 {
		stop("the local APIC is not at its reset address")
	}
	enableLAPIC()
	bsp.apic = load32(lapicID) >> idShift

	store32(lapicTimerInitial, ^uint32(0))
	hz := clock.Rate(timerCount, rdtsc, ^uint64(0), timebase.hz/500, timebase.hz)
	store32(lapicTimerInitial, 0)
	if hz == 0 {
		stop("the local APIC's timer does not run")
	}
	return hz
}

// enableLAPIC enables the local APIC of the processor that this runs on.
//
//go:nosplit
func enableLAPIC() {
	wrmsr(msrAPICBase, rdmsr(msrAPICBase)|apicBaseEnable)

	// First, for until then the others are masked (SDM vol. 3 §10.4.7.2).
	store32(lapicSVR, svrEnable|vecSpurious)
	store32(lapicTPR, 0)
	store32(lapicLVTTimer, vecTimer)
	store32(lapicLVTLINT0, lvtMasked)
	store32(lapicLVTLINT1, lvtNMI)
	store32(lapicLVTError, lvtMasked|vecSpurious)
	store32(lapicTimerDivide, divideBy16)
}

// timerCount returns how far the timer has counted since it was set to its maximum.
func timerCount() uint64 { return uint64(^load32(lapicTimerCurrent)) }
