package unix

import (
	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// A stream's urgent byte (Linux's CONFIG_AF_UNIX_OOB) is a message of its own
// in the queue, to which queue.oob points until it was received, by MSG_OOB or,
// with SO_OOBINLINE, in its place. Another one takes the role over; the first
// then is data like any other. Received by MSG_OOB, it stays in the queue
// empty, as the mark.

// pushStream appends m, as the urgent byte if oob is set (queue_oob), or
// returns false when the queue is dead.
func (q *queue) pushStream(m *message, oob bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.append(m) {
		return false
	}
	if oob {
		q.oob.Store(m)
	}
	return true
}

// passUrgent is Linux's manage_oob. It returns the message with which a receive
// that has come to m goes on, or nil: there is none yet, or, when something
// was copied, the receive ends before the urgent byte or its mark.
func (r *streamRead) passUrgent(m *message) *message {
	q := &r.u.q
	if m.left() > 0 && m != q.oob.Load() {
		return m
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	oob := q.oob.Load()
	if m.left() == 0 {
		switch {
		case r.copied > 0 && (oob == nil || m == oob):
			return nil
		case r.flags&socket.MSG_PEEK != 0:
			m = r.passOver(m)
		default:
			m = r.drop()
		}
	}
	if m == nil || m != oob {
		return m
	}
	inline := r.u.Flag(socket.FlagURGInline)
	switch {
	case r.copied > 0:
		return nil
	case r.flags&socket.MSG_PEEK == 0:
		q.oob.Store(nil)
		if !inline {
			m = r.drop() // who did not ask for it loses it
		}
	case !inline:
		m = r.passOver(m)
	}
	return m
}

// passOver leaves m in the queue and returns the message behind it.
func (r *streamRead) passOver(m *message) *message {
	r.peeked = m
	return m.next
}

// drop takes the first message out of the queue and returns the next. The
// queue's mu is held.
func (r *streamRead) drop() *message {
	m := r.u.q.popLocked()
	m.next, r.dropped = r.dropped, m
	return r.u.q.head
}

// freeDropped frees what drop took, files included.
func (r *streamRead) freeDropped() {
	for m := r.dropped; m != nil; m = r.dropped {
		r.dropped, m.next = m.next, nil
		m.free()
	}
}

// recvUrgent is Linux's unix_stream_recv_urg: it never waits. Without room the
// byte is lost, and counts as received all the same.
func (u *sock) recvUrgent(m *socket.Msghdr, flags int) (int, error) {
	peek := flags&socket.MSG_PEEK != 0
	u.q.recv.Lock()
	oob, before := u.q.takeUrgent(peek, u.Flag(socket.FlagURGInline))
	if oob != nil {
		m.Iter().Write(oob.data[:1])
		if !peek {
			u.q.consume(oob, 1)
		}
	}
	u.q.recv.Unlock()
	if before != nil {
		before.free()
	}
	if oob == nil {
		return 0, errno.EINVAL
	}
	m.Flags |= socket.MSG_OOB
	return 1, nil
}

// takeUrgent returns the urgent byte's message, which stays in the queue, and,
// unless it is only peeked at, ends its role; the mark of an earlier byte that
// stood right before goes, and is the caller's to free.
func (q *queue) takeUrgent(peek, inline bool) (oob, before *message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if oob = q.oob.Load(); inline || oob == nil {
		return nil, nil
	}
	if peek {
		return oob, nil
	}
	q.oob.Store(nil)
	for at := &q.head; *at != nil; at = &(*at).next {
		if m := *at; m.next == oob && m.left() == 0 {
			*at, m.next = oob, nil
			q.count.Add(-1)
			return oob, m
		}
	}
	return oob, nil
}

// atMark reports whether the urgent byte is the next to be received, or was
// received from there (SIOCATMARK in unix_ioctl).
func (q *queue) atMark() bool {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	m, oob := q.head, q.oob.Load()
	return m != nil && (m == oob || m.left() == 0 && (oob == nil || m.next == oob))
}

// unread reports whether something was not received; a mark does not count.
func (q *queue) unread() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.head
	if m != nil && m.left() == 0 {
		m = m.next
	}
	return m != nil
}
