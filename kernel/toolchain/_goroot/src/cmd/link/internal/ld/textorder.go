// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

package ld

import (
	"cmd/internal/sys"
	"cmd/link/internal/loader"
	"cmd/link/internal/sym"
	_ "embed"
	"internal/buildcfg"
	"slices"
	"strings"
)

// textOrder has a line for each group of functions that call one another, the busiest first, by
// their symbols' names with tabs between them:
//
//	tamanet bench --text-order=kernel/toolchain/_goroot/src/cmd/link/internal/ld/textorder.txt
//
//go:embed textorder.txt
var textOrder string

// textPage is the size of the pages that a group should not straddle, in bytes.
const textPage = 4096

// orderText lays the functions of textOrder out before all others, each group within a page where it fits into one.
// A virtual machine under emulation jumps within a page directly, and between pages by looking the target
// up (QEMU accel/tcg/translator.c translator_use_goto_tb); with a real processor it is fewer pages and cache lines.
func orderText(ctxt *Link) {
	if buildcfg.GOOS != "tamago" || ctxt.Arch.Family != sys.AMD64 || *flagRandLayout != 0 {
		return
	}
	ldr := ctxt.loader
	groups, others := textGroups(ctxt)
	ordered := make([]loader.Sym, 0, len(ctxt.Textp))
	at := Rnd(*FlagTextAddr, int64(Funcalign))
	for _, group := range groups {
		end := textEnd(ldr, at, group...)
		if at/textPage != (end-1)/textPage {
			// The rest of the page is for what finds room there.
			page := Rnd(at, textPage)
			others = slices.DeleteFunc(others, func(s loader.Sym) bool {
				end := textEnd(ldr, at, s)
				if end > page {
					return false
				}
				at = end
				ordered = append(ordered, s)
				return true
			})
			ldr.SetSymAlign(group[0], textPage)
			end = textEnd(ldr, at, group...)
		}
		at = end
		ordered = append(ordered, group...)
	}
	placed := make(map[loader.Sym]bool, len(ordered))
	for _, s := range ordered {
		placed[s] = true
	}
	rest := slices.DeleteFunc(slices.Clone(ctxt.Textp), func(s loader.Sym) bool { return placed[s] })
	copy(ctxt.Textp, append(ordered, rest...))
}

// textGroups returns the groups of textOrder, and the functions that are in none, but for those that have to stay where they are.
func textGroups(ctxt *Link) (groups [][]loader.Sym, others []loader.Sym) {
	ldr := ctxt.loader
	// A function in assembly and what adapts it to Go's calls have one name.
	byName := make(map[string][]loader.Sym, len(ctxt.Textp))
	for _, s := range ctxt.Textp {
		if ldr.SymType(s) == sym.STEXT && !ldr.AttrSubSymbol(s) && ldr.SubSym(s) == 0 {
			byName[ldr.SymName(s)] = append(byName[ldr.SymName(s)], s)
			others = append(others, s)
		}
	}
	grouped := make(map[loader.Sym]bool)
	for line := range strings.Lines(textOrder) {
		var group []loader.Sym
		for name := range strings.SplitSeq(strings.TrimSpace(line), "\t") {
			for _, s := range byName[name] {
				if !grouped[s] {
					group = append(group, s)
					grouped[s] = true
				}
			}
		}
		if group != nil {
			groups = append(groups, group)
		}
	}
	return groups, slices.DeleteFunc(others, func(s loader.Sym) bool { return grouped[s] })
}

// textEnd returns where functions end that are laid out from an address on.
func textEnd(ldr *loader.Loader, at int64, functions ...loader.Sym) int64 {
	for _, s := range functions {
		at = Rnd(at, int64(max(ldr.SymAlign(s), int32(Funcalign)))) + ldr.SymSize(s)
	}
	return at
}
