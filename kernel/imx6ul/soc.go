//go:build tamago && arm

package imx6ul

import "runtime"

// Devices' registers (IMX6ULLRM Table 2-3) and interrupts (Table 3-1).
const (
	ENET1 = 0x0218_8000
	ENET2 = 0x020b_4000

	USB1       = 0x0218_4000
	USB1Analog = 0x020c_81a0
	USB1PHY    = 0x020c_9000
	// CCGR6 gates the USB ports' clock, by its field 0.
	CCGR6 = 0x020c_4080

	// OCRAM is memory on the chip, which is not cached.
	OCRAM     = 0x0090_0000
	OCRAMSize = 0x0002_0000

	usbAnalogDigprog = 0x020c_8260
	gicBase          = 0x00a0_0000
	uart1            = 0x0202_0000
	uart2            = 0x021e_8000
	ocotpShadow      = 0x021b_c400
	rngb             = 0x0228_4000
	wdog1            = 0x020b_c000
	wdog2            = 0x020c_0000
	wdog3            = 0x021e_4000
	iomuxcGPR1       = 0x020e_4004
	analogPLLENET    = 0x020c_80e0
	analogPLLUSB1    = 0x020c_8010

	LineENET1 = 150
	LineENET2 = 152
	LineUSB1  = 75
)

// IPG is the clock of most devices in Hz, as the boot ROM leaves it (Table 18-4).
const IPG = 66_000_000

// Implemented in cpu_arm.s. Each accesses a device register exactly once.
func load32(addr uintptr) uint32
func store32(addr uintptr, v uint32)
func load16(addr uintptr) uint16
func store16(addr uintptr, v uint16)

// bootStack is how much the runtime leaves for its first stack at the end of
// RAM (rt0_go, 64 KiB).
const bootStack = 64 << 10

func dataRegion() (start, end uint32) { return runtime.DataRegion() }

// Fuse returns a word of the one-time programmable fuses' shadow (§37.5). The first six banks'
// words are 16 bytes apart, further banks begin 256 bytes later.
func Fuse(bank, word int) uint32 {
	off := uintptr(0x10 * (8*bank + word))
	if bank > 5 {
		off += 0x100
	}
	return load32(ocotpShadow + off)
}

// UniqueID returns the processor's 64-bit identifier (OCOTP_CFG0, OCOTP_CFG1), 0 in QEMU.
func UniqueID() uint64 { return uint64(Fuse(0, 2))<<32 | uint64(Fuse(0, 1)) }

// init stops the watchdogs' power-down counters, which run from reset on and would take
// their pins down after 16 s (§59.5.3).
func init() {
	const wmcr = 8
	for _, w := range []uintptr{wdog1, wdog2, wdog3} {
		store16(w+wmcr, 0)
	}
}

// ResetWatchdog has a watchdog, 1 or 2, reset the processor and, by its pin, the board (§59.7.1). It
// returns while that is under way.
func ResetWatchdog(n int) {
	base := uintptr(wdog1)
	if n == 2 {
		base = wdog2
	}
	// WDA and SRS are asserted by 0. Written three times: erratum ERR004346.
	for range 3 {
		store16(base, 0)
	}
}

// A Pad is a pin's settings: which function it has, how it is driven, and which pin feeds
// an input that several can (IMX6ULLRM chapter 32). Registers that are 0 are left alone.
type Pad struct {
	Mux, Mode     uint32
	Ctl, Settings uint32
	Daisy, Select uint32
}

// SION forces a pin's input on, in Pad.Mode.
const SION = 1 << 4

// Configure sets pins up.
func Configure(pads []Pad) {
	for _, p := range pads {
		store32(uintptr(p.Mux), p.Mode)
		if p.Ctl != 0 {
			store32(uintptr(p.Ctl), p.Settings)
		}
		if p.Daisy != 0 {
			store32(uintptr(p.Daisy), p.Select)
		}
	}
}

// EnableRMIIClock makes the 50 MHz reference clock of ENET n, 1 or 2, and gives it out on its
// TX_CLK pin (§18.7.9 PLL_ENET, §32.4.2 GPR1). It reports whether the PLL has locked.
func EnableRMIIClock(n int) bool {
	const (
		bypass    = 1 << 16
		powerDown = 1 << 12
		mhz50     = 1
	)
	enable, div := uint32(1<<13), 0
	if n == 2 {
		enable, div = 1<<20, 2
	}
	// The clock comes from the PLL (ENETn_CLK_SEL 0), and goes out (ENETn_TX_CLK_DIR 1).
	gpr := load32(iomuxcGPR1)
	store32(iomuxcGPR1, gpr&^(1<<(12+n))|1<<(16+n))

	v := load32(analogPLLENET)&^(3<<div|powerDown) | mhz50<<div
	store32(analogPLLENET, v)
	if !locked(analogPLLENET) {
		return false
	}
	store32(analogPLLENET, v&^bypass|enable)
	return true
}

// EnableUSBClock makes the clock of the first USB port's transceiver (§18.7.2 PLL_USB1). It reports whether the PLL
// has locked.
func EnableUSBClock() bool {
	const (
		bypass = 1 << 16
		enable = 1 << 13
		power  = 1 << 12
		clocks = 1 << 6
	)
	v := load32(analogPLLUSB1) | power | clocks
	store32(analogPLLUSB1, v)
	if !locked(analogPLLUSB1) {
		return false
	}
	store32(analogPLLUSB1, v&^bypass|enable)
	return true
}

// locked waits for a PLL, which takes 450 µs at most (IMX6ULLCEC Table 20).
func locked(pll uintptr) bool {
	const lock = 1 << 31
	for end := nanotime() + 10e6; load32(pll)&lock == 0; {
		if nanotime() > end {
			return load32(pll)&lock != 0
		}
	}
	return true
}
