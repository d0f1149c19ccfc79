// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

package load

import (
	"context"
	"path/filepath"

	"cmd/go/internal/base"
	"cmd/go/internal/cfg"
	"cmd/go/internal/modload"

	"golang.org/x/mod/module"
)

// goosDir returns the directory of package runtime/goos for GOOS=tamago: the
// folder goos of the module that GOOSPKG names, which must be in the build
// list and is downloaded if need be, as other modules are. ok is false for
// every other package and system.
func goosDir(s *modload.State, ctx context.Context, path string) (dir string, ok bool) {
	if cfg.Goos != "tamago" || path != "runtime/goos" {
		return "", false
	}
	pkg := cfg.Getenv("GOOSPKG")
	if pkg == "" {
		base.Fatalf("go: GOOS=tamago needs GOOSPKG, the path of a module with a goos folder, for example GOOSPKG=github.com/usbarmory/tamago")
	}
	mods, err := modload.ListModules(s, ctx, []string{pkg}, 0, "")
	if err == nil && (len(mods) != 1 || mods[0].Error != nil) {
		base.Fatalf("go: GOOSPKG=%s: no such module in the build list: add it to go.mod", pkg)
	}
	if err == nil {
		if dir = mods[0].Dir; dir == "" {
			m := mods[0]
			if m.Replace != nil {
				m = m.Replace
			}
			dir, err = s.Fetcher().Download(ctx, module.Version{Path: m.Path, Version: m.Version})
		}
	}
	if err != nil {
		base.Fatalf("go: GOOSPKG=%s: %v", pkg, err)
	}
	return filepath.Join(dir, "goos"), true
}

// goosLink returns the package that GOOSLINK names, which every GOOS=tamago
// test program imports: a board for tests that know of none, such as those of
// the standard library. The package must be loaded by the go command too, as an
// argument or as a dependency of one.
func goosLink() []string {
	if pkg := cfg.Getenv("GOOSLINK"); pkg != "" && cfg.Goos == "tamago" {
		return []string{pkg}
	}
	return nil
}

// GoosLink is for the template of test programs.
func (*testFuncs) GoosLink() []string { return goosLink() }
