//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define SIGTRAP 5

// raise is what interrupt handlers call, with interrupts off and the line in R0.
// It clobbers R0 to R12, and takes 8 bytes of stack besides what os/signal's Relay takes.
// A line that is out of range is ignored.
TEXT ·raise(SB),NOSPLIT,$4-0
	CMP	$const_MaxLines, R0
	BHS	done
	MOVW	$state__size, R2
	MUL	R0, R2
	MOVW	$·lines(SB), R1
	ADD	R2, R1

	// One processor, interrupts off: no other writer can come between.
	MOVW	state_count(R1), R3
	MOVW	(state_count+4)(R1), R4
	ADD.S	$1, R3
	ADC	$0, R4
	MOVW	R3, state_count(R1)
	MOVW	R4, (state_count+4)(R1)

	MOVBU	·native(SB), R3
	CMP	$0, R3
	BEQ	dispatch
	ADD	$const_firstSignal, R0
	B	relay
dispatch:
	MOVW	$1, R3
	MOVW	R3, state_pending(R1)
	MOVW	R3, ·anyPending(SB)
	MOVW	$SIGTRAP, R0
relay:
	MOVW	R0, 4(R13)
	BL	os∕signal·Relay(SB)
done:
	RET

// func relay(sig int)
TEXT ·relay(SB),NOSPLIT,$4-4
	MOVW	sig+0(FP), R0
	MOVW	R0, 4(R13)
	BL	os∕signal·Relay(SB)
	RET
