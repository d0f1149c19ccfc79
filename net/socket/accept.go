package socket

import "github.com/tamanet/tamanet/net/errno"

// Accept is [Task.Accept4] without flags.
func (t *Task) Accept(fd int) (int, Sockaddr, error) { return t.Accept4(fd, 0) }

// Accept4 takes the next waiting connection of the listener fd and returns a
// descriptor for it and the peer's address (Linux sys_accept4). It blocks
// unless fd is O_NONBLOCK, for SO_RCVTIMEO at most. flags may hold
// SOCK_NONBLOCK and SOCK_CLOEXEC for the new descriptor, which takes over
// none of the listener's. On error no connection is lost. The errors:
//
//	EBADF           no such descriptor, or closed meanwhile
//	EINVAL          other flags
//	ENOTSOCK        an epoll set
//	EMFILE, ENFILE  too many descriptors or sockets
//	(any)           a security hook refused
//	EOPNOTSUPP      the type has no connections
//	EINVAL          not listening, or no longer
//	EAGAIN          no connection, and not to be waited for
//	ECONNABORTED    the connection has no peer any more
func (t *Task) Accept4(fd, flags int) (int, Sockaddr, error) {
	slot, f, err := t.fds.lookup(fd)
	if err != nil {
		return -1, Sockaddr{}, err
	}
	defer leave(slot, f)
	switch {
	case flags&^(SOCK_CLOEXEC|SOCK_NONBLOCK) != 0:
		return -1, Sockaddr{}, errno.EINVAL
	case f.socket == nil:
		return -1, Sockaddr{}, errno.ENOTSOCK
	}
	if !t.roomForFD() {
		return -1, Sockaddr{}, errno.EMFILE
	}
	s, err := f.socket.Accept(f.nonblock())
	if err != nil {
		return -1, Sockaddr{}, err
	}
	peer, err := s.Ops.GetName(s, AcceptName)
	if err != nil {
		s.Release()
		return -1, Sockaddr{}, errno.ECONNABORTED
	}
	nfd, err := t.sockMapFD(s, flags)
	if err != nil {
		// The last number went while this call waited.
		s.Release()
		return -1, Sockaddr{}, err
	}
	return nfd, peer, nil
}

// Accept is [Task.Accept4] without descriptors; flags holds O_NONBLOCK or
// not. The caller releases the socket. (do_accept)
func (s *Socket) Accept(flags int) (*Socket, error) {
	newsock := s.Task.alloc(s.Family, s.Type, s.kern)
	if newsock == nil {
		return nil, errno.ENFILE
	}
	newsock.Ops = s.Ops
	if getFamily(s.Family) == nil {
		newsock.free()
		return nil, errno.EAFNOSUPPORT
	}
	err := hooked(func(h Security) error { return h.SocketAccept(s, newsock) })
	if err == nil {
		err = s.Ops.Accept(s, newsock, flags)
	}
	if err != nil {
		putFamily(s.Family)
		newsock.free()
		return nil, err
	}
	newsock.enlist()
	return newsock, nil
}

// Graft gives newsock the Sock of an accepted connection (sock_graft).
func (s *Socket) Graft(sk *Sock) {
	s.Sk = sk
	s.State = SS_CONNECTED
}

// roomForFD reports whether a descriptor is free, before anything is taken
// that would have to be given back.
func (t *Task) roomForFD() bool {
	t.fds.mu.Lock()
	defer t.fds.mu.Unlock()
	limit := t.fds.limit
	if limit == 0 {
		limit = DefaultNoFile
	}
	fd, _ := t.fds.free(t.fds.hint)
	return fd < limit
}
