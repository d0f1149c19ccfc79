// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package sysrand

import "runtime"

func read(b []byte) error {
	runtime.GetRandomData(b)
	return nil
}
