package unix

import (
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// commonOps are the operations that all types share; the rest are those of
// socket.NoOps.
type commonOps struct{ socket.NoOps }

// Family implements socket.ProtoOps.
func (*commonOps) Family() int { return socket.AF_UNIX }

// Release is Linux's unix_release.
func (*commonOps) Release(s *socket.Socket) error {
	s.Sk.Prot.Close(s.Sk, 0)
	collect()
	return nil
}

// Bind is Linux's unix_bind. An address of only a family autobinds. The
// errors are EINVAL for one that is no AF_UNIX address and for a Sock that
// has a name, and EADDRINUSE.
func (*commonOps) Bind(s *socket.Socket, addr socket.Sockaddr) error {
	u := of(s.Sk)
	if addr.Len == sizeofFamily && addr.Family == socket.AF_UNIX {
		return u.table.autobind(u)
	}
	return s.Sk.Prot.GetPort(s.Sk, addr)
}

// SocketPair is Linux's unix_socketpair.
func (*commonOps) SocketPair(s1, s2 *socket.Socket) error {
	a, b := of(s1.Sk), of(s2.Sk)
	a.table.mu.Lock()
	a.setPeer(b)
	b.setPeer(a)
	a.table.mu.Unlock()
	for _, s := range [...]*socket.Socket{s1, s2} {
		u := of(s.Sk)
		u.setPeerCred(&s.Task.Cred)
		u.setState(socket.TCP_ESTABLISHED)
		u.Lock()
		s.State = socket.SS_CONNECTED
		u.Unlock()
	}
	return nil
}

// GetName is Linux's unix_getname.
func (*commonOps) GetName(s *socket.Socket, which socket.NameOf) (socket.Sockaddr, error) {
	return s.Sk.Prot.GetName(s.Sk, which)
}

// Poll is Linux's unix_poll and unix_dgram_poll.
func (*commonOps) Poll(s *socket.Socket) socket.EventMask { return s.Sk.Prot.Poll(s.Sk) }

// Shutdown is Linux's unix_shutdown: it needs no peer.
func (*commonOps) Shutdown(s *socket.Socket, how int) error {
	if how < socket.SHUT_RD || how > socket.SHUT_RDWR {
		return errno.EINVAL
	}
	how++ // SHUT_* become RCV_SHUTDOWN and SEND_SHUTDOWN
	sk := s.Sk
	sk.AddShutdown(how)
	sk.Prot.Shutdown(sk, how)
	sk.Wake()
	return nil
}

// Ioctl is Linux's unix_ioctl: FIONREAD tells a stream's bytes or the next
// datagram's, and is EINVAL on a listener; SIOCOUTQ what is charged for
// messages not yet received; SIOCATMARK whether a stream's next byte is the
// urgent one, or came behind it, and EOPNOTSUPP on the other types.
func (*commonOps) Ioctl(s *socket.Socket, cmd uint, arg any) error {
	u := of(s.Sk)
	switch cmd {
	case socket.FIONREAD, socket.SIOCOUTQ, socket.SIOCATMARK:
	default:
		return errno.ENOTTY
	}
	n, ok := arg.(*int)
	switch {
	case !ok:
		return errno.EFAULT
	case cmd == socket.SIOCOUTQ:
		*n = int(u.wmem.Load())
	case cmd == socket.SIOCATMARK && u.Type != socket.SOCK_STREAM:
		return errno.EOPNOTSUPP
	case cmd == socket.SIOCATMARK:
		*n = socket.BoolInt(u.atMark())
	case u.is(socket.TCP_LISTEN):
		return errno.EINVAL
	default:
		*n = u.readable()
	}
	return nil
}

// readable is Linux's unix_inq_len.
func (u *sock) readable() int {
	if u.connectionBased() {
		return int(u.q.bytes.Load())
	}
	u.q.recv.Lock()
	defer u.q.recv.Unlock()
	if m := u.q.peek(); m != nil {
		return len(m.data)
	}
	return 0
}

// SendMsg and RecvMsg are the protocol's.
func (*commonOps) SendMsg(s *socket.Socket, m *socket.Msghdr, flags int) (int, error) {
	return s.Sk.Prot.SendMsg(s.Sk, m, flags)
}

// RecvMsg implements socket.ProtoOps.
func (*commonOps) RecvMsg(s *socket.Socket, m *socket.Msghdr, flags int) (int, error) {
	return s.Sk.Prot.RecvMsg(s.Sk, m, flags)
}

// common is the part of the protocols that all types share. Linux's
// unix_dgram_proto and unix_stream_proto hold little more than names: the
// work is in the ops.
type common struct{ name string }

// Name implements socket.Proto.
func (p *common) Name() string { return p.name }

// Init implements socket.Proto.
func (*common) Init(*socket.Sock) error { return nil }

// State implements socket.Proto.
func (*common) State(sk *socket.Sock) socket.State { return of(sk).getState() }

// GetPort gives the Sock its name: Linux's unix_bind_bsd and
// unix_bind_abstract.
func (*common) GetPort(sk *socket.Sock, addr socket.Sockaddr) error {
	u := of(sk)
	a, err := parse(addr)
	if err != nil {
		return err
	}
	return u.table.bind(u, a)
}

// Disconnect implements socket.Proto: a stream cannot be dissolved.
func (*common) Disconnect(*socket.Sock) error { return errno.EINVAL }

// Shutdown tells the peer of a connection.
func (*common) Shutdown(sk *socket.Sock, how int) {
	u := of(sk)
	peer := u.peer.Load()
	if peer == nil || !u.connectionBased() {
		return
	}
	theirs := 0
	if how&socket.RCV_SHUTDOWN != 0 {
		theirs |= socket.SEND_SHUTDOWN
	}
	if how&socket.SEND_SHUTDOWN != 0 {
		theirs |= socket.RCV_SHUTDOWN
	}
	peer.AddShutdown(theirs)
	peer.Wake()
}

// GetName is described with socket.ProtoOps. A Sock without a name has the
// family alone, as has a peer's.
func (*common) GetName(sk *socket.Sock, which socket.NameOf) (socket.Sockaddr, error) {
	u := of(sk)
	if which != socket.LocalName {
		if u = u.peer.Load(); u == nil {
			return socket.Sockaddr{}, errno.ENOTCONN
		}
	}
	if a := u.addr.Load(); a != nil {
		return a.name, nil
	}
	return socket.SockaddrUnix(""), nil
}

// SockError implements socket.Proto.
func (*common) SockError(sk *socket.Sock) error { return sk.TakeErr() }

// PeerCred implements socket.PeerCredentialer: the peer's task as it was when
// it connected, listened, or made the pair.
func (*common) PeerCred(sk *socket.Sock) socket.Ucred {
	if c := of(sk).peerCred.Load(); c != nil {
		return *c
	}
	return socket.NoUcred
}

// BufferSizes implements socket.BufferSizer. What is received is charged to
// the sender; the receive buffer's size is only kept.
func (*common) BufferSizes(sk *socket.Sock) (receive, send int) {
	n := sk.Net.Memory().Datagram.Default
	return n, n
}

// Filters implements socket.Filterer. A stream's filter has no effect, as on
// Linux.
func (*common) Filters(*socket.Sock) bool { return true }

// Queued implements socket.Queuer.
func (*common) Queued(sk *socket.Sock) (receive, send int) {
	u := of(sk)
	return int(u.q.bytes.Load()), int(u.wmem.Load())
}

// SetSockOpt implements socket.Proto: there are no options of other levels.
func (*common) SetSockOpt(*socket.Sock, int, int, []byte) error { return errno.EOPNOTSUPP }

// GetSockOpt implements socket.Proto.
func (*common) GetSockOpt(*socket.Sock, int, int, []byte) (int, error) { return 0, errno.EOPNOTSUPP }

// Close is Linux's unix_release_sock. The peer of a connection can neither
// send nor receive more, and has ECONNRESET if the Sock did not receive all.
func (*common) Close(sk *socket.Sock, _ time.Duration) { of(sk).release(false) }

// release ends a Sock. embryo is one that was never accepted.
func (u *sock) release(embryo bool) {
	t := u.table
	t.mu.Lock()
	t.forget(u)
	u.AddShutdown(socket.SHUTDOWN_MASK)
	listening := u.getState() == socket.TCP_LISTEN
	u.setState(socket.TCP_CLOSE)
	peer := u.setPeer(nil)
	t.mu.Unlock()
	u.q.kill()
	u.peerWait.Notify(waiter.AllEvents)
	if peer != nil && u.connectionBased() {
		peer.AddShutdown(socket.SHUTDOWN_MASK)
		if embryo || u.q.unreceived() {
			peer.SetErr(errno.ECONNRESET)
		}
		peer.Wake()
	}
	u.purge(listening)
}

// purge throws out what the queue holds.
func (u *sock) purge(listening bool) {
	for {
		u.q.recv.Lock()
		m := u.q.pop()
		u.q.recv.Unlock()
		if m == nil {
			return
		}
		if listening && m.newsk != nil {
			m.newsk.release(true)
		}
		m.free()
	}
}
