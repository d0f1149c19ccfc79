package socket

import "github.com/tamanet/tamanet/net/errno"

// An Aborter is a Proto whose Socks can be ended from outside (diag_destroy).
type Aborter interface {
	// Abort ends the Sock's connection, or its binding, at once: a peer is
	// reset, err becomes the pending error, and who waits is woken. The Sock
	// stays open to its program. Locked.
	Abort(sk *Sock, err error) error
}

// Abort ends the socket's connection from outside, as SOCK_DESTROY and "ss -K"
// do: the program's next call gets ECONNABORTED. It does not block. The error
// is EOPNOTSUPP for protocols that cannot. (sock_diag_destroy)
func (s *Socket) Abort() error {
	a, ok := s.Sk.Prot.(Aborter)
	if !ok {
		return errno.EOPNOTSUPP
	}
	s.Sk.Lock()
	defer s.Sk.Unlock()
	if s.Sk.Dying() {
		return nil
	}
	return a.Abort(s.Sk, errno.ECONNABORTED)
}

// AbortSockets ends, as [Socket.Abort] does, the open sockets of the task's
// network for which match returns true, and returns how many. match is called
// with no lock held. Sockets that cannot be ended so are passed over. EPERM
// without CAP_NET_ADMIN.
func (t *Task) AbortSockets(match func(Info) bool) (n int, err error) {
	if !t.Capable(CAP_NET_ADMIN) {
		return 0, errno.EPERM
	}
	for _, s := range sockets() {
		if s.Sk.Net == t.Net && match(s.info()) && s.Abort() == nil {
			n++
		}
	}
	return n, nil
}
