package socket

import "sync"

// Send is [Task.SendMsg] of one buffer to the peer.
func (t *Task) Send(fd int, b []byte, flags int) (int, error) {
	return t.sendto(fd, b, flags, nil)
}

// SendTo is [Task.SendMsg] of one buffer to addr (Linux sys_sendto).
func (t *Task) SendTo(fd int, b []byte, flags int, addr Sockaddr) (int, error) {
	return t.sendto(fd, b, flags, &addr)
}

// sendto takes its Msghdr from a pool: what goes through an interface cannot
// stay on the stack.
func (t *Task) sendto(fd int, b []byte, flags int, addr *Sockaddr) (int, error) {
	m := msghdrs.Get().(*Msghdr)
	m.SetBuffer(b)
	if addr != nil {
		m.Name, m.HasName = *addr, true
	}
	n, err := t.SendMsg(fd, m, flags)
	*m = Msghdr{}
	msghdrs.Put(m)
	return n, err
}

var msghdrs = sync.Pool{New: func() any { return new(Msghdr) }}

// SendMsg sends m on the descriptor's socket and returns the number of bytes
// that were taken (Linux sys_sendmsg). A stream blocks until all are, unless
// MSG_DONTWAIT or O_NONBLOCK says not to, or SO_SNDTIMEO is over; it then
// returns the number of those taken, or EAGAIN if none was. The errors of the
// inet families:
//
//	EBADF           no such descriptor, or closed meanwhile
//	(any)           a security hook refused
//	EDESTADDRREQ    a datagram with no destination and no peer
//	EPIPE           a stream that is not connected, or sending was shut down
//	ECONNRESET, ETIMEDOUT, ECONNREFUSED …   the pending error; once
//	EMSGSIZE        the datagram is too long
//	EINVAL          the address is too short, or port 0
//	EAFNOSUPPORT    the address is of another family
//	EACCES          a broadcast address, without SO_BROADCAST
//	ENETUNREACH, EHOSTUNREACH   no way there
//	EOPNOTSUPP      MSG_OOB on a datagram socket
//
// There are no signals here: every send is as with MSG_NOSIGNAL.
func (t *Task) SendMsg(fd int, m *Msghdr, flags int) (int, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return 0, err
	}
	m.task = t
	n, err := f.socket.SendMsg(m, f.dontwait(flags))
	leave(slot, f)
	return n, err
}

// SendMsg is [Task.SendMsg] without a descriptor; MSG_DONTWAIT in flags is
// all that keeps it from blocking.
func (s *Socket) SendMsg(m *Msghdr, flags int) (int, error) {
	if err := hooked(func(h Security) error { return h.SocketSendMsg(s, m, m.Len()) }); err != nil {
		return 0, err
	}
	return s.Ops.SendMsg(s, m, flags)
}

// SendMMsg sends the messages in turn and returns how many were sent; an
// error is returned only if none was (Linux sys_sendmmsg).
func (t *Task) SendMMsg(fd int, msgs []*Msghdr, flags int) (int, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return 0, err
	}
	defer leave(slot, f)
	for i, m := range msgs {
		m.task = t
		if _, err := f.socket.SendMsg(m, f.dontwait(flags)); err != nil {
			if i == 0 {
				return 0, err
			}
			return i, nil
		}
	}
	return len(msgs), nil
}
