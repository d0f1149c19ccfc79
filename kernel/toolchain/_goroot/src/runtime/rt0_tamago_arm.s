// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

#include "textflag.h"

// The loader starts here. CPUInit comes from the board, by package
// runtime/goos, and ends with a jump to _rt0_tamago_start, with the stack
// pointer set.
TEXT _rt0_arm_tamago(SB),NOSPLIT|NOFRAME,$0
	B	runtime∕goos·CPUInit(SB)

TEXT _rt0_tamago_start(SB),NOSPLIT|NOFRAME,$0
	MOVW	$0, R0	// argc
	MOVW	$0, R1	// argv
	B	runtime·rt0_go(SB)
