//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define LAPIC_EOI 0xfee000b0
#define LAPIC_TIMER_COUNT 0xfee00380
#define LAPIC_ICR_LOW 0xfee00300
#define LAPIC_ICR_HIGH 0xfee00310

#define SIGURG 23

#define SAVE \
	PUSHQ	AX; PUSHQ BX; PUSHQ CX; PUSHQ DX; PUSHQ SI; PUSHQ DI; PUSHQ BP	\
	PUSHQ	R8; PUSHQ R9; PUSHQ R10; PUSHQ R11	\
	PUSHQ	R12; PUSHQ R13; PUSHQ R14; PUSHQ R15

#define RESTORE \
	POPQ	R15; POPQ R14; POPQ R13; POPQ R12	\
	POPQ	R11; POPQ R10; POPQ R9; POPQ R8	\
	POPQ	BP; POPQ DI; POPQ SI; POPQ DX; POPQ CX; POPQ BX; POPQ AX

// VECTOR sets AX to the vector, from the return address that its stub pushed, at
// off(SP). Clobbers CX and DX.
#define VECTOR(off) \
	MOVQ	off(SP), AX	\
	LEAQ	·vectorStubs(SB), CX	\
	SUBQ	CX, AX	\
	XORL	DX, DX	\
	MOVL	$const_stubSize, CX	\
	DIVL	CX	\
	DECL	AX

#define EOI \
	MOVL	$LAPIC_EOI, CX	\
	MOVL	$0, (CX)

// PREEMPT hands what the processor pushed to the runtime, after SAVE: a goroutine that is
// asked to yield will call the scheduler where it was interrupted. tick is 1 or 0.
#define PREEMPT(tick) \
	LEAQ	128(SP), CX	\
	MOVL	$tick, DX	\
	MOVQ	·preemptHandler(SB), AX	\
	TESTQ	AX, AX	\
	JEQ	2(PC)	\
	CALL	AX

#define EX	CALL ·exception(SB)
#define EXC	CALL ·exceptionCode(SB)
#define LINE	CALL ·lineInterrupt(SB)
#define LINE8	LINE; LINE; LINE; LINE; LINE; LINE; LINE; LINE
#define STRAY	CALL ·strayInterrupt(SB)
#define STRAY8	STRAY; STRAY; STRAY; STRAY; STRAY; STRAY; STRAY; STRAY

// func stubs() uintptr
TEXT ·stubs(SB),NOSPLIT,$0-8
	LEAQ	·vectorStubs(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// vectorStubs has one CALL for each vector. The return address that it pushes
// tells the vector; all calls have the same length.
TEXT ·vectorStubs(SB),NOSPLIT|NOFRAME,$0
	// 0 to 31, exceptions; EXC where the processor pushes an error code
	// (SDM vol. 3 table 6-1).
	EX; EX; EX; EX; EX; EX; EX; EX
	EXC; EX; EXC; EXC; EXC; EXC; EXC; EX
	EX; EXC; EX; EX; EX; EXC; EX; EX
	EX; EX; EX; EX; EX; EXC; EXC; EX

	// 32 to 95, interrupt lines
	LINE8; LINE8; LINE8; LINE8; LINE8; LINE8; LINE8; LINE8

	// 96 to 239
	STRAY8; STRAY8; STRAY8; STRAY8; STRAY8; STRAY8
	STRAY8; STRAY8; STRAY8; STRAY8; STRAY8; STRAY8
	STRAY8; STRAY8; STRAY8; STRAY8; STRAY8; STRAY8

	// 240 to 242
	CALL	·timerInterrupt(SB)
	CALL	·wakeInterrupt(SB)
	CALL	·preemptInterrupt(SB)

	// 243 to 254
	STRAY8; STRAY; STRAY; STRAY; STRAY

	// 255
	CALL	·spuriousInterrupt(SB)

// exception handles a vector for which the processor pushes no error code.
TEXT ·exception(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	(SP)				// make room below the return address
	MOVQ	$0, 8(SP)			// for an error code of 0
	JMP	·exceptionCode(SB)

// exceptionCode lays out a trapFrame and has Go decide. If that returns, the
// frame says where to go on.
TEXT ·exceptionCode(SB),NOSPLIT|NOFRAME,$0
	SAVE
	CLD
	VECTOR(120)
	MOVQ	AX, 120(SP)
	MOVQ	CR2, AX
	PUSHQ	AX
	MOVQ	SP, AX
	PUSHQ	AX
	CALL	·handleException(SB)
	ADDQ	$16, SP
	RESTORE
	ADDQ	$16, SP
	IRETQ

// lineInterrupt handles a device's interrupt: it keeps the processor from
// idling on and tells kernel/irq which line it was. A processor that is busy wakes one that
// is idle, which has the time to look.
TEXT ·lineInterrupt(SB),NOSPLIT|NOFRAME,$0
	SAVE
	CLD
	VECTOR(120)
	SUBL	$const_vecLines, AX
	MOVQ	cpu_self(GS), CX
	INCQ	cpu_lines(CX)(AX*8)		// AX is below maxLine+1
	MOVL	$1, cpu_wake(GS)
	CALL	github·com∕tamanet∕tamanet∕kernel∕irq·raise(SB)
	CMPB	·smp(SB), $0
	JEQ	done
	CMPB	(cpu_timer+timerState_idle)(GS), $0
	JNE	done
	MOVL	$1, AX
	XCHGL	AX, ·lateWake(SB)		// before the look at idleCPUs
	BSFL	·idleCPUs(SB), AX
	JEQ	done
	LEAQ	·cpus(SB), CX
	MOVQ	(CX)(AX*8), CX
	MOVL	$1, cpu_wake(CX)
	MOVL	cpu_apic(CX), AX
	SHLL	$24, AX
	MOVL	$LAPIC_ICR_HIGH, CX
	MOVL	AX, (CX)
	MOVL	$LAPIC_ICR_LOW, CX
	MOVL	$const_vecWake, (CX)
done:
	EOI
	RESTORE
	ADDQ	$8, SP
	IRETQ

// timerInterrupt handles the one-shot timer. When it fires while Go runs it
// is the preemption tick, which is set anew here; an idle processor decides for itself
// what it waits for next.
TEXT ·timerInterrupt(SB),NOSPLIT|NOFRAME,$0
	SAVE
	CLD
	MOVQ	$0, (cpu_timer+timerState_deadline)(GS)
	INCQ	(cpu_timer+timerState_fired)(GS)
	CMPB	(cpu_timer+timerState_idle)(GS), $0
	JNE	done
	MOVL	·timing+timings_tickCount(SB), AX
	TESTL	AX, AX
	JE	done				// no preemption

	MOVL	$LAPIC_TIMER_COUNT, CX
	MOVL	AX, (CX)
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	ADDQ	·timing+timings_tickTSC(SB), AX
	MOVQ	AX, (cpu_timer+timerState_deadline)(GS)

	CMPB	·emulated(SB), $0		// see emulated
	JEQ	relay
	MOVQ	(cpu_timer+timerState_fired)(GS), AX
	TESTQ	$(const_tlbTicks-1), AX
	JNE	relay
	MOVQ	CR3, AX
	MOVQ	AX, CR3
relay:
	PUSHQ	$SIGURG
	CALL	os∕signal·Relay(SB)
	POPQ	AX
	PREEMPT(1)
done:
	EOI
	RESTORE
	ADDQ	$8, SP
	IRETQ

// preemptInterrupt handles another processor's request that a goroutine yields which makes no calls.
TEXT ·preemptInterrupt(SB),NOSPLIT|NOFRAME,$0
	SAVE
	CLD
	INCQ	cpu_preempts(GS)
	PREEMPT(0)
	EOI
	RESTORE
	ADDQ	$8, SP
	IRETQ

// wakeInterrupt ends the halt of a processor that another one has told to wake up.
TEXT ·wakeInterrupt(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	CX
	INCQ	cpu_wakeups(GS)
	EOI
	POPQ	CX
	ADDQ	$8, SP
	IRETQ

// strayInterrupt handles a vector that nothing was set up to raise.
TEXT ·strayInterrupt(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	CX
	INCQ	cpu_strays(GS)
	MOVL	$1, cpu_wake(GS)
	EOI
	POPQ	CX
	ADDQ	$8, SP
	IRETQ

// spuriousInterrupt handles the interrupt that was withdrawn before it was
// taken. It gets no EOI (SDM vol. 3 §10.9).
TEXT ·spuriousInterrupt(SB),NOSPLIT|NOFRAME,$0
	INCQ	cpu_spurious(GS)
	ADDQ	$8, SP
	IRETQ

// exceptionCall is where a faulting goroutine goes on, as if it had called
// this function where it faulted. It reports the exception on the system
// stack, for its own may be short.
TEXT ·exceptionCall(SB),NOSPLIT,$8-0
	MOVQ	·fatalException(SB), AX
	MOVQ	AX, 0(SP)
	CALL	runtime·systemstack(SB)
	INT	$3

// func exceptionCallPC() uintptr
TEXT ·exceptionCallPC(SB),NOSPLIT,$0-8
	LEAQ	·exceptionCall(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func callFault(handler uintptr, signal, addr uint64, pushed *uint64) bool
TEXT ·callFault(SB),NOSPLIT,$0-33
	MOVQ	handler+0(FP), R8
	MOVQ	signal+8(FP), AX
	MOVQ	addr+16(FP), BX
	MOVQ	pushed+24(FP), CX
	CALL	R8
	MOVB	AX, ret+32(FP)
	RET
