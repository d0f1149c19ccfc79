package socket

// Shutdown ends one direction of the descriptor's socket or both; how is
// SHUT_RD, SHUT_WR or SHUT_RDWR (Linux sys_shutdown). Whoever waits on the
// socket is woken, even when it fails. The errors of the inet families:
//
//	EBADF       no such descriptor
//	(any)       a security hook refused
//	EINVAL      how is something else
//	ENOTCONN    not connected
func (t *Task) Shutdown(fd, how int) error {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	return f.socket.Shutdown(how)
}

// Shutdown is [Task.Shutdown] without a descriptor.
func (s *Socket) Shutdown(how int) error {
	if err := hooked(func(h Security) error { return h.SocketShutdown(s, how) }); err != nil {
		return err
	}
	return s.Ops.Shutdown(s, how)
}
