#include "textflag.h"

// DMB SY (ARM DDI 0406C §A8.8.42).
#define DMB_SY WORD $0xf57ff05f

// func readBarrier()
TEXT ·readBarrier(SB), NOSPLIT, $0-0
	DMB_SY
	RET

// func writeBarrier()
TEXT ·writeBarrier(SB), NOSPLIT, $0-0
	DMB_SY
	RET

// func fullBarrier()
TEXT ·fullBarrier(SB), NOSPLIT, $0-0
	DMB_SY
	RET

// func notifyBarrier()
TEXT ·notifyBarrier(SB), NOSPLIT, $0-0
	DMB_SY
	RET
