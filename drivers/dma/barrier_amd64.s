#include "textflag.h"

// func readBarrier()
TEXT ·readBarrier(SB), NOSPLIT, $0-0
	RET

// func writeBarrier()
TEXT ·writeBarrier(SB), NOSPLIT, $0-0
	RET

// A store may wait in the store buffer while a later load is answered (Intel SDM
// Vol. 3A §9.2.3.4): only a fence prevents that.
// func fullBarrier()
TEXT ·fullBarrier(SB), NOSPLIT, $0-0
	MFENCE
	CMPB	·emulated(SB), $0
	JEQ	done
	XORL	AX, AX
	MOVQ	AX, CR8
done:
	RET

// func notifyBarrier()
TEXT ·notifyBarrier(SB), NOSPLIT, $0-0
	MFENCE
	CMPB	·emulated(SB), $0
	JEQ	done
	RDTSC
done:
	RET
