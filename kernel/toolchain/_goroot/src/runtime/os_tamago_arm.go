// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package runtime

import (
	"runtime/goos"
	_ "unsafe" // for linkname
)

// MemRegion returns the bounds of the RAM that the runtime was given.
func MemRegion() (start, end uint32) {
	return uint32(goos.RamStart), uint32(goos.RamStart + goos.RamSize)
}

// TextRegion returns the bounds of the program's instructions.
func TextRegion() (start, end uint32) {
	return uint32(firstmoduledata.text), uint32(firstmoduledata.etext)
}

// DataRegion returns the bounds of the program's variables.
func DataRegion() (start, end uint32) {
	return uint32(firstmoduledata.data), uint32(firstmoduledata.enoptrbss)
}

// checkgoarm has nothing to check: a board is built for its processor.
func checkgoarm() {}

// cputicks is nanotime: not every ARMv7 lets the cycle counter be read.
//
//go:nosplit
func cputicks() int64 {
	return nanotime()
}

// CallOnG0 calls a Go function on the stack of g0, from an exception handler:
// assembly only, the arguments are in registers.
//
//	R0  the function's one argument, a word
//	R1  the function
//	R2  bytes that the handler pushed on the goroutine's stack
//	R3  where the goroutine was
//
// R13, R14 and g are preserved, and no other register.
func CallOnG0()

// Goroutines yield at calls only.

func preemptM(mp *m) {}

const preemptMSupported = false

//go:linkname syscall_preemptHandler syscall.preemptHandler
func syscall_preemptHandler(send func(processor uint64)) uintptr { return 0 }

// One processor runs the one M.

type thread struct{}

func manyThreads() bool { return false }

func newosproc(mp *m) {
	throw("newosproc: there is one processor")
}

//go:nosplit
func threadWait(until int64, listens bool) {
	idle(until)
}

//go:nosplit
func threadWake(mp *m) {}

//go:nosplit
func osyield() {}
