// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package signal

import _ "unsafe" // for linkname

// Relay raises the signal with number sig, from 0 to 255. It may be called in
// an interrupt handler, in assembly, with its argument on the stack. On amd64
// it uses AX, BX, CX, DX and the flags, on arm R0 to R4 and the flags. The goroutines
// that wait for the signal become ready when the scheduler next looks for work.
//
// Signal 23, SIGURG, is received by nobody: it asks the goroutine that was
// interrupted to yield, if it also ran when SIGURG was raised the time before.
func Relay(sig int)

// Waiting reports whether package signal waits for signals and none is on its
// way to it.
func Waiting() bool
