// related, the body of a function: it undoes what makes code compress better. There, the 4 bytes of a distance have its own
// offset from the begin of the code added, so that all references to one thing look alike. They are those behind
//
//	0xe8, a call, and
//	a ModRM byte of RIP and a distance, 00xxx101 in bits, behind an opcode of 0x80 to 0x8f: LEA, MOV, CMP and their like,
//
// searched for from the second byte on, and in the 4 bytes of one no further one.
//
// In: SI the code, DX its end. Up to 16 bytes behind the end are read. Used: AX, CX, DX, SI, DI, X0 to X7.

// REPEATED has the 16 bytes of X be a constant that is 4 times a byte.
#define REPEATED(bytes, X) \
	MOVL	$bytes, AX	\
	MOVL	AX, X	\
	PSHUFL	$0, X, X

	REPEATED(0xe8e8e8e8, X0)
	REPEATED(0xc7c7c7c7, X1)
	REPEATED(0x05050505, X2)
	REPEATED(0xf0f0f0f0, X3)
	REPEATED(0x80808080, X4)
	MOVQ	SI, DI
	INCQ	SI
	SUBQ	$4, DX			// the last place of one is before
related:
	CMPQ	SI, DX
	JGE	relatedDone
	MOVOU	(SI), X5
	MOVOU	-1(SI), X6
	MOVO	X5, X7
	PCMPEQB	X0, X5
	PAND	X1, X7
	PCMPEQB	X2, X7
	PAND	X3, X6
	PCMPEQB	X4, X6
	PAND	X6, X7
	POR	X7, X5
	PMOVMSKB	X5, AX
	TESTL	AX, AX
	JNE	relatedHere
	ADDQ	$16, SI
	JMP	related
relatedHere:
	BSFL	AX, AX
	ADDQ	AX, SI
	CMPQ	SI, DX
	JGE	relatedDone
	MOVL	SI, CX
	SUBL	DI, CX
	SUBL	CX, 1(SI)
	ADDQ	$5, SI
	JMP	related
relatedDone:
