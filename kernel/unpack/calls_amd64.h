// calls, the body of a function: it undoes what makes code compress better. There, behind each byte of 0xe8, the opcode of
// a call, the 4 bytes that follow have its own offset from the begin of the code added, so that calls of one function
// look alike; in those 4 no further one is looked for.
//
// In: SI the code, DX its end. Up to 16 bytes behind the end are read. Used: AX, CX, DX, SI, DI, X0, X1.

	MOVQ	SI, DI
	SUBQ	$4, DX			// the last place of a call is before
	MOVL	$0xe8e8e8e8, AX
	MOVL	AX, X0
	PSHUFL	$0, X0, X0
calls:
	CMPQ	SI, DX
	JGE	callsDone
	MOVOU	(SI), X1
	PCMPEQB	X0, X1
	PMOVMSKB	X1, AX
	TESTL	AX, AX
	JNE	call
	ADDQ	$16, SI
	JMP	calls
call:
	BSFL	AX, AX
	ADDQ	AX, SI
	CMPQ	SI, DX
	JGE	callsDone
	MOVL	SI, CX
	SUBL	DI, CX
	SUBL	CX, 1(SI)
	ADDQ	$5, SI
	JMP	calls
callsDone:
