package unix

import (
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// streamOps is Linux's unix_stream_ops and, as the two differ in their
// protocol alone here, unix_seqpacket_ops.
type streamOps struct{ commonOps }

// StreamOps and SeqpacketOps are the operations of SOCK_STREAM and
// SOCK_SEQPACKET.
var (
	StreamOps    socket.ProtoOps = &streamOps{}
	SeqpacketOps socket.ProtoOps = &streamOps{}
)

// connProto is what SOCK_STREAM and SOCK_SEQPACKET have in common.
type connProto struct{ common }

// Connect is Linux's unix_stream_connect: it is complete when it returns, and
// blocks only while the listener's queue is full. The errors:
//
//	EINVAL         no AF_UNIX address, or s listens
//	ENOENT         no such path
//	EPROTOTYPE     the path is another type's
//	ECONNREFUSED   nobody listens
//	EAGAIN         no room in the queue, and not to be waited for
//	EISCONN        connected already
func (*streamOps) Connect(s *socket.Socket, addr socket.Sockaddr, flags int) error {
	u := of(s.Sk)
	a, err := parse(addr)
	if err != nil {
		return err
	}
	if err := u.bindForCred(); err != nil {
		return err
	}
	newsk := newSock(s, u.Prot)
	other, err := u.connect(newsk, a)
	if err == errno.EAGAIN {
		if timeo := u.SndTimeo(flags&socket.O_NONBLOCK != 0); timeo > 0 {
			err = u.waitForPeer(other, timeo, func() (*sock, error) { return u.connect(newsk, a) })
		}
	}
	if err == nil {
		u.Lock()
		s.State = socket.SS_CONNECTED
		u.Unlock()
	}
	return err
}

// bindForCred binds a Sock that wants credentials, so that they can be
// answered.
func (u *sock) bindForCred() error {
	if u.Flag(socket.FlagPassCred) && u.addr.Load() == nil {
		return u.table.autobind(u)
	}
	return nil
}

// connect makes one attempt. With EAGAIN it returns the listener, whose queue
// is full.
func (u *sock) connect(newsk *sock, a *address) (*sock, error) {
	other, err := u.table.find(a, u.Type)
	if err != nil {
		return nil, err
	}
	t := u.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if !other.is(socket.TCP_LISTEN) || other.Shutdown()&socket.RCV_SHUTDOWN != 0 {
		return nil, errno.ECONNREFUSED
	}
	if other.q.full() {
		return other, errno.EAGAIN
	}
	switch u.getState() {
	case socket.TCP_CLOSE:
	case socket.TCP_ESTABLISHED:
		return nil, errno.EISCONN
	default:
		return nil, errno.EINVAL
	}
	newsk.accepted(u, other)
	u.setPeerCred(other.peerCred.Load())
	u.setPeer(newsk)
	u.setState(socket.TCP_ESTABLISHED)
	other.q.push(&message{newsk: newsk})
	other.WQ.Notify(waiter.ReadableEvents)
	return other, nil
}

// accepted makes newsk the listener's end of client's connection. Called with
// the table locked.
func (newsk *sock) accepted(client, listener *sock) {
	newsk.listener = listener
	newsk.setState(socket.TCP_ESTABLISHED)
	newsk.setPeer(client)
	newsk.setPeerCred(&client.task.Cred)
	newsk.task = listener.task
	newsk.addr.Store(listener.addr.Load())
	newsk.SetFlag(socket.FlagPassCred, listener.Flag(socket.FlagPassCred))
}

// Listen is Linux's unix_listen. EINVAL for a Sock without a name, or
// connected.
func (*streamOps) Listen(s *socket.Socket, backlog int) error {
	u := of(s.Sk)
	u.table.mu.Lock()
	if u.addr.Load() == nil || !u.getState().In(socket.TCP_CLOSE, socket.TCP_LISTEN) {
		u.table.mu.Unlock()
		return errno.EINVAL
	}
	more := int32(backlog) > u.q.backlog.Load()
	u.q.backlog.Store(int32(backlog))
	u.setState(socket.TCP_LISTEN)
	u.setPeerCred(&s.Task.Cred)
	u.table.mu.Unlock()
	if more {
		u.peerWait.Notify(waiter.AllEvents)
	}
	return nil
}

// Accept is Linux's unix_accept. EINVAL for a Sock that does not listen or was
// shut down; EAGAIN.
func (*streamOps) Accept(s, newsock *socket.Socket, flags int) error {
	u := of(s.Sk)
	if !u.is(socket.TCP_LISTEN) {
		return errno.EINVAL
	}
	if u.accept(newsock) {
		return nil
	}
	timeo := u.RcvTimeo(flags&socket.O_NONBLOCK != 0)
	if timeo == 0 {
		return errno.EAGAIN
	}
	over := false
	err := u.Wait(waiter.AllEvents, timeo, func() bool {
		if u.accept(newsock) {
			return true
		}
		over = u.Shutdown()&socket.RCV_SHUTDOWN != 0
		return over
	})
	if err == nil && over {
		return errno.EINVAL
	}
	return err
}

// accept takes the next connection if there is one.
func (u *sock) accept(newsock *socket.Socket) bool {
	u.q.recv.Lock()
	m := u.q.pop()
	u.q.recv.Unlock()
	if m == nil {
		return false
	}
	u.peerWait.Notify(waiter.AllEvents)
	newsock.Graft(&m.newsk.Sock)
	return true
}

// Connect implements socket.Proto for callers without a Socket: it never
// blocks and needs ops to make the other end, so it is EOPNOTSUPP.
func (*connProto) Connect(*socket.Sock, socket.Sockaddr) error { return errno.EOPNOTSUPP }

// Poll is Linux's unix_poll and, for SOCK_SEQPACKET, unix_dgram_poll.
func (*connProto) Poll(sk *socket.Sock) socket.EventMask {
	u := of(sk)
	mask := u.events()
	if u.is(socket.TCP_CLOSE) {
		mask |= socket.POLLHUP
	}
	if u.writable() {
		mask |= waiter.WritableEvents | socket.POLLWRBAND
	}
	if u.q.oob.Load() != nil {
		mask |= socket.POLLPRI
	}
	return mask
}

// events are those that every type has.
func (u *sock) events() (mask socket.EventMask) {
	shut := u.Shutdown()
	if u.HasErr() {
		mask |= socket.POLLERR
	}
	if shut == socket.SHUTDOWN_MASK {
		mask |= socket.POLLHUP
	}
	if shut&socket.RCV_SHUTDOWN != 0 {
		mask |= socket.POLLRDHUP | waiter.ReadableEvents
	}
	if u.q.count.Load() > 0 {
		mask |= waiter.ReadableEvents
	}
	return mask
}
