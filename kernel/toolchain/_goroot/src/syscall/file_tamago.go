// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

// File descriptors, and what they can refer to besides files of the tree:
// devices and pipes.

package syscall

import (
	"slices"
	"sync"
	"unsafe"
)

const direntNameOff = unsafe.Offsetof(Dirent{}.Name)

func direntIno(buf []byte) (uint64, bool) {
	return readInt(buf, unsafe.Offsetof(Dirent{}.Ino), unsafe.Sizeof(Dirent{}.Ino))
}

func direntReclen(buf []byte) (uint64, bool) {
	return readInt(buf, unsafe.Offsetof(Dirent{}.Reclen), unsafe.Sizeof(Dirent{}.Reclen))
}

func direntNamlen(buf []byte) (uint64, bool) {
	reclen, ok := direntReclen(buf)
	return reclen - uint64(direntNameOff), ok
}

// A file is what open makes. Descriptors that dup made share it.
type file struct {
	node   *inode
	stream stream // where data is, when it is not in node
	flags  int    // of open
	refs   int    // descriptors
	pos    int64
	dirent []byte // of a directory, what was not read yet
}

// A stream is a sequence of bytes without positions.
type stream interface {
	// read and write return EAGAIN where they would block, if nonblock is set.
	read(p []byte, nonblock bool) (int, error)
	write(p []byte, nonblock bool) (int, error)

	// poll arranges that pollReady is called for pd, the runtime's descriptor of fd,
	// when that may be worthwhile, until poll is called with a nil pd. It
	// reports whether the stream can be polled.
	poll(fd uintptr, pd unsafe.Pointer) bool

	close()
}

var (
	fds   []*file
	minFD int // there is no free one below
)

func init() {
	n := root.entries["dev"].entries["console"]
	for _, flags := range []int{O_RDONLY, O_WRONLY, O_WRONLY} {
		newFD(&file{node: n, stream: n.device, flags: flags})
	}
}

// newFD returns the lowest free descriptor, now referring to f. fsMu is held.
func newFD(f *file) int {
	for minFD < len(fds) && fds[minFD] != nil {
		minFD++
	}
	if minFD == len(fds) {
		fds = append(fds, nil)
	}
	fds[minFD] = f
	f.refs++
	return minFD
}

// getFile returns the file that fd refers to. fsMu is held.
func getFile(fd int) (*file, error) {
	if fd < 0 || fd >= len(fds) || fds[fd] == nil {
		return nil, EBADF
	}
	return fds[fd], nil
}

// withFile calls do with the file that fd refers to.
func withFile(fd int, do func(*file) error) error {
	fsMu.Lock()
	defer fsMu.Unlock()
	f, err := getFile(fd)
	if err != nil {
		return err
	}
	return do(f)
}

func Close(fd int) error {
	fsMu.Lock()
	f, err := getFile(fd)
	if err != nil {
		fsMu.Unlock()
		return err
	}
	fds[fd] = nil
	minFD = min(minFD, fd)
	f.refs--
	last := f.refs == 0
	fsMu.Unlock()
	if last && f.stream != nil {
		f.stream.close()
	}
	return nil
}

// transfer reads into p or writes it, at *off, which it advances, or where f is.
func transfer(fd int, p []byte, off *int64, write bool) (n int, err error) {
	fsMu.Lock()
	f, err := getFile(fd)
	switch {
	case err != nil:
	case write && f.flags&O_ACCMODE == O_RDONLY, !write && f.flags&O_ACCMODE == O_WRONLY:
		err = EBADF
	case f.stream != nil:
		nonblock := f.flags&O_NONBLOCK != 0
		fsMu.Unlock()
		switch {
		case off != nil:
			return 0, ESPIPE
		case write:
			return f.stream.write(p, nonblock)
		}
		return f.stream.read(p, nonblock)
	case f.node.is(S_IFDIR):
		err = EISDIR
	default:
		if off == nil {
			off = &f.pos
		}
		switch {
		case *off < 0:
			err = EINVAL
		case !write:
			n = f.node.readAt(p, *off)
		default:
			if f.flags&O_APPEND != 0 {
				*off = f.node.Size
			}
			n, err = f.node.writeAt(p, *off)
		}
		*off += int64(n)
	}
	fsMu.Unlock()
	return n, err
}

func Read(fd int, p []byte) (n int, err error)  { return transfer(fd, p, nil, false) }
func Write(fd int, p []byte) (n int, err error) { return transfer(fd, p, nil, true) }

func Pread(fd int, p []byte, off int64) (n int, err error)  { return transfer(fd, p, &off, false) }
func Pwrite(fd int, p []byte, off int64) (n int, err error) { return transfer(fd, p, &off, true) }

func Seek(fd int, offset int64, whence int) (pos int64, err error) {
	err = withFile(fd, func(f *file) error {
		switch whence {
		case 0:
			pos = offset
		case 1:
			pos = f.pos + offset
		case 2:
			pos = f.node.Size + offset
		default:
			return EINVAL
		}
		switch {
		case f.stream != nil:
			return ESPIPE
		case pos < 0:
			return EINVAL
		}
		f.pos = pos
		return nil
	})
	return pos, err
}

// ReadDirent fills buf with entries of the directory, as many as fit. All are as
// they were when the first was read.
func ReadDirent(fd int, buf []byte) (n int, err error) {
	err = withFile(fd, func(f *file) error {
		if !f.node.is(S_IFDIR) {
			return ENOTDIR
		}
		if f.pos == 0 {
			f.dirent = f.node.list()
		}
		for len(f.dirent) > 0 {
			size, _ := direntReclen(f.dirent)
			if int(size) > len(buf)-n {
				break
			}
			copy(buf[n:], f.dirent[:size])
			f.dirent = f.dirent[size:]
			n += int(size)
		}
		f.pos += int64(n)
		if n == 0 && len(f.dirent) > 0 {
			return EINVAL
		}
		return nil
	})
	return n, err
}

// list returns the entries of a directory, by name, each a Dirent cut after its
// name.
func (n *inode) list() (buf []byte) {
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		node := n.entries[name]
		d := Dirent{Ino: node.Ino, Reclen: uint16(int(direntNameOff) + len(name)), Type: uint8(node.Mode >> 12)}
		for i := range len(name) {
			d.Name[i] = int8(name[i])
		}
		buf = append(buf, (*[unsafe.Sizeof(d)]byte)(unsafe.Pointer(&d))[:d.Reclen]...)
	}
	return buf
}

func Fstat(fd int, st *Stat_t) error {
	return withFile(fd, func(f *file) error {
		*st = f.node.stat()
		return nil
	})
}

func Ftruncate(fd int, size int64) error {
	return withFile(fd, func(f *file) error {
		if f.flags&O_ACCMODE == O_RDONLY {
			return EINVAL
		}
		return f.node.truncate(size)
	})
}

func Fchmod(fd int, mode uint32) error {
	return withFile(fd, func(f *file) error { return f.node.chmod(mode) })
}

func Fchown(fd int, uid, gid int) error {
	return withFile(fd, func(f *file) error { return f.node.chown(uid, gid) })
}

func Fchdir(fd int) error {
	return withFile(fd, func(f *file) error { return f.node.chdir() })
}

func Fsync(fd int) error {
	return withFile(fd, func(f *file) error { return nil })
}

func Dup(fd int) (newfd int, err error) { return Fcntl(fd, F_DUPFD_CLOEXEC, 0) }

// Fcntl does the commands F_DUPFD, F_GETFD, F_GETFL, F_SETFL and those that mean
// nothing without exec.
func Fcntl(fd, cmd, arg int) (val int, err error) {
	const settable = O_APPEND | O_NONBLOCK
	err = withFile(fd, func(f *file) error {
		switch cmd {
		case F_DUPFD, F_DUPFD_CLOEXEC:
			val = newFD(f)
		case F_GETFD, F_SETFD:
		case F_GETFL:
			val = f.flags & (O_ACCMODE | settable)
		case F_SETFL:
			f.flags = f.flags&^settable | arg&settable
		default:
			return EINVAL
		}
		return nil
	})
	return val, err
}

func CloseOnExec(fd int) {} // there is no exec

// A device always has input, or is at its end, and takes any output.
type device struct {
	input  func(p []byte)
	output func(p []byte)
}

func (d device) read(p []byte, nonblock bool) (int, error) {
	if d.input == nil {
		return 0, nil
	}
	d.input(p)
	return len(p), nil
}

func (d device) write(p []byte, nonblock bool) (int, error) {
	if d.output != nil {
		d.output(p)
	}
	return len(p), nil
}

func (d device) poll(fd uintptr, pd unsafe.Pointer) bool { return false }
func (d device) close()                                  {}

var (
	console   = device{output: consoleWrite} // reading from it is at the end
	consoleMu sync.Mutex
)

func consoleWrite(p []byte) {
	consoleMu.Lock()
	defer consoleMu.Unlock()
	for len(p) > 0 {
		n := runtimeWrite(1, unsafe.Pointer(&p[0]), int32(min(len(p), 1<<30)))
		p = p[n:]
	}
}

//go:linkname runtimeWrite runtime.write
func runtimeWrite(fd uintptr, p unsafe.Pointer, n int32) int32
