package unix

import "github.com/tamanet/tamanet/net/socket"

// scmSend is Linux's scm_send. Without control messages it costs nothing.
func (u *sock) scmSend(m *socket.Msghdr) (socket.ScmCookie, error) {
	if len(m.Control) == 0 {
		return socket.ScmCookie{Cred: socket.NoUcred}, nil
	}
	return u.task.ScmSend(m, true)
}

// attach moves what goes along with m into it (unix_scm_to_skb). The
// credentials stay for the pieces that follow, the files do not.
func (m *message) attach(scm *socket.ScmCookie) {
	m.cred, m.fp = scm.Cred, scm.Fp
	if m.fp != nil {
		fly(m.fp)
		scm.Fp = nil
	}
}

// addCred adds the sender's identity if one of the two ends wants it
// (unix_maybe_add_creds).
func (m *message) addCred(from, to *sock) {
	if m.cred == socket.NoUcred && (from.Flag(socket.FlagPassCred) || to.Flag(socket.FlagPassCred)) {
		m.cred = from.task.Cred
	}
}

// detach takes the files out of m, which is in the queue (unix_detach_fds).
func (q *queue) detach(m *message) *socket.FileList {
	if m.fp == nil {
		return nil
	}
	inflight.Lock()
	defer inflight.Unlock()
	q.mu.Lock()
	fp := m.fp
	m.fp = nil
	q.mu.Unlock()
	count(fp, -1)
	return fp
}

// dupFiles returns the files of m once more, for MSG_PEEK (unix_peek_fds).
func (m *message) dupFiles() *socket.FileList {
	if m.fp == nil {
		return nil
	}
	inflight.Lock()
	defer inflight.Unlock()
	return m.fp.Dup()
}

// scmRecv is Linux's scm_recv_unix.
func (u *sock) scmRecv(m *socket.Msghdr, scm *socket.ScmCookie, flags int) {
	if scm.Fp == nil && !u.Flag(socket.FlagPassCred) {
		return
	}
	u.ScmRecv(u.task, m, scm, flags)
}

// nameOf is who sent m; nothing if the sender has no name (unix_copy_addr).
func (m *message) nameOf() (socket.Sockaddr, bool) {
	if a := m.from.addr.Load(); a != nil {
		return a.name, true
	}
	return socket.Sockaddr{}, false
}
