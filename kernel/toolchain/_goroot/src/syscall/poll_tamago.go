// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package syscall

import "unsafe"

// pollOpen is called by the runtime when package internal/poll is to wait for
// fd, which pd stands for.
//
//go:linkname pollOpen
func pollOpen(fd uintptr, pd unsafe.Pointer) (errno int32) {
	f, err := fileOf(fd)
	if err != nil {
		return int32(EBADF)
	}
	if f.stream == nil || !f.stream.poll(fd, pd) {
		return int32(EPERM) // as epoll_ctl of Linux
	}
	return 0
}

// pollClose undoes pollOpen.
//
//go:linkname pollClose
func pollClose(fd uintptr) (errno int32) {
	return pollOpen(fd, nil)
}

// pollReady tells the runtime that reading, mode 'r', or writing, mode 'w', is
// worthwhile again.
func pollReady(pd unsafe.Pointer, mode int32) // in package runtime

func fileOf(fd uintptr) (*file, error) {
	fsMu.Lock()
	defer fsMu.Unlock()
	return getFile(int(fd))
}

func SetNonblock(fd int, nonblocking bool) error {
	return withFile(fd, func(f *file) error {
		f.flags &^= O_NONBLOCK
		if nonblocking {
			f.flags |= O_NONBLOCK
		}
		return nil
	})
}
