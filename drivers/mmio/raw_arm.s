#include "textflag.h"

// DSB SY (ARM DDI 0406C §A8.8.43): the assembler has no mnemonic for it. A store
// waits for earlier stores to normal memory, so that a device which is told to
// look finds them; a load completes before later loads from normal memory, so that
// what the device announced is read after the announcement.
#define DSB WORD $0xf57ff04f

// func load8(addr uintptr) uint8
TEXT ·load8(SB), NOSPLIT, $0-5
	MOVW	addr+0(FP), R0
	MOVBU	(R0), R1
	DSB
	MOVB	R1, ret+4(FP)
	RET

// func load16(addr uintptr) uint16
TEXT ·load16(SB), NOSPLIT, $0-6
	MOVW	addr+0(FP), R0
	MOVHU	(R0), R1
	DSB
	MOVH	R1, ret+4(FP)
	RET

// func load32(addr uintptr) uint32
TEXT ·load32(SB), NOSPLIT, $0-8
	MOVW	addr+0(FP), R0
	MOVW	(R0), R1
	DSB
	MOVW	R1, ret+4(FP)
	RET

// func load64(addr uintptr) uint64
TEXT ·load64(SB), NOSPLIT, $0-12
	MOVW	addr+0(FP), R0
	MOVW	(R0), R1
	MOVW	4(R0), R2
	DSB
	MOVW	R1, ret_lo+4(FP)
	MOVW	R2, ret_hi+8(FP)
	RET

// func store8(addr uintptr, v uint8)
TEXT ·store8(SB), NOSPLIT, $0-5
	MOVW	addr+0(FP), R0
	MOVBU	v+4(FP), R1
	DSB
	MOVB	R1, (R0)
	RET

// func store16(addr uintptr, v uint16)
TEXT ·store16(SB), NOSPLIT, $0-6
	MOVW	addr+0(FP), R0
	MOVHU	v+4(FP), R1
	DSB
	MOVH	R1, (R0)
	RET

// func store32(addr uintptr, v uint32)
TEXT ·store32(SB), NOSPLIT, $0-8
	MOVW	addr+0(FP), R0
	MOVW	v+4(FP), R1
	DSB
	MOVW	R1, (R0)
	RET

// func store64(addr uintptr, v uint64)
TEXT ·store64(SB), NOSPLIT, $0-12
	MOVW	addr+0(FP), R0
	MOVW	v_lo+4(FP), R1
	MOVW	v_hi+8(FP), R2
	DSB
	MOVW	R1, (R0)
	MOVW	R2, 4(R0)
	RET
