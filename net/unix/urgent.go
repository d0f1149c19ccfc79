package unix

import (
	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// A stream's urgent byte is a message of its own in the queue, which
// queue.oob points to. When MSG_OOB received it, the message stays, empty, to
// mark the place (SIOCATMARK), until the reader comes past it.

// recvUrgent is Linux's unix_stream_recv_urg: one byte, which is lost without
// room for it. EINVAL without an urgent byte, and with SO_OOBINLINE.
func (u *sock) recvUrgent(m *socket.Msghdr, flags int) (int, error) {
	q := &u.q
	peek := flags&socket.MSG_PEEK != 0
	q.recv.Lock()
	oob, mark := q.takeUrgent(peek, u.Flag(socket.FlagURGInline))
	if oob == nil {
		q.recv.Unlock()
		return 0, errno.EINVAL
	}
	it := m.Iter()
	it.Truncate = true
	it.Write(oob.data[oob.off : oob.off+1])
	if !peek {
		q.consume(oob, 1)
	}
	q.recv.Unlock()
	if mark != nil {
		mark.free()
	}
	m.Flags |= socket.MSG_OOB
	return 1, nil
}

// takeUrgent returns the urgent byte, which is no longer one after unless it
// is only peeked at, and the mark of an earlier one right in front of it,
// taken out. The caller holds recv.
func (q *queue) takeUrgent(peek, inline bool) (oob, mark *message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	oob = q.oob.Load()
	if oob == nil || inline || peek {
		if inline {
			oob = nil
		}
		return oob, nil
	}
	q.oob.Store(nil)
	var before *message
	for m := q.head; m != oob; m = m.next {
		if m.next == oob && m.unread() == 0 {
			return oob, q.unlink(before, m)
		}
		before = m
	}
	return oob, nil
}

// atUrgent returns what a receive that has come to m goes on with: m, or, when
// m is the urgent byte or the mark of one, what is behind it, or nil to end
// there. What is passed over is lost. The caller holds the queue's recv.
// (manage_oob)
func (r *streamRead) atUrgent(m *message) *message {
	q := &r.u.q
	if m.unread() > 0 && m != q.oob.Load() {
		return m
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	oob := q.oob.Load()
	peek := r.flags&socket.MSG_PEEK != 0
	if m.unread() == 0 {
		switch {
		case r.copied > 0 && (oob == nil || m == oob):
			return nil
		case peek:
			m = m.next
		default:
			r.pass(q.unlink(nil, m))
			m = q.head
		}
		if m == nil {
			return nil
		}
	}
	switch {
	case m != oob:
		return m
	case r.copied > 0:
		return nil
	case r.u.Flag(socket.FlagURGInline):
		if !peek {
			q.oob.Store(nil)
		}
		return m
	case peek:
		return m.next
	}
	q.oob.Store(nil)
	r.pass(q.unlink(nil, m))
	return q.head
}

// pass keeps m to be freed when no lock is held. FIONREAD goes on counting a
// byte that was passed over, as on Linux (6.18).
func (r *streamRead) pass(m *message) {
	r.u.q.bytes.Add(int64(m.unread()))
	m.next = r.passed
	r.passed = m
}

func (r *streamRead) freePassed() {
	for m := r.passed; m != nil; m = r.passed {
		r.passed = m.next
		m.free()
	}
}

// atMark is SIOCATMARK's answer: whether the next byte to be received is the
// urgent one, or stands right behind where it was.
func (u *sock) atMark() bool {
	q := &u.q
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	m, oob := q.head, q.oob.Load()
	if m == nil {
		return false
	}
	return m == oob || m.unread() == 0 && (oob == nil || m.next == oob)
}
