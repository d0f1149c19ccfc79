// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

package ld

import (
	"cmd/internal/sys"
	"encoding/binary"
	"internal/buildcfg"
)

// A PVH loader (QEMU -kernel, Firecracker, Cloud Hypervisor) starts an ELF
// kernel at the address in this note, in 32-bit protected mode.
// Xen include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY.
const (
	pvhNoteName = "Xen\x00"
	pvhNoteType = 18
)

func needPVHNote(ctxt *Link) bool {
	return buildcfg.GOOS == "tamago" && ctxt.Arch.Family == sys.AMD64
}

// pvhNote returns the note's name and descriptor: the entry point.
func pvhNote(ctxt *Link) []byte {
	return binary.LittleEndian.AppendUint64([]byte(pvhNoteName), uint64(Entryvalue(ctxt)))
}

func elfwritepvh(ctxt *Link) int {
	note := pvhNote(ctxt)
	sh := elfwritenotehdr(ctxt.Out, ".note.pvh", uint32(len(pvhNoteName)), uint32(len(note)-len(pvhNoteName)), pvhNoteType)
	ctxt.Out.Write(note)
	return int(sh.Size)
}
