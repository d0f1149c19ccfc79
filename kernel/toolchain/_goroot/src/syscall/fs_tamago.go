// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

// The file system: a tree of inodes in memory. Its calls and errors are those of
// Linux for a process that is root, so permissions are kept and shown and
// never deny anything.

package syscall

import (
	"internal/bytealg"
	"runtime"
	"sync"
)

// An inode is a file of any type.
type inode struct {
	Stat_t

	blocks  map[int64][]byte  // of a regular file, by offset/blockSize; absent bytes are 0
	entries map[string]*inode // of a directory
	parent  *inode            // of a directory
	name    string            // of a directory, in parent
	target  string            // of a symbolic link
	device  stream            // of a character device
}

// blockSize is the largest size that the allocator does not round up to pages.
const blockSize = 32 << 10

const maxSize = 1<<62 - 1

var (
	// fsMu guards the tree, the inodes, fds and files. It is held while data is
	// copied from or to a regular file, never while something is waited for.
	fsMu sync.Mutex

	inodes uint64 // made so far
	umask  uint32 = 0022
	root          = newRoot()
	cwd           = root
)

func newRoot() *inode {
	root := newInode(S_IFDIR | 0755)
	root.parent = root
	root.Nlink++
	for _, name := range []string{"dev", "etc", "tmp"} {
		place{dir: root, name: name}.add(newInode(S_IFDIR | 0755))
	}
	root.entries["tmp"].Mode |= 0777 | S_ISVTX
	random := device{input: runtime.GetRandomData}
	for name, dev := range map[string]stream{
		"console": console,
		"null":    device{},
		"random":  random,
		"urandom": random,
		"zero":    device{input: func(p []byte) { clear(p) }},
	} {
		n := newInode(S_IFCHR | 0666)
		n.device = dev
		place{dir: root.entries["dev"], name: name}.add(n)
	}
	for name, text := range map[string]string{
		"group":  "root:x:0:\n",
		"hosts":  "127.0.0.1 localhost\n::1 localhost\n",
		"passwd": "root:x:0:0:root:/:/bin/false\n",
	} {
		n := newInode(S_IFREG | 0644)
		n.writeAt([]byte(text), 0)
		place{dir: root.entries["etc"], name: name}.add(n)
	}
	return root
}

func newInode(mode uint32) *inode {
	inodes++
	now := timeNow()
	n := &inode{Stat_t: Stat_t{Dev: 1, Ino: inodes, Mode: mode, Blksize: blockSize, Atim: now, Mtim: now, Ctim: now}}
	if n.is(S_IFDIR) {
		n.entries = map[string]*inode{}
		n.Nlink = 1 // its entry "."
	}
	return n
}

func (n *inode) is(typ uint32) bool { return n != nil && n.Mode&S_IFMT == typ }

func (n *inode) readAt(p []byte, off int64) int {
	p = p[:min(int64(len(p)), max(n.Size-off, 0))]
	for rest := p; len(rest) > 0; {
		at := off % blockSize
		part := rest[:min(int64(len(rest)), blockSize-at)]
		got := 0
		if b := n.blocks[off/blockSize]; at < int64(len(b)) {
			got = copy(part, b[at:])
		}
		clear(part[got:])
		rest = rest[len(part):]
		off += int64(len(part))
	}
	return len(p)
}

func (n *inode) writeAt(p []byte, off int64) (int, error) {
	if off > maxSize-int64(len(p)) {
		return 0, EFBIG
	}
	if n.blocks == nil {
		n.blocks = map[int64][]byte{}
	}
	for rest := p; len(rest) > 0; {
		at := off % blockSize
		part := rest[:min(int64(len(rest)), blockSize-at)]
		b := n.blocks[off/blockSize]
		if grow := int(at) + len(part) - len(b); grow > 0 {
			b = append(b, make([]byte, grow)...)
			n.blocks[off/blockSize] = b
		}
		copy(b[at:], part)
		rest = rest[len(part):]
		off += int64(len(part))
	}
	n.Size = max(n.Size, off)
	n.modified()
	return len(p), nil
}

func (n *inode) truncate(size int64) error {
	switch {
	case n.is(S_IFDIR):
		return EISDIR
	case size < 0 || !n.is(S_IFREG):
		return EINVAL
	case size > maxSize:
		return EFBIG
	}
	for i, b := range n.blocks {
		if keep := size - i*blockSize; keep <= 0 {
			delete(n.blocks, i)
		} else if keep < int64(len(b)) {
			n.blocks[i] = b[:keep]
		}
	}
	n.Size = size
	n.modified()
	return nil
}

func (n *inode) modified() {
	n.Mtim = timeNow()
	n.Ctim = n.Mtim
}

func (n *inode) stat() Stat_t {
	st := n.Stat_t
	st.Blocks = (st.Size + 511) / 512
	return st
}

// within reports whether n is dir or below it.
func (n *inode) within(dir *inode) bool {
	for n != dir && n != n.parent {
		n = n.parent
	}
	return n == dir
}

// A place is what a path names.
type place struct {
	dir   *inode // nil when the path ends in ".", ".." or the root
	name  string // in dir, otherwise what the path ends in
	node  *inode // nil when dir has no such name
	slash bool   // the path ends in a slash
}

// add gives n the name at p, where there is none.
func (p place) add(n *inode) error {
	switch {
	case p.node != nil:
		return EEXIST
	case p.slash && !n.is(S_IFDIR), p.dir.Nlink == 0: // not a directory, or in one that was removed
		return ENOENT
	}
	p.dir.entries[p.name] = n
	p.dir.modified()
	n.Nlink++
	if n.is(S_IFDIR) {
		n.parent, n.name = p.dir, p.name
		p.dir.Nlink++ // its entry ".."
	}
	return nil
}

// remove takes the name at p away.
func (p place) remove() {
	delete(p.dir.entries, p.name)
	p.dir.modified()
	p.node.Ctim = p.dir.Ctim
	p.node.Nlink--
	if p.node.is(S_IFDIR) {
		p.dir.Nlink--
	}
}

// walk finds what path names, from the directory at on. A symbolic link at its
// end is followed when follow is set or a slash comes after it.
func walk(at *inode, path string, follow bool) (place, error) {
	switch {
	case path == "":
		return place{}, ENOENT
	case len(path) >= PathMax:
		return place{}, ENAMETOOLONG
	case bytealg.IndexByteString(path, 0) >= 0:
		return place{}, EINVAL
	}
	p := place{node: at, name: "."}
	if path[0] == '/' {
		p = place{node: root, name: "/"}
	}
	for links := 0; ; {
		p.slash = path != "" && path[0] == '/'
		for path != "" && path[0] == '/' {
			path = path[1:]
		}
		switch {
		case p.slash && p.node != nil && !p.node.is(S_IFDIR):
			return place{}, ENOTDIR
		case path == "":
			return p, nil
		case p.node == nil:
			return place{}, ENOENT
		}
		dir := p.node
		end := bytealg.IndexByteString(path, '/')
		if end < 0 {
			end = len(path)
		}
		p = place{dir: dir, name: path[:end]}
		path = path[end:]
		switch p.name {
		case ".":
			p.dir, p.node = nil, dir
		case "..":
			p.dir, p.node = nil, dir.parent
		default:
			if len(p.name) > nameMax {
				return place{}, ENAMETOOLONG
			}
			p.node = dir.entries[p.name]
		}
		if p.node.is(S_IFLNK) && (follow || path != "") {
			if links++; links > 40 {
				return place{}, ELOOP
			}
			path = p.node.target + path
			p = place{node: dir, name: "."}
			if path[0] == '/' {
				p.node = root
			}
		}
	}
}

const (
	_AT_SYMLINK_FOLLOW = 0x400
	_UTIME_NOW         = 1<<30 - 1
	_UTIME_OMIT        = 1<<30 - 2
	nameMax            = 255
)

// walkAt is walk from the directory that is open as dirfd on. fsMu is held.
func walkAt(dirfd int, path string, follow bool) (place, error) {
	if dirfd == _AT_FDCWD || path != "" && path[0] == '/' {
		return walk(cwd, path, follow)
	}
	f, err := getFile(dirfd)
	if err != nil {
		return place{}, err
	}
	if !f.node.is(S_IFDIR) {
		return place{}, ENOTDIR
	}
	return walk(f.node, path, follow)
}

// withNode calls do with the file that path names.
func withNode(dirfd int, path string, follow bool, do func(*inode) error) error {
	fsMu.Lock()
	defer fsMu.Unlock()
	p, err := walkAt(dirfd, path, follow)
	if err != nil {
		return err
	}
	if p.node == nil {
		return ENOENT
	}
	return do(p.node)
}

// addAt gives n, when it is nil a new file of the given mode, the name path.
func addAt(dirfd int, path string, mode uint32, n *inode) error {
	p, err := walkAt(dirfd, path, false)
	if err != nil {
		return err
	}
	if n == nil {
		n = newInode(mode)
	}
	return p.add(n)
}

func Openat(dirfd int, path string, flags int, perm uint32) (fd int, err error) {
	fsMu.Lock()
	defer fsMu.Unlock()
	exclusive := flags&(O_CREAT|O_EXCL) == O_CREAT|O_EXCL
	p, err := walkAt(dirfd, path, flags&O_NOFOLLOW == 0 && !exclusive)
	if err != nil {
		return -1, err
	}
	switch {
	case p.node == nil && flags&O_CREAT == 0:
		return -1, ENOENT
	case p.node == nil:
		if p.slash {
			return -1, EISDIR
		}
		n := newInode(S_IFREG | perm&07777&^umask)
		if err := p.add(n); err != nil {
			return -1, err
		}
		p.node = n
	case exclusive:
		return -1, EEXIST
	case p.node.is(S_IFDIR):
		if flags&(O_ACCMODE|O_CREAT|O_TRUNC) != 0 {
			return -1, EISDIR
		}
	case flags&O_DIRECTORY != 0:
		return -1, ENOTDIR
	case p.node.is(S_IFLNK):
		return -1, ELOOP
	case p.node.is(S_IFREG) && flags&O_TRUNC != 0:
		p.node.truncate(0)
	}
	return newFD(&file{node: p.node, stream: p.node.device, flags: flags}), nil
}

func Mkdirat(dirfd int, path string, mode uint32) error {
	fsMu.Lock()
	defer fsMu.Unlock()
	return addAt(dirfd, path, S_IFDIR|mode&07777&^umask, nil)
}

func Symlinkat(target string, dirfd int, path string) error {
	if target == "" {
		return ENOENT
	}
	if len(target) >= PathMax {
		return ENAMETOOLONG
	}
	fsMu.Lock()
	defer fsMu.Unlock()
	n := newInode(S_IFLNK | 0777)
	n.target = target
	n.Size = int64(len(target))
	return addAt(dirfd, path, 0, n)
}

func Linkat(olddirfd int, oldpath string, newdirfd int, newpath string, flags int) error {
	return withNode(olddirfd, oldpath, flags&_AT_SYMLINK_FOLLOW != 0, func(n *inode) error {
		if n.is(S_IFDIR) {
			return EPERM
		}
		n.Ctim = timeNow()
		return addAt(newdirfd, newpath, 0, n)
	})
}

func Readlinkat(dirfd int, path string, buf []byte) (n int, err error) {
	err = withNode(dirfd, path, false, func(node *inode) error {
		if !node.is(S_IFLNK) {
			return EINVAL
		}
		n = copy(buf, node.target)
		return nil
	})
	return n, err
}

func Unlinkat(dirfd int, path string, flags int) error {
	fsMu.Lock()
	defer fsMu.Unlock()
	p, err := walkAt(dirfd, path, false)
	if err != nil {
		return err
	}
	isDir := p.node.is(S_IFDIR)
	switch wantDir := flags&_AT_REMOVEDIR != 0; {
	case p.node == nil:
		return ENOENT
	case isDir && !wantDir:
		return EISDIR
	case !isDir && wantDir:
		return ENOTDIR
	case p.node == root:
		return EBUSY
	case isDir && p.name == ".":
		return EINVAL
	case isDir && (p.name == ".." || len(p.node.entries) > 0):
		return ENOTEMPTY
	}
	p.remove()
	if isDir {
		p.node.Nlink = 0
	}
	return nil
}

func Renameat(olddirfd int, oldpath string, newdirfd int, newpath string) error {
	fsMu.Lock()
	defer fsMu.Unlock()
	from, err := walkAt(olddirfd, oldpath, false)
	if err != nil {
		return err
	}
	to, err := walkAt(newdirfd, newpath, false)
	if err != nil {
		return err
	}
	n := from.node
	switch {
	case n == nil, to.dir != nil && to.dir.Nlink == 0:
		return ENOENT
	case from.dir == nil || to.dir == nil:
		return EBUSY
	case n.is(S_IFDIR) && to.dir.within(n):
		return EINVAL
	case !n.is(S_IFDIR) && to.slash:
		return ENOTDIR
	case n == to.node:
		return nil
	case to.node == nil:
	case n.is(S_IFDIR) && !to.node.is(S_IFDIR):
		return ENOTDIR
	case !n.is(S_IFDIR) && to.node.is(S_IFDIR):
		return EISDIR
	case len(to.node.entries) > 0:
		return ENOTEMPTY
	}
	if to.node != nil {
		to.remove()
		if to.node.is(S_IFDIR) {
			to.node.Nlink = 0
		}
		to.node = nil
	}
	from.remove()
	return to.add(n)
}

func Fstatat(dirfd int, path string, st *Stat_t, flags int) error {
	return withNode(dirfd, path, flags&_AT_SYMLINK_NOFOLLOW == 0, func(n *inode) error {
		*st = n.stat()
		return nil
	})
}

func Fchmodat(dirfd int, path string, mode uint32, flags int) error {
	return withNode(dirfd, path, flags&_AT_SYMLINK_NOFOLLOW == 0, func(n *inode) error {
		if n.is(S_IFLNK) {
			return EOPNOTSUPP
		}
		return n.chmod(mode)
	})
}

func (n *inode) chmod(mode uint32) error {
	n.Mode = n.Mode&S_IFMT | mode&07777
	n.Ctim = timeNow()
	return nil
}

func Fchownat(dirfd int, path string, uid, gid int, flags int) error {
	return withNode(dirfd, path, flags&_AT_SYMLINK_NOFOLLOW == 0, func(n *inode) error {
		return n.chown(uid, gid)
	})
}

// chown sets the owner and the group; -1 leaves one as it is.
func (n *inode) chown(uid, gid int) error {
	if uid != -1 {
		n.Uid = uint32(uid)
	}
	if gid != -1 {
		n.Gid = uint32(gid)
	}
	n.Ctim = timeNow()
	return nil
}

// utimensat is for package internal/syscall/unix.
func utimensat(dirfd int, path string, times *[2]Timespec, flags int) error {
	return withNode(dirfd, path, flags&_AT_SYMLINK_NOFOLLOW == 0, func(n *inode) error {
		n.Ctim = timeNow()
		for i, t := range []*Timespec{&n.Atim, &n.Mtim} {
			switch times[i].Nsec {
			case _UTIME_OMIT:
			case _UTIME_NOW:
				*t = n.Ctim
			default:
				*t = times[i]
			}
		}
		return nil
	})
}

func UtimesNano(path string, ts []Timespec) error {
	if len(ts) != 2 {
		return EINVAL
	}
	return utimensat(_AT_FDCWD, path, (*[2]Timespec)(ts), 0)
}

func Truncate(path string, size int64) error {
	return withNode(_AT_FDCWD, path, true, func(n *inode) error { return n.truncate(size) })
}

func Chdir(path string) error {
	return withNode(_AT_FDCWD, path, true, (*inode).chdir)
}

func (n *inode) chdir() error {
	if !n.is(S_IFDIR) {
		return ENOTDIR
	}
	cwd = n
	return nil
}

const ImplementsGetwd = true

func Getwd() (path string, err error) {
	fsMu.Lock()
	defer fsMu.Unlock()
	if cwd.Nlink == 0 {
		return "", ENOENT
	}
	for n := cwd; n != root; n = n.parent {
		path = "/" + n.name + path
	}
	if path == "" {
		path = "/"
	}
	return path, nil
}

func Umask(mask int) (oldmask int) {
	fsMu.Lock()
	defer fsMu.Unlock()
	oldmask = int(umask)
	umask = uint32(mask & 0777)
	return oldmask
}

// The calls without a directory.

func Open(path string, flags int, perm uint32) (fd int, err error) {
	return Openat(_AT_FDCWD, path, flags, perm)
}

func Rename(from, to string) error { return Renameat(_AT_FDCWD, from, _AT_FDCWD, to) }

func Mkdir(path string, mode uint32) error { return Mkdirat(_AT_FDCWD, path, mode) }

func Unlink(path string) error { return Unlinkat(_AT_FDCWD, path, 0) }

func Rmdir(path string) error { return Unlinkat(_AT_FDCWD, path, _AT_REMOVEDIR) }

func Link(path, link string) error { return Linkat(_AT_FDCWD, path, _AT_FDCWD, link, 0) }

func Symlink(target, link string) error { return Symlinkat(target, _AT_FDCWD, link) }

func Readlink(path string, buf []byte) (n int, err error) {
	return Readlinkat(_AT_FDCWD, path, buf)
}

func Stat(path string, st *Stat_t) error { return Fstatat(_AT_FDCWD, path, st, 0) }

func Lstat(path string, st *Stat_t) error {
	return Fstatat(_AT_FDCWD, path, st, _AT_SYMLINK_NOFOLLOW)
}

func Chmod(path string, mode uint32) error { return Fchmodat(_AT_FDCWD, path, mode, 0) }

func Chown(path string, uid, gid int) error { return Fchownat(_AT_FDCWD, path, uid, gid, 0) }

func Lchown(path string, uid, gid int) error {
	return Fchownat(_AT_FDCWD, path, uid, gid, _AT_SYMLINK_NOFOLLOW)
}
