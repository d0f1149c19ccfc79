// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package runtime

import (
	"internal/abi"
	"internal/goarch"
	"unsafe"
)

// A goroutine that was asked to yield, and makes no call at which it would see that, is
// preempted by an interrupt: of the timer, or that which preemptM sends to its processor. The
// handler calls sigpreempt in sys_tamago_amd64.s, which does what doSigPreempt does on Unix. At a tick
// it does what the handler of SIGPROF does, too: a tick is as long as a sample of Go's CPU profiles.
//
// preemptM is a hint: the processor may meanwhile run another M. The tick of the timer, which each
// processor has, looks for the request again.

const preemptMSupported = true

// sendPreempt has another processor interrupted, nil where there are none.
var sendPreempt func(processor uint64)

// sigpreempt is for interrupt handlers: assembly only, the argument is in a register.
func sigpreempt()

// syscall_preemptHandler returns the address of sigpreempt.
//
//go:linkname syscall_preemptHandler syscall.preemptHandler
func syscall_preemptHandler(send func(processor uint64)) uintptr {
	sendPreempt = send
	return abi.FuncPCABI0(sigpreempt)
}

func preemptM(mp *m) {
	if sendPreempt != nil && mp.signalPending.CompareAndSwap(0, 1) {
		sendPreempt(mp.procid)
	}
}

// interruptFrame is what the processor pushes for an interrupt.
type interruptFrame struct {
	rip, cs, rflags, rsp, ss uintptr
}

// preemptInterrupted has gp, which was interrupted, call asyncPreempt where it is when the handler returns, if it is
// asked to yield and at a safe point. It takes a sample for the CPU profile first, if profile is set. It runs on gsignal.
//
//go:nowritebarrierrec
func preemptInterrupted(gp *g, f *interruptFrame, profile bool) {
	if profile {
		sigprof(f.rip, f.rsp, 0, gp, gp.m)
	}
	if debug.asyncpreemptoff == 0 && wantAsyncPreempt(gp) {
		if ok, pc := isAsyncSafePoint(gp, f.rip, f.rsp, 0); ok {
			f.rsp -= goarch.PtrSize
			*(*uintptr)(unsafe.Pointer(f.rsp)) = pc
			f.rip = abi.FuncPCABI0(asyncPreempt)
		}
	}
	gp.m.preemptGen.Add(1)
	gp.m.signalPending.Store(0)
}
