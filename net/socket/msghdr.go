package socket

import "io"

// A Msghdr describes one message to send or receive: Linux's struct msghdr.
// One Msghdr serves one call at a time and may be used again; reuse it where
// a call must not allocate.
type Msghdr struct {
	// Name is the destination to send to, if HasName is set. Receiving sets
	// it to the source and HasName to whether there is one.
	Name    Sockaddr
	HasName bool

	// Iov are the buffers, filled or drained in order.
	Iov [][]byte

	// Control holds control messages to send, or room for those to receive,
	// of which Controllen bytes were used.
	Control    []byte
	Controllen int

	// Flags are set by receiving: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB,
	// MSG_ERRQUEUE.
	Flags int

	task *Task // the caller, whose descriptors Control names
	one  [1][]byte
	iter Iter
}

// SetBuffer makes b the message's only buffer, without allocating.
func (m *Msghdr) SetBuffer(b []byte) {
	m.one[0] = b
	m.Iov = m.one[:]
}

// Len returns the number of bytes that Iov holds.
func (m *Msghdr) Len() int {
	n := 0
	for _, b := range m.Iov {
		n += len(b)
	}
	return n
}

// Iter returns the message's iterator over Iov, at the start. There is one a
// message, so that no call allocates it.
func (m *Msghdr) Iter() *Iter {
	m.iter = Iter{iov: m.Iov, left: m.Len()}
	return &m.iter
}

// An Iter walks a message's buffers: Linux's struct iov_iter. As a Reader it
// yields what is to be sent, and as such is a gVisor tcpip.Payloader; as a
// Writer it stores what was received.
type Iter struct {
	iov  [][]byte
	off  int // into iov[0]
	left int

	// Truncate makes Write discard what does not fit, as a datagram's rest
	// is, rather than stop with io.ErrShortWrite.
	Truncate bool
	// Discard makes Write count bytes and store none (MSG_TRUNC on a stream).
	Discard bool
}

// Len returns the number of bytes not yet read or written.
func (it *Iter) Len() int { return it.left }

// chunk returns the current buffer's rest, which is not empty while left > 0.
func (it *Iter) chunk() []byte {
	for len(it.iov) > 0 && it.off == len(it.iov[0]) {
		it.iov, it.off = it.iov[1:], 0
	}
	if len(it.iov) == 0 {
		return nil
	}
	return it.iov[0][it.off:]
}

func (it *Iter) advance(n int) {
	it.off += n
	it.left -= n
}

// Read implements io.Reader.
func (it *Iter) Read(p []byte) (n int, err error) {
	for n < len(p) && it.left > 0 {
		k := copy(p[n:], it.chunk())
		it.advance(k)
		n += k
	}
	if n == 0 && it.left == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write implements io.Writer.
func (it *Iter) Write(p []byte) (n int, err error) {
	for n < len(p) && it.left > 0 {
		b := it.chunk()
		k := min(len(b), len(p)-n)
		if !it.Discard {
			copy(b, p[n:n+k])
		}
		it.advance(k)
		n += k
	}
	switch {
	case n == len(p):
		return n, nil
	case it.Truncate:
		return len(p), nil
	}
	return n, io.ErrShortWrite
}
