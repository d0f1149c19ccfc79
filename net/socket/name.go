package socket

// GetSockName returns the local address of the descriptor's socket (Linux
// sys_getsockname). One that is not bound has the unspecified address and
// port 0. EBADF.
func (t *Task) GetSockName(fd int) (Sockaddr, error) { return t.getName(fd, LocalName) }

// GetPeerName returns the address that the descriptor's socket is connected
// to (Linux sys_getpeername). EBADF, ENOTCONN.
func (t *Task) GetPeerName(fd int) (Sockaddr, error) { return t.getName(fd, PeerName) }

func (t *Task) getName(fd int, which NameOf) (Sockaddr, error) {
	slot, f, err := t.sockfdLookup(fd)
	if err != nil {
		return Sockaddr{}, err
	}
	defer leave(slot, f)
	return f.socket.GetName(which)
}

// GetName is [Task.GetSockName] and [Task.GetPeerName] without a descriptor.
func (s *Socket) GetName(which NameOf) (Sockaddr, error) {
	if err := hooked(func(h Security) error { return h.SocketGetName(s, which) }); err != nil {
		return Sockaddr{}, err
	}
	return s.Ops.GetName(s, which)
}
