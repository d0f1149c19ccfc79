// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

#include "textflag.h"

// The loader starts here, in 32-bit mode where it is PVH. CPUInit comes from
// the board, by package runtime/goos, and ends with a jump to
// _rt0_tamago_start, with the stack pointer set.
TEXT _rt0_amd64_tamago(SB),NOSPLIT|NOFRAME,$0
	JMP	runtime∕goos·CPUInit(SB)

TEXT _rt0_tamago_start(SB),NOSPLIT|NOFRAME,$0
	XORL	DI, DI	// argc
	XORL	SI, SI	// argv
	JMP	runtime·rt0_go(SB)
