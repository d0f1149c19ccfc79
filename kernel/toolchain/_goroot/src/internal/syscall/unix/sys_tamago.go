// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package unix

import "syscall"

const (
	AT_FDCWD            = -0x64
	AT_SYMLINK_NOFOLLOW = 0x100
	AT_REMOVEDIR        = 0x200
	AT_EACCESS          = 0x200

	UTIME_OMIT = 1<<30 - 2
)

var (
	Fcntl      = syscall.Fcntl
	Fstatat    = syscall.Fstatat
	Openat     = syscall.Openat
	Readlinkat = syscall.Readlinkat
	Unlinkat   = syscall.Unlinkat
	Mkdirat    = syscall.Mkdirat
	Fchmodat   = syscall.Fchmodat
	Fchownat   = syscall.Fchownat
	Renameat   = syscall.Renameat
	Linkat     = syscall.Linkat
	Symlinkat  = syscall.Symlinkat
)

// Eaccess leaves it to the caller to look at the mode.
func Eaccess(path string, mode uint32) error { return syscall.ENOSYS }
