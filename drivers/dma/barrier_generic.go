//go:build !amd64 && !arm

package dma

import "sync/atomic"

// Only hosts have these processors, with a Fake on the other side: Go's
// sequentially consistent atomics order what goroutines see.
var fence atomic.Uint32

func readBarrier()  { fence.Add(1) }
func writeBarrier() { fence.Add(1) }
func fullBarrier()  { fence.Add(1) }

func notifyBarrier() { fence.Add(1) }
