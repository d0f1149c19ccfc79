package socket

// Listen makes the descriptor's socket accept connections, up to backlog of
// them waiting, or changes the backlog of one that does (Linux sys_listen).
// The backlog is capped by the network's SoMaxConn; a negative one means the
// cap. The errors:
//
//	EBADF         no such descriptor
//	(any)         a security hook refused
//	EOPNOTSUPP    the type has no connections
//	EINVAL        connected, or connecting
//	EADDRINUSE    another listener has the port
func (t *Task) Listen(fd, backlog int) error {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return err
	}
	defer leave(slot, f)
	return f.socket.Listen(backlog)
}

// Listen is [Task.Listen] without a descriptor.
func (s *Socket) Listen(backlog int) error {
	most := int(s.Task.Net.Sysctl.SoMaxConn.Load())
	if backlog < 0 || backlog > most {
		backlog = most
	}
	if err := hooked(func(h Security) error { return h.SocketListen(s, backlog) }); err != nil {
		return err
	}
	return s.Ops.Listen(s, backlog)
}
