//go:build tamago

#include "go_asm.h"
#include "textflag.h"

// Page table entry bits, SDM vol. 3 §4.5.
#define P 1
#define RW 2
#define PS 0x80

// Offsets of the tables in bootPages: 1 PML4, 1 PDPT, 4 page directories and
// the page table of the first 2 MiB.
#define PDPT 0x1000
#define PD 0x2000
#define PT 0x6000

#define CODE64 0x08
#define DATA64 0x10

#define MSR_EFER 0xc0000080

// hvm_start_info, Xen include/public/arch-x86/hvm/start_info.h.
#define START_INFO_MAGIC 0x336ec578
#define START_INFO_VERSION 4
#define START_INFO_CMDLINE 24
#define START_INFO_MEMMAP 40
#define START_INFO_MEMMAP_ENTRIES 48
#define START_INFO_SIZE 56
#define MEMMAP_ENTRY_SIZE 24

// ADDR sets reg to a symbol's address in 32-bit mode. The assembler knows 64-bit
// mode only, where a symbol is addressed relative to the next instruction; in
// 32-bit mode the same bytes give the bare distance. So take the program
// counter by a CALL of the next instruction, and add: POP is 1 byte, LEA 6.
// It clobbers AX and needs 4 bytes of stack.
#define ADDR(sym, reg) \
	BYTE	$0xe8; LONG $0	\
	POPQ	AX	\
	LEAL	sym, reg	\
	LEAL	7(AX)(reg*1), reg

// cpuinit is where the runtime's entry point jumps to. PVH: 32-bit
// protected mode, paging off, interrupts off, flat segments, BX points to
// hvm_start_info, and there is no stack.
//
// Until the far return below, only instructions that mean the same in 32-bit and
// 64-bit mode can be used: no REX prefix, no absolute address.
TEXT cpuinit(SB),NOSPLIT|NOFRAME,$0
	CLI
	CLD

	// Borrow the first word of hvm_start_info as a stack for one CALL: it is
	// the one place that is known to be RAM that holds nothing else.
	MOVL	(BX), SI
	LEAL	4(BX), SP
	ADDR(·bsp+cpu_interruptStack(SB), DX)
	MOVL	SI, (BX)
	LEAL	4096(DX), SP

	ADDR(·bootPages(SB), DX)
	ADDL	$4095, DX
	ANDL	$~4095, DX

	LEAL	(PDPT|RW|P)(DX), AX
	MOVL	AX, (DX)

	LEAL	PDPT(DX), DI
	LEAL	(PD|RW|P)(DX), AX
	MOVL	$4, CX
pdpt:
	MOVL	AX, (DI)
	ADDL	$0x1000, AX
	ADDL	$8, DI
	SUBL	$1, CX
	JNE	pdpt

	LEAL	PD(DX), DI
	MOVL	$(PS|RW|P), AX
	MOVL	$2048, CX
pd:
	MOVL	AX, (DI)
	ADDL	$0x200000, AX
	ADDL	$8, DI
	SUBL	$1, CX
	JNE	pd

	// The first 2 MiB are mapped by 4 KiB pages. The null page goes below, when what the
	// loader may have left in it is copied.
	LEAL	(PT|RW|P)(DX), AX
	MOVL	AX, PD(DX)
	LEAL	PT(DX), DI
	MOVL	$(RW|P), AX
	MOVL	$512, CX
pt:
	MOVL	AX, (DI)
	ADDL	$0x1000, AX
	ADDL	$8, DI
	SUBL	$1, CX
	JNE	pt

	MOVL	DX, CR3

	MOVL	CR4, AX
	ORL	$(1<<7 | 1<<5), AX		// PGE, PAE
	MOVL	AX, CR4

	MOVL	$MSR_EFER, CX
	RDMSR
	ORL	$(1<<8), AX			// LME
	WRMSR

	ADDR(·gdt(SB), SI)
	ADDR(·gdtr(SB), DI)
	MOVW	$(const_gdtEntries*8-1), (DI)
	MOVL	SI, 2(DI)
	MOVL	$0, 6(DI)
	LGDT	(DI)

	ADDR(·start64(SB), SI)

	MOVL	CR0, AX
	ORL	$(1<<31 | 1<<16 | 1<<5 | 1<<1 | 1<<0), AX	// PG, WP, NE, MP, PE
	ANDL	$~(1<<3 | 1<<2), AX		// TS, EM
	MOVL	AX, CR0

	PUSHQ	$CODE64
	PUSHQ	SI
	RETFL

// start64 is the first code in 64-bit mode. BX still points to hvm_start_info.
TEXT ·start64(SB),NOSPLIT|NOFRAME,$0
	// An interrupt's return reloads SS, so it must name our descriptor.
	MOVL	$DATA64, AX
	BYTE	$0x8e; BYTE $0xd8		// mov %eax,%ds
	BYTE	$0x8e; BYTE $0xc0		// mov %eax,%es
	BYTE	$0x8e; BYTE $0xd0		// mov %eax,%ss
	XORL	AX, AX
	BYTE	$0x8e; BYTE $0xe0		// mov %eax,%fs
	BYTE	$0x8e; BYTE $0xe8		// mov %eax,%gs

	MOVL	BX, BX				// the upper halves are undefined
	LEAQ	·bsp+cpu_exceptionStack(SB), SP	// the end of interruptStack

	MOVQ	CR4, AX
	ORQ	$(1<<10 | 1<<9), AX		// OSXMMEXCPT, OSFXSR
	MOVQ	AX, CR4

	// What the loader left may lie where the heap will grow: copy it now.
	CMPL	(BX), $START_INFO_MAGIC
	JNE	done
	MOVQ	BX, SI
	LEAQ	·startInfo(SB), DI
	MOVL	$START_INFO_SIZE, CX
	REP; MOVSB

	MOVQ	START_INFO_CMDLINE(BX), SI
	TESTQ	SI, SI
	JE	memmap
	LEAQ	·cmdline(SB), DI
	MOVL	$4095, CX			// the last byte stays 0
copy:
	MOVB	(SI), AX
	TESTB	AX, AX
	JE	memmap
	MOVB	AX, (DI)
	INCQ	SI
	INCQ	DI
	DECQ	CX
	JNE	copy

memmap:
	CMPL	START_INFO_VERSION(BX), $1
	JB	done
	MOVQ	START_INFO_MEMMAP(BX), SI
	MOVL	START_INFO_MEMMAP_ENTRIES(BX), CX
	TESTQ	SI, SI
	JE	done
	CMPL	CX, $32
	JBE	2(PC)
	MOVL	$32, CX
	MOVL	CX, ·memmapEntries(SB)
	IMULQ	$MEMMAP_ENTRY_SIZE, CX
	LEAQ	·memmap(SB), DI
	REP; MOVSB

	// The stack goes to the end of the RAM that this code is in. The
	// scan is repeated in Go, with checks, to report what was found.
	LEAQ	·memmap(SB), SI
	MOVL	·memmapEntries(SB), CX
	LEAQ	·start64(SB), DX
	MOVQ	$0x100000000, R8
entry:
	TESTL	CX, CX
	JE	done
	MOVQ	0(SI), R9			// start
	MOVQ	8(SI), R10			// size, then end
	ADDQ	R9, R10
	CMPL	16(SI), $1			// XEN_HVM_MEMMAP_TYPE_RAM
	JNE	next
	CMPQ	DX, R9
	JB	next
	CMPQ	DX, R10
	JAE	next
	CMPQ	R10, R8
	CMOVQHI	R8, R10
	ANDQ	$~4095, R10
	MOVQ	runtime∕goos·RamStart(SB), AX
	SUBQ	AX, R10
	MOVQ	R10, runtime∕goos·RamSize(SB)
	JMP	done
next:
	ADDQ	$MEMMAP_ENTRY_SIZE, SI
	DECL	CX
	JMP	entry

done:
	MOVQ	CR3, AX
	MOVQ	$0, PT(AX)
	MOVQ	AX, CR3

	// RamSize keeps its initial value when there was no memory map; hwinit0
	// says so and stops.
	MOVQ	runtime∕goos·RamStart(SB), SP
	ADDQ	runtime∕goos·RamSize(SB), SP
	SUBQ	runtime∕goos·RamStackOffset(SB), SP
	JMP	_rt0_tamago_start(SB)

	// Never reached: the linker keeps what is referred to.
	JMP	github·com∕tamanet∕tamanet∕kernel∕unpack·stub(SB)

// What follows are the processors' task state segments, 16 bytes each, which Go fills in.
DATA	·gdt+0x00(SB)/8, $0
DATA	·gdt+0x08(SB)/8, $0x00af9b000000ffff	// 64-bit code
DATA	·gdt+0x10(SB)/8, $0x00cf93000000ffff	// data
DATA	·gdt+0x18(SB)/8, $0x00cf9b000000ffff	// 32-bit code, where processors start
GLOBL	·gdt(SB),NOPTR,$(const_gdtEntries*8)

GLOBL	·gdtr(SB),NOPTR,$16
