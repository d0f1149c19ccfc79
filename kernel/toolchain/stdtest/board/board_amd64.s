//go:build tamago

#include "go_asm.h"
#include "textflag.h"

// func rawSyscall(num, a1, a2, a3, a4 uintptr) uintptr
TEXT ·rawSyscall(SB),NOSPLIT,$0-48
	MOVQ	num+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	MOVQ	a3+24(FP), DX
	MOVQ	a4+32(FP), R10
	SYSCALL
	MOVQ	AX, ret+40(FP)
	RET

// func handlers() (fault, tick, preempt, restorer uintptr)
TEXT ·handlers(SB),NOSPLIT,$0-32
	LEAQ	·fault(SB), AX
	MOVQ	AX, fault+0(FP)
	LEAQ	·tick(SB), AX
	MOVQ	AX, tick+8(FP)
	LEAQ	·preempt(SB), AX
	MOVQ	AX, preempt+16(FP)
	LEAQ	·restorer(SB), AX
	MOVQ	AX, restorer+24(FP)
	RET

// In struct ucontext.
#define UC_RSP	160
#define UC_RIP	168

// fault(sig DI, info *siginfo SI, context *ucontext DX) hands the exception to
// the runtime as an exception handler does, in a frame of RIP, CS, RFLAGS,
// RSP and SS.
TEXT ·fault(SB),NOSPLIT|NOFRAME,$0-0
	SUBQ	$56, SP
	MOVQ	R12, 48(SP)
	MOVQ	DX, R12
	MOVQ	UC_RIP(R12), AX
	MOVQ	AX, 0(SP)
	MOVQ	UC_RSP(R12), AX
	MOVQ	AX, 24(SP)
	MOVQ	DI, 40(SP)
	MOVQ	16(SI), BX	// si_addr
	MOVL	DI, AX
	CMPL	AX, $7	// SIGBUS is an access too
	JNE	call
	MOVL	$11, AX
call:
	LEAQ	0(SP), CX
	MOVQ	·sigfault(SB), R11
	CALL	R11
	TESTL	AX, AX
	JZ	deadly
	MOVQ	0(SP), AX
	MOVQ	AX, UC_RIP(R12)
	MOVQ	24(SP), AX
	MOVQ	AX, UC_RSP(R12)
	MOVQ	48(SP), R12
	ADDQ	$56, SP
	RET
deadly:
	// rt_sigaction(sig, SIG_DFL): the exception comes again and kills.
	MOVQ	40(SP), DI
	MOVQ	$0, 0(SP)
	MOVQ	$0, 8(SP)
	MOVQ	$0, 16(SP)
	MOVQ	$0, 24(SP)
	LEAQ	0(SP), SI
	XORL	DX, DX
	MOVL	$8, R10
	MOVL	$13, AX
	SYSCALL
	MOVQ	48(SP), R12
	ADDQ	$56, SP
	RET

// tick(sig DI, info *siginfo SI, context *ucontext DX) is a timer interrupt.
TEXT ·tick(SB),NOSPLIT|NOFRAME,$0-0
	SUBQ	$24, SP
	MOVQ	DX, 16(SP)
	MOVL	8(SI), AX	// si_code
	MOVL	AX, 0(SP)
	CMPL	·nprocs(SB), $0
	JEQ	relay
	CALL	·forward(SB)
relay:
	MOVQ	$23, 0(SP)	// SIGURG
	CALL	os∕signal·Relay(SB)
	MOVQ	16(SP), DX
	ADDQ	$24, SP
	MOVL	$1, SI
	JMP	·interrupted(SB)

// preempt(sig DI, info *siginfo SI, context *ucontext DX) is an interrupt by another
// processor.
TEXT ·preempt(SB),NOSPLIT|NOFRAME,$0-0
	XORL	SI, SI
	JMP	·interrupted(SB)

// interrupted(_, tick SI, context *ucontext DX) is the end of either.
TEXT ·interrupted(SB),NOSPLIT|NOFRAME,$0-0
	SUBQ	$56, SP
	MOVQ	DX, 48(SP)
	MOVQ	UC_RIP(DX), AX
	MOVQ	AX, 0(SP)
	MOVQ	UC_RSP(DX), AX
	MOVQ	AX, 24(SP)
	LEAQ	0(SP), CX
	MOVL	SI, DX
	MOVQ	·sigpreempt(SB), R11
	CALL	R11
	MOVQ	48(SP), DX
	MOVQ	0(SP), AX
	MOVQ	AX, UC_RIP(DX)
	MOVQ	24(SP), AX
	MOVQ	AX, UC_RSP(DX)
	ADDQ	$56, SP
	RET

TEXT ·restorer(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	$15, AX	// rt_sigreturn
	SYSCALL
	INT	$3

#define SYS_clone	56
#define CLONE_THREADS	0x50f00	// VM, FS, FILES, SIGHAND, THREAD, SYSVSEM

// func clone(id uint64, sp uintptr)
TEXT ·clone(SB),NOSPLIT,$0-16
	MOVQ	id+0(FP), R12
	MOVQ	sp+8(FP), SI
	MOVL	$CLONE_THREADS, DI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVL	$SYS_clone, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	JLT	failed
	RET
failed:
	INT	$3
child:
	SUBQ	$16, SP
	// An empty TLS, so that ABI wrappers find no g.
	LEAQ	·noTLS+8(SB), SI
	MOVL	$0x1002, DI		// ARCH_SET_FS
	MOVL	$158, AX		// arch_prctl
	SYSCALL
	MOVQ	R12, 0(SP)
	MOVQ	R12, 8(SP)
	CALL	·started(SB)
	MOVQ	8(SP), R12
	ADDQ	$16, SP
	IMULQ	$proc__size, R12
	LEAQ	·procs(SB), AX
	MOVQ	proc_gp(AX)(R12*1), R14
	MOVQ	proc_fn(AX)(R12*1), AX
	CALL	AX
	INT	$3

GLOBL	·noTLS(SB),NOPTR,$16
