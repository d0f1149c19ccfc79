//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define DSB	WORD $0xf57ff04f
#define ISB	WORD $0xf57ff06f
#define SVC_SEMIHOSTING	WORD $0xef123456

// Registers, IMX6ULLRM §57.4.11, §36.13.17 and Table 2-3.
#define DIGPROG	0x020c8260
#define MDASP	0x021b0040
#define SYS_CNT	0x021dc000

// LINES does OP, with the line's address in R0, for each cache line of R0 to R0+R1.
#define LINES(OP) \
	MOVW	p+0(FP), R0	\
	MOVW	n+4(FP), R1	\
	ADD	R0, R1	\
	BIC	$63, R0	\
	CMP	R1, R0	\
	BHS	6(PC)	\
	OP	\
	ADD	$64, R0	\
	CMP	R1, R0	\
	BLO	-3(PC)	\
	DSB	\
	RET

// To the point of coherency, ARM DDI 0406C §B4.2.1.
#define DCCMVAC		MCR 15, 0, R0, C7, C10, 1
#define DCCIMVAC	MCR 15, 0, R0, C7, C14, 1
#define DCIMVAC		MCR 15, 0, R0, C7, C6, 1

// cpuinit is where the kernel begins, with neither stack nor MMU. It finds the RAM and
// goes on in the runtime.
TEXT cpuinit(SB),NOSPLIT|NOFRAME,$0
	// From HYP mode, where some loaders leave us, to SVC.
	WORD	$0xe10f0000			// MRS R0, CPSR
	AND	$0x1f, R0, R1
	CMP	$0x1a, R1
	BNE	privileged
	BIC	$0x1f, R0
	ORR	$0x1d3, R0			// SVC mode, A, I and F masked
	ADD	$12, R15, R14
	WORD	$0xe16ff000			// MSR SPSR_fsxc, R0
	WORD	$0xe12ef30e			// MSR ELR_hyp, LR
	WORD	$0xe160006e			// ERET
privileged:
	WORD	$0xe321f0df			// MSR CPSR_c: SYS mode, I and F masked

	// No silicon revision: QEMU.
	MOVW	$DIGPROG, R0
	MOVW	(R0), R0
	MOVW	R0, ·digprog(SB)
	MOVW	$0xffff, R1
	AND.S	R1, R0, R0
	BEQ	emulated

	// The system counter, at 8 MHz from the crystal (ARM DDI 0406C §D5.7).
	MOVW	$8000000, R0
	MCR	15, 0, R0, C14, C0, 0		// CNTFRQ
	MOVW	$SYS_CNT, R1
	MOVW	R0, 0x20(R1)			// CNTFID0
	MOVW	$0x103, R0			// CNTCR: CNTFID0, halt on debug, enable
	MOVW	R0, (R1)
	MOVW	$125, R0
	MOVW	R0, ·nsPerCount(SB)

	// CS0_END: where chip select 0 ends, in 32 MiB, less 1.
	MOVW	$MDASP, R0
	MOVW	(R0), R0
	AND	$0x7f, R0
	ADD	$1, R0
	SLL	$25, R0, R4
	B	found

emulated:
	// SYS_HEAPINFO, into RAM's first page. A supervisor call that nobody takes returns
	// by a vector put there.
	MOVW	$const_RAMStart, R5
	MOVW	$0xe1b0f00e, R0			// MOVS PC, LR
	MOVW	R0, 8(R5)
	MCR	15, 0, R5, C12, C0, 0		// VBAR
	DSB
	ISB
	MOVW	$0, R0
	MOVW	R0, 0x44(R5)
	MOVW	R0, 0x48(R5)
	MOVW	R0, 0x4c(R5)
	MOVW	R0, 0x50(R5)
	ADD	$0x44, R5, R0
	MOVW	R0, 0x40(R5)
	ADD	$0x40, R5, R1
	MOVW	$0x16, R0
	SVC_SEMIHOSTING
	MOVW	0x4c(R5), R4			// the stack's base is RAM's end
	CMP	$0, R4
	BNE	found
	MOVW	$(const_RAMStart+0x08000000), R4	// QEMU's default of 128 MiB

found:
	MOVW	$const_DMASize, R0
	SUB	R0, R4
	MOVW	$const_RAMStart, R0
	SUB	R0, R4, R1
	MOVW	R1, runtime∕goos·RamSize(SB)
	MOVW	runtime∕goos·RamStackOffset(SB), R2
	SUB	R2, R4, R13
	B	_rt0_tamago_start(SB)

// func semihost(op uint32, block unsafe.Pointer) int32
TEXT ·semihost(SB),NOSPLIT,$0-12
	MOVW	op+0(FP), R0
	MOVW	block+4(FP), R1
	SVC_SEMIHOSTING
	MOVW	R0, ret+8(FP)
	RET

// func enableInterrupts()
TEXT ·enableInterrupts(SB),NOSPLIT,$0
	WORD	$0xf1080080			// CPSIE i
	ISB
	RET

// func disableInterrupts()
TEXT ·disableInterrupts(SB),NOSPLIT,$0
	WORD	$0xf10c0080			// CPSID i
	RET

// func wfi()
TEXT ·wfi(SB),NOSPLIT,$0
	DSB
	WORD	$0xe320f003			// WFI
	RET

// func setTimer(count uint32)
TEXT ·setTimer(SB),NOSPLIT,$0-4
	MOVW	count+0(FP), R0
	MOVW	$1, R1
	MCR	15, 0, R0, C14, C2, 0		// CNTP_TVAL
	MCR	15, 0, R1, C14, C2, 1		// CNTP_CTL: enabled, not masked
	ISB
	RET

// func load32(addr uintptr) uint32
TEXT ·load32(SB),NOSPLIT,$0-8
	MOVW	addr+0(FP), R0
	MOVW	(R0), R0
	MOVW	R0, ret+4(FP)
	RET

// func store32(addr uintptr, v uint32)
TEXT ·store32(SB),NOSPLIT,$0-8
	MOVW	addr+0(FP), R0
	MOVW	v+4(FP), R1
	DSB
	MOVW	R1, (R0)
	RET

// func load16(addr uintptr) uint16
TEXT ·load16(SB),NOSPLIT,$0-6
	MOVW	addr+0(FP), R0
	MOVHU	(R0), R0
	MOVH	R0, ret+4(FP)
	RET

// func store16(addr uintptr, v uint16)
TEXT ·store16(SB),NOSPLIT,$0-6
	MOVW	addr+0(FP), R0
	MOVHU	v+4(FP), R1
	DSB
	MOVH	R1, (R0)
	RET

// func counter() uint64
TEXT ·counter(SB),NOSPLIT,$0-8
	ISB					// not ahead of what is measured
	WORD	$0xec510f0e			// MRRC p15, 0, R0, R1, c14: CNTPCT
	MOVW	R0, ret_lo+0(FP)
	MOVW	R1, ret_hi+4(FP)
	RET

// func cleanCache(p, n uintptr)
TEXT ·cleanCache(SB),NOSPLIT,$0-8
	LINES(DCCMVAC)

// func cleanInvalidateCache(p, n uintptr)
TEXT ·cleanInvalidateCache(SB),NOSPLIT,$0-8
	LINES(DCCIMVAC)

// func invalidateCache(p, n uintptr)
TEXT ·invalidateCache(SB),NOSPLIT,$0-8
	LINES(DCIMVAC)
