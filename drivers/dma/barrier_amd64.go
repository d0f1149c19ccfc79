package dma

// emulated is set by FenceEmulation.
var emulated bool

// FenceEmulation has Barrier and NotifyBarrier work in QEMU's emulation (TCG), which before version 8.1 leaves a
// single processor's fences and locked instructions without effect, though its devices run in another thread of
// the host: without a fence there the driver's index and the device's wish to be told of it can miss
// each other, and neither side does anything any more.
//
// Barrier then also sets the processor's task priority (CR8) to 0, where it has to be anyway: that takes
// the lock under which devices run (target/i386/tcg/sysemu/misc_helper.c helper_write_crN), and waits for them.
// NotifyBarrier reads the time-stamp counter: that takes a spin lock which nobody holds for long
// (softmmu/cpu-timers.c cpu_get_ticks), by an atomic exchange, which is a fence where the host is a PC too.
//
// FenceEmulation is called before there is a device, in a program that runs in the processor's privileged mode.
func FenceEmulation() { emulated = true }
