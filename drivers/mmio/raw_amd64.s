#include "textflag.h"

// Device memory is uncached on amd64: the processor itself keeps such accesses
// in program order and drains its store buffer before them (Intel SDM Vol. 3A
// §12.3.1), so that the instruction alone is enough.

// func load8(addr uintptr) uint8
TEXT ·load8(SB), NOSPLIT, $0-9
	MOVQ	addr+0(FP), AX
	MOVB	(AX), CX
	MOVB	CX, ret+8(FP)
	RET

// func load16(addr uintptr) uint16
TEXT ·load16(SB), NOSPLIT, $0-10
	MOVQ	addr+0(FP), AX
	MOVW	(AX), CX
	MOVW	CX, ret+8(FP)
	RET

// func load32(addr uintptr) uint32
TEXT ·load32(SB), NOSPLIT, $0-12
	MOVQ	addr+0(FP), AX
	MOVL	(AX), CX
	MOVL	CX, ret+8(FP)
	RET

// func load64(addr uintptr) uint64
TEXT ·load64(SB), NOSPLIT, $0-16
	MOVQ	addr+0(FP), AX
	MOVQ	(AX), CX
	MOVQ	CX, ret+8(FP)
	RET

// func store8(addr uintptr, v uint8)
TEXT ·store8(SB), NOSPLIT, $0-9
	MOVQ	addr+0(FP), AX
	MOVB	v+8(FP), CX
	MOVB	CX, (AX)
	RET

// func store16(addr uintptr, v uint16)
TEXT ·store16(SB), NOSPLIT, $0-10
	MOVQ	addr+0(FP), AX
	MOVW	v+8(FP), CX
	MOVW	CX, (AX)
	RET

// func store32(addr uintptr, v uint32)
TEXT ·store32(SB), NOSPLIT, $0-12
	MOVQ	addr+0(FP), AX
	MOVL	v+8(FP), CX
	MOVL	CX, (AX)
	RET

// func store64(addr uintptr, v uint64)
TEXT ·store64(SB), NOSPLIT, $0-16
	MOVQ	addr+0(FP), AX
	MOVQ	v+8(FP), CX
	MOVQ	CX, (AX)
	RET
