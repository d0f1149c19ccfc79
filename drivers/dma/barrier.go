package dma

// The barriers order the processor's accesses to memory that it shares with a
// device. They are calls into assembly, so that the compiler moves no access
// across them either.
//
// On amd64 loads are not moved before loads nor stores before stores, so that
// two of them have nothing to do but to stop the compiler; on arm each is a DMB
// over the full system, because a device stands outside the shareability
// domain that sync/atomic orders.

// ReadBarrier keeps loads after it from being satisfied before loads ahead of
// it: between the index that a device publishes and the entries that it
// covers (Linux: dma_rmb).
func ReadBarrier() { readBarrier() }

// WriteBarrier makes stores ahead of it visible to the device before stores
// after it: between entries and the index that publishes them (Linux: dma_wmb).
func WriteBarrier() { writeBarrier() }

// Barrier orders every access ahead of it with every access after it: between
// a store and a load that must not overtake it (Linux: mb).
func Barrier() { fullBarrier() }

// NotifyBarrier is Barrier where a miss does no harm but cost time: between the index of what is new for a
// device and the look whether it wants to be told, for a driver that tells it once more when nothing
// happens. It differs in QEMU's emulation only, see FenceEmulation.
func NotifyBarrier() { notifyBarrier() }
