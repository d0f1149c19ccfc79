//go:build tamago

#include "go_asm.h"
#include "textflag.h"

// In ARM DDI 0406C: MRS R0, SPSR and MSR SPSR_fsxc, R0; STM and LDM of User mode's R13 and R14, which are
// System mode's, at R1 (§B9.3.17, §B9.3.5).
#define MRS_SPSR_R0	WORD $0xe14f0000
#define MSR_R0_SPSR	WORD $0xe16ff000
#define STM_USER_R1	WORD $0xe8c16000
#define LDM_USER_R1	WORD $0xe8d16000

#define FRAME_R		12	// r in trapFrame
#define FRAME_SP	64
#define FRAME_PC	72
#define FRAME_CPSR	76

// EXCEPTION lays out a trapFrame, with SP, the status R1 and the address R2 of a fault read by STATUS, and has Go
// decide where to go on. LR is PCOFF more than the address of the instruction (Table B1-7).
#define EXCEPTION(VECTOR, PCOFF, STATUS) \
	SUB	$PCOFF, R14	\
	SUB	$(trapFrame__size+8), R13	\
	MOVW	R12, (8+FRAME_R+48)(R13)	\
	ADD	$(8+FRAME_R), R13, R12	\
	MOVM.IA	[R0-R11], (R12)	\
	MOVW	R14, (8+FRAME_PC)(R13)	\
	MRS_SPSR_R0	\
	MOVW	R0, (8+FRAME_CPSR)(R13)	\
	ADD	$(8+FRAME_SP), R13, R1	\
	STM_USER_R1	\
	STATUS	\
	MOVW	$VECTOR, R0	\
	ADD	$8, R13, R3	\
	MOVM.IA	[R0-R2], (R3)	\
	MOVW	R3, 4(R13)	\
	BL	·handleException(SB)	\
	MOVW	(8+FRAME_CPSR)(R13), R0	\
	MSR_R0_SPSR	\
	ADD	$(8+FRAME_SP), R13, R1	\
	LDM_USER_R1	\
	MOVW	(8+FRAME_PC)(R13), R14	\
	ADD	$(8+FRAME_R), R13, R12	\
	MOVM.IA	(R12), [R0-R12]	\
	ADD	$(trapFrame__size+8), R13	\
	MOVW.S	R14, R15

#define NO_STATUS	MOVW $0, R1; MOVW $0, R2
#define DATA_STATUS	MRC 15, 0, R1, C5, C0, 0; MRC 15, 0, R2, C6, C0, 0	// DFSR, DFAR
#define FETCH_STATUS	MRC 15, 0, R1, C5, C0, 1; MRC 15, 0, R2, C6, C0, 2	// IFSR, IFAR

TEXT ·undefinedHandler(SB),NOSPLIT|NOFRAME,$0
	EXCEPTION(const_vecUndefined, 4, NO_STATUS)

TEXT ·prefetchAbortHandler(SB),NOSPLIT|NOFRAME,$0
	EXCEPTION(const_vecPrefetchAbort, 4, FETCH_STATUS)

TEXT ·dataAbortHandler(SB),NOSPLIT|NOFRAME,$0
	EXCEPTION(const_vecDataAbort, 8, DATA_STATUS)

// func setHandlerStack(top uintptr)
TEXT ·setHandlerStack(SB),NOSPLIT,$0-4
	MOVW	top+0(FP), R0
	WORD	$0xe10f1000			// MRS R1, CPSR
	WORD	$0xe321f0d7			// MSR CPSR_c: Abort mode, I and F masked
	MOVW	R0, R13
	WORD	$0xe321f0db			// Undefined mode
	MOVW	R0, R13
	WORD	$0xe121f001			// MSR CPSR_c, R1
	RET

// func callFault(handler uintptr, signal, addr uint32, at *uint32) bool
TEXT ·callFault(SB),NOSPLIT,$0-17
	MOVW	handler+0(FP), R7
	MOVW	signal+4(FP), R0
	MOVW	addr+8(FP), R1
	MOVW	at+12(FP), R2
	BL	(R7)
	MOVB	R0, ret+16(FP)
	RET

// exceptionCall is where code goes on that is no goroutine's, as if it had called this function where it was.
TEXT ·exceptionCall(SB),NOSPLIT,$4-0
	MOVW	·fatalException(SB), R0
	MOVW	R0, 4(R13)
	BL	runtime·systemstack(SB)
	BL	runtime·abort(SB)

// func exceptionCallPC() uint32
TEXT ·exceptionCallPC(SB),NOSPLIT,$0-4
	MOVW	$·exceptionCall(SB), R0
	MOVW	R0, ret+0(FP)
	RET
