//go:build !tamago

#include "textflag.h"
#include "unpack.h"

// func inflate(out []byte, in []byte, scratch *[scratchSize]byte) int
TEXT ·inflate(SB),NOSPLIT,$0-64
	MOVQ	out_base+0(FP), DI
	MOVQ	out_len+8(FP), R11
	MOVQ	in_base+24(FP), SI
	MOVQ	in_len+32(FP), R10
	MOVQ	scratch+48(FP), BX
	ADDQ	DI, R11
	ADDQ	SI, R10
	JMP	begin
inflated:
	SUBQ	out_base+0(FP), DI
	MOVQ	DI, ret+56(FP)
	RET
bad:
	MOVQ	$-1, ret+56(FP)
	RET
begin:
#include "inflate_amd64.h"

// func related(code []byte)
TEXT ·related(SB),NOSPLIT,$0-24
	MOVQ	code_base+0(FP), SI
	MOVQ	code_len+8(FP), DX
	ADDQ	SI, DX
#include "related_amd64.h"
	RET
