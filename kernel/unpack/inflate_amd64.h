// inflate, the body of a function: it decompresses a DEFLATE stream (RFC 1951), of any number of blocks, with the two
// codes of far distances of package deflate.
//
// In:  SI the stream, R10 its end; DI where it goes, R11 the end of that; BX SCRATCH_SIZE bytes of memory.
// Out: it goes on at the label inflated, with DI behind the last byte that was written, or at bad.
//
// Up to 16 bytes behind the stream's end are read, and up to INFLATE_SLACK behind the end of the output are written: the
// ends are looked at when bits are fetched. It needs no stack and refers to nothing but itself, so that it runs wherever
// it is copied to. Used: AX, CX, DX, SI, DI, R8 to R15, X0.
//
// The speed of emulation is what counts: few instructions for each symbol, and no table in memory that a
// processor computes as fast.
//
// R8 holds the bits that were fetched, the next one lowest, the low byte of R9 their number. R12 is the begin of the
// output.

// Scratch memory: two tables, the lengths of codes, and what building a table needs.
#define LIT 0			// of literals and lengths
#define DIST 26624		// of distances
#define LENS 36864
#define COUNT 37376		// of codes, by length
#define NEXT 37440		// code, by length
#define FINAL 37504		// the block is the last
#define KIND 37508		// of table that is built
#define NLIT 37512
#define NLENS 37516
#define SAVE_SI 37520
#define SAVE_DI 37528
#define SAVE_R12 37536
#define SAVE 37544

// A table has an entry of 32 bits for each value of the next 11 bits, and behind those 16 for the next 4
// of each beginning of longer codes, which the entry refers to.
//
//	bits 0-7	a literal; or else
//	bits 0-4	number of extra bits, 16 or more for far distances alone
//	bit 5		bits 17-31 are the index of 16 more entries
//	bit 6		end of block, or with another value in bits 17-31 than 0 no code at all
//	bits 8-15	length of the code, as far as it is not consumed
//	bit 16		no literal
//	bits 17-31	what the extra bits are added to
#define ROOT 11
#define SUB 0x20
#define END 0x40
#define FAR_BITS 16
#define NOLIT 0x10000
#define VALUE 17
#define INVALID (1<<VALUE | NOLIT | END)

#define KIND_LENS 0
#define KIND_LIT 1
#define KIND_DIST 2

// FETCH makes 56 bits or more of fewer than 56. It uses AX and CX.
#define FETCH \
	CMPQ	SI, R10	\
	JHI	bad	\
	CMPQ	DI, R11	\
	JHI	bad	\
	MOVBLZX	R9, CX	\
	MOVQ	(SI), AX	\
	SHLQ	CX, AX	\
	ORQ	AX, R8	\
	MOVL	CX, AX	\
	XORL	$63, AX	\
	SHRL	$3, AX	\
	ADDQ	AX, SI	\
	ORL	$56, R9

// LENGTH has CX be the length of AX's code.
#define LENGTH MOVBLZX AH, CX

// DROP consumes the bits that the low byte of CX says.
#define DROP \
	SHRQ	CX, R8	\
	SUBB	CX, R9

// TAKE consumes n bits, a constant, into reg.
#define TAKE(n, reg) \
	MOVL	R8, reg	\
	ANDL	$((1<<n)-1), reg	\
	SHRQ	$n, R8	\
	SUBB	$n, R9

	MOVQ	DI, R12
	XORL	R8, R8
	XORL	R9, R9
	ADDQ	$8, R10			// the last bits are fetched before they are needed

block:
	FETCH
	TAKE(1, AX)
	MOVL	AX, FINAL(BX)
	TAKE(2, AX)
	CMPL	AX, $1
	JCS	stored
	JEQ	fixed
	CMPL	AX, $2
	JNE	bad

	// Dynamic codes: their lengths come first, as codes of their own.
	TAKE(5, AX)
	ADDL	$257, AX
	MOVL	AX, NLIT(BX)
	TAKE(5, DX)
	LEAL	1(DX)(AX*1), AX
	MOVL	AX, NLENS(BX)
	TAKE(4, DX)
	ADDL	$4, DX
	MOVQ	$0, LENS(BX)
	MOVQ	$0, (LENS+8)(BX)
	MOVQ	$0, (LENS+16)(BX)
	// The order in which they come, 5 bits each: 16 17 18 0 8 7 9 6 10 5 11 4, then 12 3 13 2 14 1 15.
	MOVQ	$(16 | 17<<5 | 18<<10 | 0<<15 | 8<<20 | 7<<25 | 9<<30 | 6<<35 | 10<<40 | 5<<45 | 11<<50 | 4<<55), R14
	MOVQ	$(12 | 3<<5 | 13<<10 | 2<<15 | 14<<20 | 1<<25 | 15<<30), R15
precode:
	CMPB	R9, $3
	JCC	2(PC)
	JMP	fetchPrecode
havePrecode:
	TAKE(3, AX)
	MOVL	R14, CX
	ANDL	$31, CX
	MOVB	AX, LENS(BX)(CX*1)
	SHRQ	$5, R14
	JNE	2(PC)
	MOVQ	R15, R14		// no order ends in 0
	DECL	DX
	JNE	precode

	LEAQ	LENS(BX), R14
	MOVL	$19, R15
	LEAQ	DIST(BX), DX
	MOVL	$KIND_LENS, KIND(BX)
	JMP	build
havePrecodeTable:
	XORL	R15, R15		// lengths that are known
	XORL	DX, DX			// the last of them
lens:
	CMPL	R15, NLENS(BX)
	JCC	haveLens
	FETCH
	MOVL	R8, AX
	ANDL	$((1<<ROOT)-1), AX
	MOVL	DIST(BX)(AX*4), AX
	TESTL	$NOLIT, AX
	JNE	bad
	LENGTH
	DROP
	ANDL	$255, AX
	CMPL	AX, $16
	JEQ	repeat
	JHI	zeros
	MOVL	AX, DX
	MOVB	DX, LENS(BX)(R15*1)
	INCL	R15
	JMP	lens
repeat:
	TESTL	R15, R15
	JEQ	bad
	TAKE(2, CX)
	ADDL	$3, CX
	JMP	fill
zeros:
	XORL	DX, DX
	CMPL	AX, $17
	JNE	manyZeros
	TAKE(3, CX)
	ADDL	$3, CX
	JMP	fill
manyZeros:
	TAKE(7, CX)
	ADDL	$11, CX
fill:
	LEAL	(R15)(CX*1), AX
	CMPL	AX, NLENS(BX)
	JHI	bad
fillOne:
	MOVB	DX, LENS(BX)(R15*1)
	INCL	R15
	DECL	CX
	JNE	fillOne
	JMP	lens

fetchPrecode:
	FETCH
	JMP	havePrecode

fixed:
	MOVL	$288, NLIT(BX)
	MOVL	$320, NLENS(BX)
	MOVQ	DI, DX
	LEAQ	LENS(BX), DI
	MOVL	$144, CX
	MOVL	$8, AX
	REP; STOSB
	MOVL	$112, CX
	MOVL	$9, AX
	REP; STOSB
	MOVL	$24, CX
	MOVL	$7, AX
	REP; STOSB
	MOVL	$8, CX
	MOVL	$8, AX
	REP; STOSB
	MOVL	$32, CX
	MOVL	$5, AX
	REP; STOSB
	MOVQ	DX, DI

haveLens:
	LEAQ	LENS(BX), R14
	MOVL	NLIT(BX), R15
	MOVQ	BX, DX
	MOVL	$KIND_LIT, KIND(BX)
	JMP	build
haveLitTable:
	MOVL	NLIT(BX), AX
	LEAQ	LENS(BX)(AX*1), R14
	MOVL	NLENS(BX), R15
	SUBL	AX, R15
	LEAQ	DIST(BX), DX
	MOVL	$KIND_DIST, KIND(BX)
	JMP	build

symbol:
	CMPB	R9, $20			// the longest code and its extra bits
	JCS	fetchSymbol
decode:
	MOVL	R8, AX
	ANDL	$((1<<ROOT)-1), AX
	MOVL	LIT(BX)(AX*4), AX
entry:
	LENGTH
	DROP
	TESTL	$NOLIT, AX
	JNE	noLiteral
	MOVB	AX, (DI)
	INCQ	DI
	CMPB	R9, $20
	JCC	decode
fetchSymbol:
	FETCH
	JMP	decode

noLiteral:
	TESTL	$(SUB|END), AX
	JNE	special
	MOVL	AX, R15
	SHRL	$VALUE, R15		// length
	MOVL	AX, CX
	ANDL	$31, CX
	JE	distance
	MOVL	$1, DX
	SHLL	CX, DX
	DECL	DX
	ANDL	R8, DX
	ADDL	DX, R15
	DROP
distance:
	CMPB	R9, $28
	JCS	fetchDistance
decodeDistance:
	MOVL	R8, AX
	ANDL	$((1<<ROOT)-1), AX
	MOVL	DIST(BX)(AX*4), AX
distanceEntry:
	LENGTH
	DROP
	TESTL	$(SUB|END|FAR_BITS), AX
	JNE	specialDistance
haveDistance:
	MOVL	AX, CX
	ANDL	$31, CX
	MOVL	$1, DX
	SHLL	CX, DX
	DECL	DX
	ANDL	R8, DX
	DROP
	SHRL	$VALUE, AX
	ADDL	DX, AX			// distance
	MOVQ	DI, R14
	SUBQ	AX, R14
	CMPQ	R14, R12
	JCS	bad
	CMPL	AX, $16
	JCS	near
	LEAQ	(DI)(R15*1), DX
copy16:
	MOVOU	(R14), X0
	MOVOU	X0, (DI)
	ADDQ	$16, R14
	ADDQ	$16, DI
	CMPQ	DI, DX
	JCS	copy16
	MOVQ	DX, DI
	JMP	symbol
near:
	CMPL	AX, $8
	JCS	overlap
	LEAQ	(DI)(R15*1), DX
copy:
	MOVQ	(R14), AX
	MOVQ	AX, (DI)
	ADDQ	$8, R14
	ADDQ	$8, DI
	CMPQ	DI, DX
	JCS	copy
	MOVQ	DX, DI
	JMP	symbol
overlap:
	CMPL	AX, $1
	JNE	period
	// A run of one byte.
	MOVBQZX	(R14), AX
	MOVQ	$0x0101010101010101, DX
	IMULQ	DX, AX
	LEAQ	(DI)(R15*1), DX
run:
	MOVQ	AX, (DI)
	ADDQ	$8, DI
	CMPQ	DI, DX
	JCS	run
	MOVQ	DX, DI
	JMP	symbol
period:
	MOVQ	SI, DX
	MOVQ	R14, SI
	MOVL	R15, CX
	REP; MOVSB
	MOVQ	DX, SI
	JMP	symbol

fetchDistance:
	FETCH
	JMP	decodeDistance

special:
	TESTL	$END, AX
	JNE	endOfBlock
	SHRL	$VALUE, AX
	MOVL	R8, CX
	ANDL	$15, CX
	ADDL	CX, AX
	MOVL	LIT(BX)(AX*4), AX
	JMP	entry
specialDistance:
	TESTL	$END, AX
	JNE	bad
	TESTL	$FAR_BITS, AX
	JNE	farDistance
	SHRL	$VALUE, AX
	MOVL	R8, CX
	ANDL	$15, CX
	ADDL	CX, AX
	MOVL	DIST(BX)(AX*4), AX
	JMP	distanceEntry
farDistance:
	CMPB	R9, $24			// its extra bits
	JCC	haveDistance
	MOVL	AX, DX
	FETCH
	MOVL	DX, AX
	JMP	haveDistance

endOfBlock:
	SHRL	$VALUE, AX
	JNE	bad
blockDone:
	CMPL	FINAL(BX), $0
	JEQ	block
	// Bits that are left over were not part of the stream, or are whole bytes behind it.
	MOVBLZX	R9, AX
	SHRL	$3, AX
	SUBQ	AX, SI
	ADDQ	$8, SI
	CMPQ	SI, R10
	JHI	bad
	CMPQ	DI, R11
	JHI	bad
	JMP	inflated

stored:
	MOVBLZX	R9, AX
	SHRL	$3, AX
	SUBQ	AX, SI
	XORL	R8, R8
	XORL	R9, R9
	LEAQ	12(SI), AX
	CMPQ	AX, R10
	JHI	bad
	MOVWLZX	(SI), CX
	MOVWLZX	2(SI), AX
	XORL	$0xffff, AX
	CMPL	AX, CX
	JNE	bad
	ADDQ	$4, SI
	LEAQ	8(SI)(CX*1), AX
	CMPQ	AX, R10
	JHI	bad
	LEAQ	(DI)(CX*1), AX
	CMPQ	AX, R11
	JHI	bad
	REP; MOVSB
	JMP	blockDone

	// build makes the table at DX of R15 lengths of codes at R14 (RFC 1951 §3.2.2).
build:
	MOVQ	SI, SAVE_SI(BX)
	MOVQ	DI, SAVE_DI(BX)
	MOVQ	R12, SAVE_R12(BX)

	LEAQ	COUNT(BX), DI
	XORL	AX, AX
	MOVL	$8, CX
	REP; STOSQ
	XORL	SI, SI
count:
	MOVBLZX	(R14)(SI*1), AX
	INCL	COUNT(BX)(AX*4)
	INCL	SI
	CMPL	SI, R15
	JCS	count

	MOVL	$0, COUNT(BX)
	XORL	SI, SI			// code
	MOVL	$1, CX			// length
	MOVL	$1, DI			// codes of it that are left
first:
	ADDL	SI, SI
	MOVL	SI, NEXT(BX)(CX*4)
	ADDL	DI, DI
	MOVL	COUNT(BX)(CX*4), AX
	SUBL	AX, DI
	JCS	bad
	ADDL	AX, SI
	INCL	CX
	CMPL	CX, $16
	JNE	first

	MOVQ	DX, DI
	MOVQ	$(INVALID<<32 | INVALID), AX
	MOVL	$(1<<(ROOT-1)), CX
	REP; STOSQ

	MOVL	$(1<<ROOT), R13		// the next index for longer codes
	XORL	SI, SI			// symbol
each:
	MOVBLZX	(R14)(SI*1), CX
	TESTL	CX, CX
	JE	nextSymbol
	MOVL	NEXT(BX)(CX*4), AX
	INCL	NEXT(BX)(CX*4)

	// Codes come with their highest bit first.
	XORL	R12, R12
	MOVL	CX, DI
reverse:
	SHRL	$1, AX
	ADCL	R12, R12
	DECL	DI
	JNE	reverse

	// AX: the entry.
	MOVL	SI, AX
	MOVL	KIND(BX), DI
	CMPL	DI, $KIND_LIT
	JCS	haveEntry
	JNE	distanceKind
	CMPL	SI, $256
	JCS	haveEntry
	MOVL	$(NOLIT|END), AX
	JEQ	haveEntry
	MOVL	$INVALID, AX
	CMPL	SI, $285
	JHI	haveEntry
	MOVL	$(258<<VALUE | NOLIT), AX
	JEQ	haveEntry
	// Lengths from 3 on: four symbols for each number of extra bits, after eight without any.
	LEAL	-257(SI), AX
	MOVL	$3, DI
	CMPL	AX, $8
	JCS	noExtra
	MOVL	CX, SAVE(BX)
	MOVL	AX, CX
	SHRL	$2, CX
	DECL	CX
	ANDL	$3, AX
	ORL	$4, AX
	JMP	extra
distanceKind:
	MOVL	$(32767<<VALUE | NOLIT | 20), AX
	CMPL	SI, $30
	JEQ	haveEntry
	MOVL	$(32767<<VALUE | NOLIT | 24), AX
	JHI	haveEntry
	// Distances from 1 on: two symbols for each number of extra bits, after four without any.
	MOVL	SI, AX
	MOVL	$1, DI
	CMPL	AX, $4
	JCS	noExtra
	MOVL	CX, SAVE(BX)
	MOVL	AX, CX
	SHRL	$1, CX
	DECL	CX
	ANDL	$1, AX
	ORL	$2, AX
extra:
	SHLL	CX, AX
	ADDL	DI, AX
	SHLL	$VALUE, AX
	ORL	CX, AX
	MOVL	SAVE(BX), CX
	ORL	$NOLIT, AX
	JMP	haveEntry
noExtra:
	ADDL	DI, AX
	SHLL	$VALUE, AX
	ORL	$NOLIT, AX
haveEntry:
	CMPL	CX, $ROOT
	JHI	long
	MOVL	CX, DI
	SHLL	$8, DI
	ORL	DI, AX
	MOVL	$1, DI
	SHLL	CX, DI
root:
	MOVL	AX, (DX)(R12*4)
	ADDL	DI, R12
	CMPL	R12, $(1<<ROOT)
	JCS	root
	JMP	nextSymbol

long:
	SUBL	$ROOT, CX
	MOVL	CX, DI
	SHLL	$8, DI
	ORL	DI, AX
	MOVL	R12, SAVE(BX)
	ANDL	$((1<<ROOT)-1), R12
	MOVL	(DX)(R12*4), DI
	CMPL	DI, $INVALID
	JNE	haveSub
	MOVL	R13, DI
	SHLL	$VALUE, DI
	ORL	$(ROOT<<8 | NOLIT | SUB), DI
	MOVL	DI, (DX)(R12*4)
	MOVL	$16, R12
invalid:
	MOVL	$INVALID, (DX)(R13*4)
	INCL	R13
	DECL	R12
	JNE	invalid
haveSub:
	SHRL	$VALUE, DI
	LEAQ	(DX)(DI*4), DI
	MOVL	SAVE(BX), R12
	SHRL	$ROOT, R12
	MOVL	R13, SAVE(BX)
	MOVL	$1, R13
	SHLL	CX, R13
sub:
	MOVL	AX, (DI)(R12*4)
	ADDL	R13, R12
	CMPL	R12, $16
	JCS	sub
	MOVL	SAVE(BX), R13

nextSymbol:
	INCL	SI
	CMPL	SI, R15
	JCS	each
	MOVQ	SAVE_SI(BX), SI
	MOVQ	SAVE_DI(BX), DI
	MOVQ	SAVE_R12(BX), R12
	CMPL	KIND(BX), $KIND_LIT
	JCS	havePrecodeTable
	JEQ	haveLitTable
	JMP	symbol
