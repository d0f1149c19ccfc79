package socket

// Bind gives the descriptor's socket its local address (Linux sys_bind). The
// errors of the inet families, in the order of the checks:
//
//	EBADF           no such descriptor
//	(any)           a security hook refused
//	EINVAL          the address is too short
//	EAFNOSUPPORT    the address is of another family
//	EADDRNOTAVAIL   the address is not the machine's
//	EACCES          the port needs CAP_NET_BIND_SERVICE
//	EINVAL          bound already, or not closed
//	EADDRINUSE      the port is taken
func (t *Task) Bind(fd int, addr Sockaddr) error {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	return f.socket.Bind(addr)
}

// Bind is [Task.Bind] without a descriptor.
func (s *Socket) Bind(addr Sockaddr) error {
	if err := hooked(func(h Security) error { return h.SocketBind(s, addr) }); err != nil {
		return err
	}
	return s.Ops.Bind(s, addr)
}
