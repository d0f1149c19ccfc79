//go:build amd64 || arm

package dma

// In barrier_amd64.s and barrier_arm.s.

func readBarrier()
func writeBarrier()
func fullBarrier()
func notifyBarrier()
