// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package os

import (
	"internal/stringslite"
	"syscall"
)

// hostname is the first line of /etc/hostname, which whoever configures the
// machine writes, or else "tamago".
func hostname() (string, error) {
	data, err := ReadFile("/etc/hostname")
	if err != nil {
		return "tamago", nil
	}
	name, _, _ := stringslite.Cut(string(data), "\n")
	return name, nil
}

func executable() (string, error) {
	return "", NewSyscallError("executable", syscall.ENOSYS)
}
