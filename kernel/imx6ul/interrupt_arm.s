//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define SIGURG 23

// irqHandler runs in IRQ mode, on the stack of that mode. It masks the line that was
// raised at the distributor, where the next wait for it enables it again, and
// tells kernel/irq; the timer it sets anew, or leaves to the idle loop.
TEXT ·irqHandler(SB),NOSPLIT|NOFRAME,$0
	SUB	$4, R14				// ARM DDI 0406C Table B1-7
	MOVM.DB.W	[R0-R12, R14], (R13)
	MOVW	$const_gicc, R5
	MOVW	const_giccIAR(R5), R6		// acknowledges
	MOVW	$0x3ff, R1
	AND	R1, R6, R0			// interrupt number, without the processor's
	MOVW	$const_firstSpurious, R1
	CMP	R1, R0
	BHS	done
	CMP	$const_lineTimer, R0
	BEQ	tick

	// Writing 1 clears, other lines stay.
	SRL	$5, R0, R1
	SLL	$2, R1, R1
	MOVW	$const_gicdICENABLER, R2
	ADD	R1, R2
	AND	$31, R0, R3
	MOVW	$1, R4
	SLL	R3, R4, R4
	MOVW	R4, (R2)
	WORD	$0xf57ff04f			// DSB: masked before it is completed
	MOVW	R6, const_giccEOIR(R5)
	MOVW	$1, R1
	MOVB	R1, ·wake(SB)
	BL	github·com∕tamanet∕tamanet∕kernel∕irq·raise(SB)
	B	done

tick:
	// Off, or it would interrupt at once again; then for the next tick.
	MOVW	$0, R1
	MCR	15, 0, R1, C14, C2, 1		// CNTP_CTL
	WORD	$0xf57ff06f			// ISB
	MOVW	R6, const_giccEOIR(R5)
	MOVW	R1, ·deadline(SB)
	MOVW	R1, ·deadline+4(SB)
	MOVW	·tickCount(SB), R2
	CMP	$0, R2
	BEQ	done
	MOVB	·idling(SB), R1
	CMP	$0, R1
	BNE	done
	MCR	15, 0, R2, C14, C2, 0		// CNTP_TVAL
	MOVW	$1, R1
	MCR	15, 0, R1, C14, C2, 1
	MOVW	R1, ·deadline(SB)		// set, some time
	SUB	$8, R13
	MOVW	$SIGURG, R0
	MOVW	R0, 4(R13)
	BL	os∕signal·Relay(SB)
	ADD	$8, R13
done:
	MOVM.IA.W	(R13), [R0-R12, R14]
	MOVW.S	R14, R15			// and CPSR from SPSR

// supervisorHandler answers semihosting calls where nobody else does: with -1.
TEXT ·supervisorHandler(SB),NOSPLIT|NOFRAME,$0
	MVN	$0, R0
	MOVW.S	R14, R15
