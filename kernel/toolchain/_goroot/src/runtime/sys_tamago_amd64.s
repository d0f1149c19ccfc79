// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

#define MSR_FS_BASE	0xc0000100	// Intel SDM volume 4, IA32_FS_BASE
#define SYS_arch_prctl	158		// Linux
#define ARCH_SET_FS	0x1002

// settls sets the base of the thread-local storage to DI.
TEXT runtime·settls(SB),NOSPLIT,$32
	ADDQ	$8, DI	// ELF wants to use -8(FS)
	MOVW	CS, AX
	TESTB	$3, AX
	JNZ	user

	MOVL	DI, AX
	MOVQ	DI, DX
	SHRQ	$32, DX
	MOVL	$MSR_FS_BASE, CX
	WRMSR
	RET

user:
	// The program runs as a Linux process.
	MOVQ	DI, SI
	MOVQ	$ARCH_SET_FS, DI
	MOVQ	$SYS_arch_prctl, AX
	SYSCALL
	TESTQ	AX, AX
	JZ	2(PC)
	CALL	runtime·abort(SB)
	RET

// func sigrelay(sig int)
//
// Called in interrupt handlers, on any stack. It uses AX, BX, CX, DX and the
// flags, which the handler saves.
TEXT runtime·sigrelay(SB),NOSPLIT|NOFRAME,$0-8
	MOVQ	sig+8(SP), AX
	CMPQ	AX, $const_numSignals
	JHS	done
	CMPQ	AX, $23		// SIGURG, the signal for preemption on Unix
	JEQ	preempt

	MOVQ	AX, CX
	ANDL	$31, CX
	MOVL	$1, BX
	SHLL	CX, BX
	SHRQ	$5, AX
	MOVQ	$runtime·sigPending(SB), DX
	LOCK
	ORL	BX, (DX)(AX*4)
	MOVL	$1, runtime·sigArrived(SB)
done:
	RET

preempt:
	// Ask the goroutine that was interrupted to yield at its next call, if
	// it runs since the tick before: what sysmon's retake and preemptone do.
	get_tls(CX)
	MOVQ	g(CX), AX
	TESTQ	AX, AX
	JZ	done
	MOVQ	g_m(AX), BX
	CMPQ	m_curg(BX), AX
	JNE	done
	MOVQ	m_p(BX), BX
	TESTQ	BX, BX
	JZ	done
	MOVL	p_schedtick(BX), CX
	MOVL	(p_sysmontick+sysmontick_schedtick)(BX), DX
	MOVL	CX, (p_sysmontick+sysmontick_schedtick)(BX)
	CMPL	CX, DX
	JNE	done
	MOVQ	$const_stackPreempt, CX
	MOVB	$1, g_preempt(AX)
	MOVQ	CX, g_stackguard0(AX)
	RET

// The part of the state that XSAVE saves which Go code may change: x87, SSE, AVX and AVX-512,
// and its size in the standard format, Intel SDM volume 1 §13.4.
#define XSAVE_STATE	0xe7
#define XSAVE_SIZE	2688
#define XSAVE_HEADER	512

// sigpreempt: CX points to what the processor pushed: RIP, CS, RFLAGS, RSP, SS. DX is 1 at a tick,
// else 0. If the goroutine that was interrupted is asked to yield and is at a safe point, it
// will call asyncPreempt when the handler returns. All general registers but SP are used;
// vector registers are preserved. Interrupts are off.
TEXT runtime·sigpreempt(SB),NOSPLIT|NOFRAME|TOPFRAME,$0-0
	MOVL	DX, R13
	get_tls(DX)
	MOVQ	g(DX), AX
	TESTQ	AX, AX
	JZ	done
	MOVQ	g_m(AX), BX
	CMPL	m_profilehz(BX), $0
	JEQ	noprofile
	CMPQ	m_gsignal(BX), AX
	JEQ	noprofile
	TESTL	R13, R13
	JNE	asked
noprofile:
	XORL	R13, R13
	CMPQ	m_curg(BX), AX
	JNE	acknowledge
	MOVQ	m_p(BX), SI
	TESTQ	SI, SI
	JZ	acknowledge
	CMPB	g_preempt(AX), $0
	JNE	asked
	CMPB	p_preempt(SI), $0
	JNE	asked
acknowledge:
	LOCK
	INCL	m_preemptGen(BX)
	MOVL	$0, m_signalPending(BX)
done:
	RET

asked:
	// As on Unix, Go code runs on the M's stack for signals.
	MOVQ	m_gsignal(BX), R14
	MOVQ	(g_stack+stack_hi)(R14), DI
	SUBQ	$(XSAVE_SIZE+64), DI
	ANDQ	$~63, DI
	MOVQ	SP, XSAVE_SIZE(DI)
	MOVQ	AX, (XSAVE_SIZE+8)(DI)
	MOVQ	DI, SP
	MOVQ	R14, g(DX)
	MOVQ	AX, R12
	CMPB	internal∕cpu·X86+const_offsetX86HasAVX(SB), $1
	JNE	fxsave
	XORL	AX, AX
	MOVQ	AX, (XSAVE_HEADER+0)(DI)
	MOVQ	AX, (XSAVE_HEADER+8)(DI)
	MOVQ	AX, (XSAVE_HEADER+16)(DI)
	MOVQ	AX, (XSAVE_HEADER+24)(DI)
	MOVQ	AX, (XSAVE_HEADER+32)(DI)
	MOVQ	AX, (XSAVE_HEADER+40)(DI)
	MOVQ	AX, (XSAVE_HEADER+48)(DI)
	MOVQ	AX, (XSAVE_HEADER+56)(DI)
	MOVL	$XSAVE_STATE, AX
	XORL	DX, DX
	XSAVE64	(DI)
	JMP	call
fxsave:
	FXSAVE64	(DI)
call:
	XORPS	X15, X15
	MOVQ	R12, AX
	MOVQ	CX, BX
	MOVL	R13, CX
	XORL	BP, BP
	SUBQ	$64, SP		// room for the arguments
	CALL	·preemptInterrupted<ABIInternal>(SB)
	LEAQ	64(SP), DI
	CMPB	internal∕cpu·X86+const_offsetX86HasAVX(SB), $1
	JNE	fxrstor
	MOVL	$XSAVE_STATE, AX
	XORL	DX, DX
	XRSTOR64	(DI)
	JMP	restored
fxrstor:
	FXRSTOR64	(DI)
restored:
	get_tls(DX)
	MOVQ	(XSAVE_SIZE+8)(DI), AX
	MOVQ	AX, g(DX)
	MOVQ	XSAVE_SIZE(DI), SP
	RET

// sigfault: AX holds the signal, BX the address that faulted, CX points to
// what the processor pushed: RIP, CS, RFLAGS, RSP, SS. AX is 1 on return when
// the goroutine will panic, else 0. DX, SI and DI are used too.
TEXT runtime·sigfault(SB),NOSPLIT|NOFRAME,$0-0
	get_tls(DX)
	MOVQ	g(DX), DX
	TESTQ	DX, DX
	JZ	fatal
	MOVQ	g_m(DX), SI
	CMPQ	m_curg(SI), DX
	JNE	fatal
	CMPB	g_throwsplit(DX), $0
	JNE	fatal

	MOVL	AX, g_sig(DX)
	MOVQ	$0, g_sigcode0(DX)
	MOVQ	BX, g_sigcode1(DX)
	MOVQ	0(CX), SI
	MOVQ	SI, g_sigpc(DX)
	// A call of a nil function has pushed where it was called from already.
	TESTQ	SI, SI
	JZ	resume
	MOVQ	24(CX), DI
	SUBQ	$8, DI
	MOVQ	SI, (DI)
	MOVQ	DI, 24(CX)
resume:
	MOVQ	$runtime·sigpanic0(SB), SI
	MOVQ	SI, 0(CX)
	MOVL	$1, AX
	RET
fatal:
	XORL	AX, AX
	RET

// func threadswitch(save *uintptr, sp uintptr, gp *g)
//
// It saves the stack pointer, and goes on where sp was saved, as gp.
TEXT runtime·threadswitch(SB),NOSPLIT|NOFRAME,$0-24
	MOVQ	save+0(FP), AX
	MOVQ	sp+8(FP), BX
	MOVQ	gp+16(FP), DX
	PUSHQ	BP
	MOVQ	SP, (AX)
	MOVQ	BX, SP
	POPQ	BP
	get_tls(CX)
	MOVQ	DX, g(CX)
	RET

// threadstart is where an M begins that threadswitch goes to first.
TEXT runtime·threadstart(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CALL	runtime·threadstarted(SB)
	CALL	runtime·mstart(SB)
	INT	$3

// taskstart is where a processor begins, for goos.Task: its g is set.
TEXT runtime·taskstart(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	g_m(R14), DI
	LEAQ	m_tls(DI), DI
	CALL	runtime·settls(SB)
	get_tls(CX)
	MOVQ	R14, g(CX)
	CALL	runtime·mstart(SB)
	INT	$3
