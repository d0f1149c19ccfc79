//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define SIGTRAP 5

// raise is what interrupt handlers call, with interrupts off and the line in AX.
// It clobbers all general registers but SP, and takes 16 bytes of stack besides what
// os/signal's Relay takes. A line that is out of range is ignored.
TEXT ·raise(SB),NOSPLIT|NOFRAME,$0
	CMPL	AX, $const_MaxLines
	JAE	done
	MOVLQZX	AX, AX
	LEAQ	·lines(SB), BX
	IMUL3Q	$state__size, AX, CX
	LOCK
	INCQ	state_count(BX)(CX*1)

	CMPB	·native(SB), $0
	JE	dispatch
	ADDQ	$const_firstSignal, AX
	JMP	relay
dispatch:
	MOVL	$1, state_pending(BX)(CX*1)
	MOVL	$1, ·anyPending(SB)
	MOVL	$SIGTRAP, AX
relay:
	PUSHQ	AX
	CALL	os∕signal·Relay(SB)
	POPQ	AX
done:
	RET

// func relay(sig int)
TEXT ·relay(SB),NOSPLIT,$8-8
	MOVQ	sig+0(FP), AX
	MOVQ	AX, 0(SP)
	CALL	os∕signal·Relay(SB)
	RET
