package socket

// Recv is [Task.RecvMsg] into one buffer.
func (t *Task) Recv(fd int, b []byte, flags int) (int, error) {
	n, _, err := t.RecvFrom(fd, b, flags)
	return n, err
}

// RecvFrom is [Task.RecvMsg] into one buffer; it returns the source too, the
// zero Sockaddr if the protocol gives none (Linux sys_recvfrom).
func (t *Task) RecvFrom(fd int, b []byte, flags int) (int, Sockaddr, error) {
	m := msghdrs.Get().(*Msghdr)
	m.SetBuffer(b)
	n, err := t.RecvMsg(fd, m, flags)
	from := m.Name
	*m = Msghdr{}
	msghdrs.Put(m)
	return n, from, err
}

// RecvMsg receives into m and returns the number of bytes (Linux
// sys_recvmsg); 0 from a stream is its end. A stream returns what is there,
// with MSG_WAITALL all that was asked for. A datagram's rest that does not
// fit is lost and MSG_TRUNC set in m.Flags; with MSG_TRUNC in flags its real
// length is returned. MSG_PEEK leaves what it returns. RecvMsg blocks unless
// MSG_DONTWAIT or O_NONBLOCK says not to, for SO_RCVTIMEO at most. The errors
// of the inet families:
//
//	EBADF         no such descriptor, or closed meanwhile
//	(any)         a security hook refused
//	ENOTCONN      a stream that never was connected, or a listener
//	EAGAIN        nothing there, and not to be waited for
//	EINVAL        MSG_OOB on a stream with no urgent byte
//	ECONNRESET, ETIMEDOUT, ECONNREFUSED …   the pending error; once
func (t *Task) RecvMsg(fd int, m *Msghdr, flags int) (int, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return 0, err
	}
	m.task = t
	n, err := f.socket.RecvMsg(m, f.dontwait(flags))
	leave(slot, f)
	return n, err
}

// RecvMsg is [Task.RecvMsg] without a descriptor; MSG_DONTWAIT in flags is
// all that keeps it from blocking.
func (s *Socket) RecvMsg(m *Msghdr, flags int) (int, error) {
	if err := hooked(func(h Security) error { return h.SocketRecvMsg(s, m, m.Len(), flags) }); err != nil {
		return 0, err
	}
	m.Name, m.HasName, m.Flags, m.Controllen = Sockaddr{}, false, flags&MSG_CMSG_CLOEXEC, 0
	return s.Ops.RecvMsg(s, m, flags)
}

// RecvMMsg receives messages in turn until all are filled or an error comes,
// and returns how many were received and their lengths in lens, which is as
// long as msgs; an error is returned only if none was received. With
// MSG_WAITFORONE only the first is waited for (Linux sys_recvmmsg).
func (t *Task) RecvMMsg(fd int, msgs []*Msghdr, lens []int, flags int) (int, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return 0, err
	}
	defer leave(slot, f)
	for i, m := range msgs {
		m.task = t
		n, err := f.socket.RecvMsg(m, f.dontwait(flags&^MSG_WAITFORONE))
		if err != nil {
			if i == 0 {
				return 0, err
			}
			// Linux leaves the error to the next call, where a stream or a
			// pending error will show it again.
			return i, nil
		}
		lens[i] = n
		if flags&MSG_WAITFORONE != 0 {
			flags |= MSG_DONTWAIT
		}
	}
	return len(msgs), nil
}
