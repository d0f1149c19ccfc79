// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package sysrand

import "runtime"

// maxRead is how much Linux's getrandom gives at once for sure, for programs of
// GOOS=tamago that run there.
const maxRead = 256

func read(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), maxRead)
		runtime.GetRandomData(b[:n])
		b = b[n:]
	}
	return nil
}
