//go:build tamago

#include "go_asm.h"
#include "textflag.h"

// func outb(port uint16, v uint8)
TEXT ·outb(SB),NOSPLIT,$0-3
	MOVWLZX	port+0(FP), DX
	MOVB	v+2(FP), AX
	OUTB
	RET

// func inb(port uint16) uint8
TEXT ·inb(SB),NOSPLIT,$0-9
	MOVWLZX	port+0(FP), DX
	INB
	MOVB	AX, ret+8(FP)
	RET

// func load32(addr uintptr) uint32
TEXT ·load32(SB),NOSPLIT,$0-12
	MOVQ	addr+0(FP), AX
	MOVL	(AX), AX
	MOVL	AX, ret+8(FP)
	RET

// func store32(addr uintptr, v uint32)
TEXT ·store32(SB),NOSPLIT,$0-12
	MOVQ	addr+0(FP), AX
	MOVL	v+8(FP), CX
	MOVL	CX, (AX)
	RET

// func store64(addr uintptr, v uint64)
TEXT ·store64(SB),NOSPLIT,$0-16
	MOVQ	addr+0(FP), AX
	MOVQ	v+8(FP), CX
	MOVQ	CX, (AX)
	RET

// func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
TEXT ·cpuid(SB),NOSPLIT,$0-24
	MOVL	leaf+0(FP), AX
	MOVL	subleaf+4(FP), CX
	CPUID
	MOVL	AX, eax+8(FP)
	MOVL	BX, ebx+12(FP)
	MOVL	CX, ecx+16(FP)
	MOVL	DX, edx+20(FP)
	RET

// func rdtsc() uint64
TEXT ·rdtsc(SB),NOSPLIT,$0-8
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET

// func rdrand() (v uint64, ok bool)
TEXT ·rdrand(SB),NOSPLIT,$0-9
	RDRANDQ	AX
	SETCS	ok+8(FP)
	MOVQ	AX, v+0(FP)
	RET

// func rdmsr(msr uint32) uint64
TEXT ·rdmsr(SB),NOSPLIT,$0-16
	MOVL	msr+0(FP), CX
	RDMSR
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+8(FP)
	RET

// func wrmsr(msr uint32, v uint64)
TEXT ·wrmsr(SB),NOSPLIT,$0-16
	MOVL	msr+0(FP), CX
	MOVQ	v+8(FP), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	WRMSR
	RET

// func thisCPU() *cpu
TEXT ·thisCPU(SB),NOSPLIT,$0-8
	MOVQ	cpu_self(GS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func sendIPI(apic, command uint32)
//
// The two halves of the command are of one processor's local APIC: no interrupt comes
// between them.
TEXT ·sendIPI(SB),NOSPLIT,$0-8
	MOVL	apic+0(FP), AX
	MOVL	command+4(FP), BX
	SHLL	$const_idShift, AX
	PUSHFQ
	CLI
	MOVL	$const_lapicICRHigh, CX
	MOVL	AX, (CX)
	MOVL	$const_lapicICRLow, CX
	MOVL	BX, (CX)
	POPFQ
	RET

// func setXCR0(v uint64)
TEXT ·setXCR0(SB),NOSPLIT,$0-8
	MOVQ	CR4, AX
	ORQ	$(1<<18), AX			// OSXSAVE
	MOVQ	AX, CR4
	XORL	CX, CX
	MOVQ	v+0(FP), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	XSETBV
	RET

// func flushTLB()
TEXT ·flushTLB(SB),NOSPLIT,$0
	MOVQ	CR3, AX
	MOVQ	AX, CR3
	RET

// func loadTables(idtr uintptr, tss uint16)
TEXT ·loadTables(SB),NOSPLIT,$0-10
	MOVQ	idtr+0(FP), AX
	LIDT	(AX)
	MOVWLZX	tss+8(FP), AX
	BYTE	$0x0f; BYTE $0x00; BYTE $0xd8	// ltr %ax
	RET

// func tripleFault()
TEXT ·tripleFault(SB),NOSPLIT,$16-0
	CLI
	MOVQ	$0, 0(SP)			// an IDT with limit 0
	MOVQ	$0, 8(SP)
	MOVQ	SP, AX
	LIDT	(AX)
	BYTE	$0xcc				// int3
halt:
	HLT
	JMP	halt

// func haltForever()
TEXT ·haltForever(SB),NOSPLIT,$0
	CLI
halt:
	HLT
	JMP	halt

// func cli()
TEXT ·cli(SB),NOSPLIT,$0
	CLI
	RET

// func sti()
TEXT ·sti(SB),NOSPLIT,$0
	STI
	RET

// func stiHlt()
//
// STI takes effect after the next instruction, so an interrupt that is already
// pending ends the HLT and is not lost before it (SDM vol. 2, STI).
TEXT ·stiHlt(SB),NOSPLIT,$0
	STI
	HLT
	RET
