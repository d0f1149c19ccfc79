// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build !tamago

package runtime

// What the shared files ask of a port, where the port is not tamago.

const (
	arenaBaseOffsetGoos   = 0
	heapAddrBitsGoos      = 0
	logHeapArenaBytesGoos = 0
	smallArenas           = 0
	smallTables           = 0
	stackSystemGoos       = 0
)

func ramEntries(shift uint, align uintptr) int { return int(^uint(0) >> 1) }

func noThreads() bool { return false }

func pollSignals() {}

func joinProcessors(n int) {}

func parksleep(n *note) { notesleep(n) }
