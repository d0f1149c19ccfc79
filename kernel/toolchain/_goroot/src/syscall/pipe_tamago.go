// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package syscall

import (
	"sync"
	"unsafe"
)

const (
	pipeSize = 64 << 10 // bytes that a pipe holds
	pipeBuf  = 4 << 10  // a write of so many bytes is not split
)

// A pipe is what its two ends share. mu guards all three.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte // written and not read
	empty   []byte // start of the memory of data
}

// A pipeEnd is the read or the write end of a pipe.
type pipeEnd struct {
	*pipe
	other  *pipeEnd
	mode   int32 // 'r' or 'w'
	closed bool
	polled map[uintptr]unsafe.Pointer // runtime's descriptors, by descriptor
}

func Pipe(p []int) error { return Pipe2(p, 0) }

func Pipe2(p []int, flags int) error {
	if len(p) != 2 || flags&^(O_CLOEXEC|O_NONBLOCK) != 0 {
		return EINVAL
	}
	shared := new(pipe)
	shared.changed.L = &shared.mu
	r := &pipeEnd{pipe: shared, mode: 'r'}
	w := &pipeEnd{pipe: shared, mode: 'w', other: r}
	r.other = w
	fsMu.Lock()
	defer fsMu.Unlock()
	node := newInode(S_IFIFO | 0600)
	node.Nlink = 1
	p[0] = newFD(&file{node: node, stream: r, flags: flags | O_RDONLY})
	p[1] = newFD(&file{node: node, stream: w, flags: flags | O_WRONLY})
	return nil
}

// wake makes those look again who wait at e. mu is held.
func (e *pipeEnd) wake() {
	e.changed.Broadcast()
	for _, pd := range e.polled {
		pollReady(pd, e.mode)
	}
}

func (r *pipeEnd) read(p []byte, nonblock bool) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.data) == 0 && len(p) > 0 {
		if r.other.closed {
			return 0, nil
		}
		if nonblock {
			return 0, EAGAIN
		}
		r.changed.Wait()
	}
	n := copy(p, r.data)
	if r.data = r.data[n:]; len(r.data) == 0 {
		r.data = r.empty
	}
	r.other.wake()
	return n, nil
}

func (w *pipeEnd) write(p []byte, nonblock bool) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 {
		room := pipeSize - len(w.data)
		switch {
		case w.other.closed:
			err = EPIPE
		case room > 0 && (room >= len(p) || len(p) > pipeBuf || n > 0):
			part := p[:min(len(p), room)]
			w.data = append(w.data, part...)
			if len(w.data) == len(part) {
				w.empty = w.data[:0]
			}
			p = p[len(part):]
			n += len(part)
			w.other.wake()
			continue
		case nonblock:
			err = EAGAIN
		default:
			w.changed.Wait()
			continue
		}
		break
	}
	if n > 0 {
		err = nil
	}
	return n, err
}

func (e *pipeEnd) poll(fd uintptr, pd unsafe.Pointer) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.polled == nil {
		e.polled = map[uintptr]unsafe.Pointer{}
	}
	if e.polled[fd] = pd; pd == nil {
		delete(e.polled, fd)
	}
	return true
}

func (e *pipeEnd) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.other.wake()
}
