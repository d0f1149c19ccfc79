// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

#include "go_asm.h"
#include "textflag.h"

// func sigrelay(sig int)
//
// Called in interrupt handlers, on any stack, with g as it was interrupted.
// It uses R0 to R4 and the flags, which the handler saves.
TEXT runtime·sigrelay(SB),NOSPLIT|NOFRAME,$0-4
	MOVW	4(R13), R0
	CMP	$const_numSignals, R0
	B.HS	done
	CMP	$23, R0		// SIGURG, the signal for preemption on Unix
	B.EQ	preempt

	AND	$31, R0, R1
	MOVW	$1, R2
	SLL	R1, R2
	SRL	$5, R0
	SLL	$2, R0
	MOVW	$runtime·sigPending(SB), R1
	ADD	R0, R1
again:
	LDREX	(R1), R3
	ORR	R2, R3
	STREX	R3, (R1), R0
	CMP	$0, R0
	B.NE	again
	DMB	MB_ISH
	MOVW	$1, R2
	MOVW	$runtime·sigArrived(SB), R1
	MOVW	R2, (R1)
done:
	RET

preempt:
	// Ask the goroutine that was interrupted to yield at its next call, if
	// it runs since the tick before: what sysmon's retake and preemptone do.
	CMP	$0, g
	B.EQ	done
	MOVW	g_m(g), R1
	MOVW	m_curg(R1), R2
	CMP	R2, g
	B.NE	done
	MOVW	m_p(R1), R1
	CMP	$0, R1
	B.EQ	done
	MOVW	p_schedtick(R1), R2
	MOVW	(p_sysmontick+sysmontick_schedtick)(R1), R3
	MOVW	R2, (p_sysmontick+sysmontick_schedtick)(R1)
	CMP	R2, R3
	B.NE	done
	MOVW	$1, R2
	MOVB	R2, g_preempt(g)
	MOVW	$const_stackPreempt, R2
	MOVW	R2, g_stackguard0(g)
	RET

// CallOnG0: see os_tamago_arm.go.
TEXT runtime·CallOnG0(SB),NOSPLIT|NOFRAME,$0-0
	MOVW	g_m(g), R4
	MOVW	m_g0(R4), R4
	MOVW	R13, R5
	CMP	g, R4
	B.EQ	call
	// Say where the goroutine was, for tracebacks.
	ADD	R2, R13, R6
	MOVW	R6, (g_sched+gobuf_sp)(g)
	MOVW	R3, (g_sched+gobuf_pc)(g)
	MOVW	(g_sched+gobuf_sp)(R4), R5
call:
	SUB	$24, R5
	BIC	$7, R5
	MOVW	$0, R6
	MOVW	R6, 0(R5)	// the callee's place for LR
	MOVW	R0, 4(R5)
	MOVW	R13, 8(R5)
	MOVW	R14, 12(R5)
	MOVW	g, 16(R5)
	MOVW	R5, R13
	MOVW	R4, g
	BL	(R1)
	MOVW	16(R13), g
	MOVW	12(R13), R14
	MOVW	8(R13), R13
	B	(R14)

// sigfault: R0 holds the signal, R1 the address that faulted, R2 points to R13,
// R14 and R15 of where it happened; g is as it was. R0 is 1 on return when the
// goroutine will panic, else 0. R3 to R6 are used too.
TEXT runtime·sigfault(SB),NOSPLIT|NOFRAME,$0-0
	CMP	$0, g
	B.EQ	fatal
	MOVW	g_m(g), R3
	MOVW	m_curg(R3), R3
	CMP	R3, g
	B.NE	fatal
	MOVBU	g_throwsplit(g), R3
	CMP	$0, R3
	B.NE	fatal

	MOVW	R0, g_sig(g)
	MOVW	$0, R3
	MOVW	R3, g_sigcode0(g)
	MOVW	R1, g_sigcode1(g)
	MOVW	8(R2), R3
	MOVW	R3, g_sigpc(g)
	// A call of sigpanic. R14 is saved, since a leaf has not done so.
	MOVW	0(R2), R4
	SUB	$4, R4
	MOVW	4(R2), R5
	MOVW	R5, (R4)
	MOVW	R4, 0(R2)
	// A jump out of the program has put where it came from into R14 already.
	MOVW	$runtime·firstmoduledata(SB), R4
	MOVW	moduledata_text(R4), R5
	MOVW	moduledata_etext(R4), R6
	CMP	R5, R3
	B.LO	resume
	CMP	R6, R3
	B.HS	resume
	MOVW	R3, 4(R2)
resume:
	MOVW	$runtime·sigpanic(SB), R3
	MOVW	R3, 8(R2)
	MOVW	$1, R0
	RET
fatal:
	MOVW	$0, R0
	RET

TEXT runtime·publicationBarrier(SB),NOSPLIT|NOFRAME,$0-0
	B	runtime·armPublicationBarrier(SB)

// read_tls_fallback is never called: it is for cgo.
TEXT runtime·read_tls_fallback(SB),NOSPLIT|NOFRAME,$0
	B	runtime·abort(SB)
