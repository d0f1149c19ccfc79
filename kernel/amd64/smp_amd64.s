//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define RW 2
#define P 1

#define CODE64 0x08
#define DATA64 0x10

#define MSR_EFER 0xc0000080
#define MSR_FS_BASE 0xc0000100

// func apStart32PC() uintptr
TEXT ·apStart32PC(SB),NOSPLIT,$0-8
	LEAQ	·apStart32(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func readCR3() uint64
TEXT ·readCR3(SB),NOSPLIT,$0-8
	MOVQ	CR3, AX
	MOVQ	AX, ret+0(FP)
	RET

// apStart32 is where a further processor enters 32-bit mode: paging off, interrupts off, no
// stack. As in cpuinit, only instructions that mean the same in 64-bit mode are used.
TEXT ·apStart32(SB),NOSPLIT|NOFRAME,$0
	MOVL	$DATA64, AX
	BYTE	$0x8e; BYTE $0xd8		// mov %eax,%ds
	BYTE	$0x8e; BYTE $0xc0		// mov %eax,%es
	BYTE	$0x8e; BYTE $0xd0		// mov %eax,%ss

	MOVL	$const_startPage, DI
	MOVL	(const_startCR3-const_startPage)(DI), AX
	MOVL	AX, CR3
	MOVL	(const_startCPU-const_startPage)(DI), BX
	LEAL	cpu_doubleFaultStack(BX), SP
	ADDL	$8192, SP

	MOVL	CR4, AX
	ORL	$(1<<10 | 1<<9 | 1<<7 | 1<<5), AX	// OSXMMEXCPT, OSFXSR, PGE, PAE
	MOVL	AX, CR4

	MOVL	$MSR_EFER, CX
	RDMSR
	ORL	$(1<<8), AX			// LME
	WRMSR

	// The next address, as in cpuinit's ADDR.
	BYTE	$0xe8; LONG $0
	POPQ	AX
	LEAL	·apStart64(SB), SI
	LEAL	7(AX)(SI*1), SI

	MOVL	CR0, AX
	ORL	$(1<<31 | 1<<16 | 1<<5 | 1<<1 | 1<<0), AX	// PG, WP, NE, MP, PE
	ANDL	$~(1<<30 | 1<<29 | 1<<3 | 1<<2), AX		// CD, NW, TS, EM
	MOVL	AX, CR0

	PUSHQ	$CODE64
	PUSHQ	SI
	RETFL

// apStart64 is the first code of a further processor in 64-bit mode, BX its cpu.
TEXT ·apStart64(SB),NOSPLIT|NOFRAME,$0
	MOVL	BX, BX				// the upper halves are undefined
	MOVL	SP, SP
	XORL	AX, AX
	BYTE	$0x8e; BYTE $0xe0		// mov %eax,%fs
	BYTE	$0x8e; BYTE $0xe8		// mov %eax,%gs

	// No g: it stands below the base.
	LEAQ	(cpu_tls+8)(BX), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	MOVL	$MSR_FS_BASE, CX
	WRMSR

	SUBQ	$16, SP
	MOVQ	BX, 0(SP)
	CALL	·apMain(SB)
	INT	$3

// func enterTask(sp, gp, fn uintptr)
TEXT ·enterTask(SB),NOSPLIT,$0-24
	MOVQ	fn+16(FP), AX
	MOVQ	gp+8(FP), R14
	MOVQ	sp+0(FP), SP
	STI
	CALL	AX
	INT	$3
