// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package runtime

import (
	"internal/cpu"
	"runtime/goos"
)

// MemRegion returns the bounds of the RAM that the runtime was given.
func MemRegion() (start, end uint64) {
	return uint64(goos.RamStart), uint64(goos.RamStart + goos.RamSize)
}

// TextRegion returns the bounds of the program's instructions.
func TextRegion() (start, end uint64) {
	return uint64(firstmoduledata.text), uint64(firstmoduledata.etext)
}

// DataRegion returns the bounds of the program's variables.
func DataRegion() (start, end uint64) {
	return uint64(firstmoduledata.data), uint64(firstmoduledata.enoptrbss)
}

// CPU returns the processor's name, as CPUID gives it.
func CPU() string {
	return cpu.Name()
}
