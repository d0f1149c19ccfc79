//go:build tamago

#include "textflag.h"

// func invalidOpcode()
TEXT ·invalidOpcode(SB),NOSPLIT,$0
	BYTE	$0x0f; BYTE $0x0b		// ud2
	RET

// func breakpoint()
TEXT ·breakpoint(SB),NOSPLIT,$0
	BYTE	$0xcc				// int3
	RET

// func smash()
TEXT ·smash(SB),NOSPLIT|NOFRAME,$0
	MOVQ	$0x10000000000, SP
	BYTE	$0x50				// push %rax
	RET

// func raiseINT()
//
// Vector 32 is interrupt line 0, which no device of the board uses.
TEXT ·raiseINT(SB),NOSPLIT,$0
	BYTE	$0xcd; BYTE $32			// int $32
	RET

// func raiseStray()
TEXT ·raiseStray(SB),NOSPLIT,$0
	BYTE	$0xcd; BYTE $96			// int $96
	BYTE	$0xcd; BYTE $254		// int $254
	RET

// func raiseSpurious()
TEXT ·raiseSpurious(SB),NOSPLIT,$0
	BYTE	$0xcd; BYTE $255		// int $255
	RET

// func outb(port uint16, v uint8)
TEXT ·outb(SB),NOSPLIT,$0-3
	MOVWLZX	port+0(FP), DX
	MOVB	v+2(FP), AX
	OUTB
	RET
