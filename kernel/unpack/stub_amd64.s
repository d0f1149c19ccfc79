#include "textflag.h"
#include "unpack.h"

// Offsets from the base of the memory that is used meanwhile.
#define PML4 0x2000
#define PDPT 0x3000
#define PD 0x4000
#define STACK 0x6000
#define SCRATCH 0x6000

#define CODE64 0x08
#define DATA 0x10
#define CODE32 0x18

#define MSR_EFER 0xc0000080

#define COM1 0x3f8
#define LSR 5			// line status register
#define THRE 0x20		// there: the transmitter takes a character
#define DEBUG_EXIT 0xf4		// QEMU's isa-debug-exit

// FAR jumps to the code behind it in another segment. POPQ AX is 1 byte; ADDL, PUSHQ of a constant and PUSHQ AX
// are 3, 2 and 1; so is RETFL, while RETFQ is 2.
#define FAR(segment, size, ret) \
	BYTE	$0xe8; LONG $0	\	// call the next instruction
	POPQ	AX	\
	ADDL	$(7+size), AX	\
	PUSHQ	$segment	\
	PUSHQ	AX	\
	ret

// stub is where a PVH loader starts a packed kernel: 32-bit protected mode, paging off, interrupts off, flat segments,
// BX points to hvm_start_info. It leaves all that as it was to the kernel's own entry point. BP is the base.
//
// Until the first FAR and from the second on, only instructions that mean the same in 32-bit and 64-bit mode can
// be used.
TEXT ·stub(SB),NOSPLIT|NOFRAME,$0
	CLI
	CLD
	MOVL	BX, START_INFO(BP)
	MOVL	BP, BX
	LEAL	STACK(BX), SP

	// The first GiB, one to one, in pages of 2 MiB.
	LEAL	PML4(BX), DI
	XORL	AX, AX
	MOVL	$(3*1024), CX
	REP; STOSL
	LEAL	(PDPT|3)(BX), AX	// present, writable
	MOVL	AX, PML4(BX)
	LEAL	(PD|3)(BX), AX
	MOVL	AX, PDPT(BX)
	LEAL	PD(BX), DI
	MOVL	$0x83, AX		// large page
	MOVL	$512, CX
page:
	MOVL	AX, (DI)
	ADDL	$0x200000, AX
	ADDL	$8, DI
	SUBL	$1, CX
	JNE	page

	LEAL	PML4(BX), AX
	MOVL	AX, CR3
	MOVL	CR4, AX
	ORL	$(1<<9 | 1<<5), AX	// OSFXSR, PAE
	MOVL	AX, CR4
	MOVL	$MSR_EFER, CX
	RDMSR
	ORL	$(1<<8), AX		// LME
	WRMSR
	LEAL	GDTR(BX), DI
	LGDT	(DI)
	MOVL	CR0, AX
	BTSL	$31, AX			// PG
	MOVL	AX, CR0
	FAR(CODE64, 1, RETFL)

	// 64-bit mode.
	MOVL	BP, BP			// the upper halves are undefined
	MOVL	BP, BX
	LEAQ	STACK(BX), SP

	MOVQ	PAYLOAD(BX), SI
	MOVQ	PAYLOAD_SIZE(BX), CX
	SHRQ	$3, CX
	XORL	AX, AX
	MOVQ	$SUM_FACTOR, DX
sum:
	XORQ	(SI), AX
	IMULQ	DX, AX
	ROLQ	$SUM_ROTATE, AX
	ADDQ	$8, SI
	DECQ	CX
	JNE	sum
	CMPQ	AX, PAYLOAD_SUM(BX)
	JNE	bad

	MOVQ	PAYLOAD(BX), SI
	MOVQ	OUT(SI), DI
	MOVQ	OUT_SIZE(SI), R11
	ADDQ	DI, R11
	MOVQ	STREAM_SIZE(SI), R10
	ADDQ	$STREAM, SI
	ADDQ	SI, R10
	ADDQ	$SCRATCH, BX
#include "inflate_amd64.h"

inflated:
	CMPQ	DI, R11
	JNE	bad
	MOVL	BP, BX
	MOVQ	PAYLOAD(BX), SI
	MOVQ	OUT(SI), CX
	ADDQ	OUT_MEMORY(SI), CX
	SUBQ	DI, CX
	ADDQ	$7, CX
	SHRQ	$3, CX
	XORL	AX, AX
	REP; STOSQ

	MOVQ	CODE_END(SI), DX
	MOVQ	CODE_START(SI), SI
#include "related_amd64.h"

	MOVQ	PAYLOAD(BX), SI
	MOVL	ENTRY(SI), DI
	FAR(CODE32, 2, RETFQ)

	// 32-bit mode.
	MOVL	CR0, AX
	BTRL	$31, AX			// PG
	MOVL	AX, CR0
	MOVL	$MSR_EFER, CX
	RDMSR
	ANDL	$~(1<<8), AX
	WRMSR
	MOVL	CR4, AX
	ANDL	$~(1<<9 | 1<<5), AX
	MOVL	AX, CR4
	MOVL	$DATA, AX
	BYTE	$0x8e; BYTE $0xd8	// mov %eax,%ds
	BYTE	$0x8e; BYTE $0xc0	// mov %eax,%es
	BYTE	$0x8e; BYTE $0xd0	// mov %eax,%ss
	MOVL	START_INFO(BX), BX
	JMP	DI

bad:
	MOVL	BP, BX
	LEAQ	MESSAGE(BX), SI
character:
	MOVL	$50000, CX		// reads of a port, of 1 µs or so each
	MOVL	$(COM1+LSR), DX
busy:
	INB
	TESTB	$THRE, AX
	JNE	free
	DECL	CX
	JNE	busy
free:
	MOVBLZX	(SI), AX
	TESTL	AX, AX
	JE	end
	MOVL	$COM1, DX
	OUTB
	INCQ	SI
	JMP	character
end:
	MOVL	$1, AX			// the exit code
	MOVL	$DEBUG_EXIT, DX
	OUTB
	// Without such a device, a triple fault: no interrupt descriptor is within the limit of 0.
	LIDT	(BX)			// GDT, the null descriptor
	BYTE	$0xcc			// int3
