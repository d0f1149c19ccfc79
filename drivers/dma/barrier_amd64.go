package dma

// byTaskPriority is set by FenceByTaskPriority.
var byTaskPriority bool

// FenceByTaskPriority has Barrier also set the processor's task priority (CR8) to 0, where it has to be
// anyway. It is for QEMU's emulation (TCG), which before version 8.1 leaves a single processor's fences and
// locked instructions without effect, though its devices run in another thread of the host: without a
// fence there the driver's index and the device's wish to be told of it can miss each other, and neither
// side does anything any more. A write of CR8 takes a lock that the devices use, which is a fence. It is
// called before there is a device, in a program that runs in the processor's privileged mode.
func FenceByTaskPriority() { byTaskPriority = true }
