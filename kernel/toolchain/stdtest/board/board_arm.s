//go:build tamago

#include "textflag.h"

// func rawSyscall(num, a1, a2, a3, a4 uintptr) uintptr
TEXT ·rawSyscall(SB),NOSPLIT,$0-24
	MOVW	num+0(FP), R7
	MOVW	a1+4(FP), R0
	MOVW	a2+8(FP), R1
	MOVW	a3+12(FP), R2
	MOVW	a4+16(FP), R3
	SWI	$0
	MOVW	R0, ret+20(FP)
	RET

// func handlers() (fault, tick, restorer uintptr)
TEXT ·handlers(SB),NOSPLIT,$0-12
	MOVW	$·fault(SB), R0
	MOVW	R0, fault+0(FP)
	MOVW	$·tick(SB), R0
	MOVW	R0, tick+4(FP)
	MOVW	$·restorer(SB), R0
	MOVW	R0, restorer+8(FP)
	RET

#define SI_ADDR	12	// in siginfo
#define UC_SP	84	// in struct ucontext; lr and pc follow

#define SIGBUS	7
#define SIGSEGV	11
#define SYS_rt_sigaction	174

// fault(sig R0, info *siginfo R1, context *ucontext R2) hands the exception to
// the runtime as an exception handler does.
TEXT ·fault(SB),NOSPLIT|NOFRAME,$0-0
	SUB	$24, R13
	MOVW	R14, 20(R13)
	MOVW	R0, 16(R13)
	MOVW	SI_ADDR(R1), R1
	ADD	$UC_SP, R2
	CMP	$SIGBUS, R0	// is an access too
	MOVW.EQ	$SIGSEGV, R0
	MOVW	·sigfault(SB), R3
	BL	(R3)
	CMP	$0, R0
	B.NE	done

	// To the default: the exception comes again and kills.
	MOVW	$0, R2
	MOVW	R2, 0(R13)
	MOVW	R2, 4(R13)
	MOVW	R2, 8(R13)
	MOVW	R2, 12(R13)	// with 16(R13), the mask
	MOVW	16(R13), R0
	MOVW	R13, R1
	MOVW	$8, R3
	MOVW	$SYS_rt_sigaction, R7
	SWI	$0
done:
	MOVW	20(R13), R14
	ADD	$24, R13
	B	(R14)

// tick(sig R0, info *siginfo R1, context *ucontext R2) is a timer interrupt.
TEXT ·tick(SB),NOSPLIT|NOFRAME,$0-0
	SUB	$16, R13
	MOVW	R14, 12(R13)
	MOVW	$23, R0		// SIGURG
	MOVW	R0, 4(R13)
	BL	os∕signal·Relay(SB)
	MOVW	12(R13), R14
	ADD	$16, R13
	B	(R14)

TEXT ·restorer(SB),NOSPLIT|NOFRAME,$0-0
	MOVW	$173, R7	// rt_sigreturn
	SWI	$0
	WORD	$0xe7f000f0	// undefined
