// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

#include "textflag.h"

TEXT ·Relay(SB),NOSPLIT|NOFRAME,$0-4
	B	runtime·sigrelay(SB)
