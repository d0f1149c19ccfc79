//go:build tamago && arm

package imx6ul

import _ "unsafe" // for go:linkname

// nsPerCount is how long the system counter's count is, in nanoseconds: 16 in QEMU, where it runs at
// 62.5 MHz, and 125 at the 8 MHz of a board (U-Boot: CONFIG_SC_TIMER_CLK). cpuinit sets it, and starts the counter.
var nsPerCount uint32 = 16

// wallOffset is what to add to the counter for the time since 1970, in nanoseconds.
var wallOffset int64

// counter returns the system counter. Implemented in cpu_arm.s.
func counter() uint64

// nanotime returns the nanoseconds since 1970, or since boot where nobody tells the date. It
// is both the runtime's monotonic clock and its wall clock.
//
//go:linkname nanotime runtime/goos.Nanotime
//go:nosplit
func nanotime() int64 { return wallOffset + int64(counter()*uint64(nsPerCount)) + 1 }

// initWallClock takes the date from the host where there is one. Boards have no clock
// that is kept alive.
func initWallClock() {
	if t := semihostingTime(); t != 0 {
		wallOffset = int64(t)*1e9 - nanotime()
	}
}
