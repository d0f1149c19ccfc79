// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package os

import "syscall"

func hostname() (string, error) { return syscall.Gethostname() }

func executable() (string, error) {
	return "", NewSyscallError("executable", syscall.ENOSYS)
}
