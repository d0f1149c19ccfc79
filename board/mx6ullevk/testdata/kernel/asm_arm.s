//go:build tamago

#include "textflag.h"

// func undefined()
TEXT ·undefined(SB),NOSPLIT,$0
	WORD	$0xe7f000f0			// UDF
	RET

// func breakpoint()
TEXT ·breakpoint(SB),NOSPLIT,$0
	WORD	$0xe1200070			// BKPT
	RET

// func jump(addr uintptr)
TEXT ·jump(SB),NOSPLIT,$0-4
	MOVW	addr+0(FP), R0
	BL	(R0)
	RET

// func smash()
TEXT ·smash(SB),NOSPLIT|NOFRAME,$0
	MOVW	$0x70000000, R13
	MOVW	R0, (R13)
	RET

// func semihost(op uint32, block unsafe.Pointer) int32
TEXT ·semihost(SB),NOSPLIT,$0-12
	MOVW	op+0(FP), R0
	MOVW	block+4(FP), R1
	WORD	$0xef123456			// SVC
	MOVW	R0, ret+8(FP)
	RET
