package bench

import "time"

// tscKHz returns the rate of the time stamp counter that QEMU's software emulation shows to a guest, in kHz: the
// host's own (QEMU include/qemu/timer.h, cpu_get_host_ticks).
func tscKHz() int64 {
	const over = 100 * time.Millisecond
	begin, from := time.Now(), hostTicks()
	time.Sleep(over)
	ticks := hostTicks() - from
	return ticks * int64(time.Millisecond) / int64(time.Since(begin))
}
