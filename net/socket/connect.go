package socket

// Connect connects the descriptor's socket to addr, or sets a datagram
// socket's peer (Linux sys_connect). An address of family AF_UNSPEC dissolves
// either. A stream's connect blocks unless fd is O_NONBLOCK, for SO_SNDTIMEO
// at most. The errors of the inet families:
//
//	EBADF           no such descriptor, or closed meanwhile
//	(any)           a security hook refused
//	EINVAL          the address is too short
//	EAFNOSUPPORT    the address is of another family
//	EISCONN         connected already, or listening
//	EALREADY        an earlier connect is still under way
//	EINPROGRESS     begun and not to be waited for
//	ENETUNREACH, EHOSTUNREACH   no way there
//	ECONNREFUSED, ETIMEDOUT, ECONNABORTED   the attempt failed; once
//	EADDRNOTAVAIL   no local port is free
//	EACCES          a broadcast address, without SO_BROADCAST
func (t *Task) Connect(fd int, addr Sockaddr) error {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	return f.socket.Connect(addr, f.nonblock())
}

// Connect is [Task.Connect] without a descriptor; flags holds O_NONBLOCK or
// not.
func (s *Socket) Connect(addr Sockaddr, flags int) error {
	if err := hooked(func(h Security) error { return h.SocketConnect(s, addr) }); err != nil {
		return err
	}
	return s.Ops.Connect(s, addr, flags)
}
