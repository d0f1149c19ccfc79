package unix

import (
	"io"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// dgramOps is Linux's unix_dgram_ops.
type dgramOps struct{ commonOps }

// DgramOps are the operations of SOCK_DGRAM.
var DgramOps socket.ProtoOps = &dgramOps{}

// dgramProto is SOCK_DGRAM: Linux's unix_dgram_proto.
type dgramProto struct{ common }

// DgramProt and SeqpacketProt are the protocols of SOCK_DGRAM and
// SOCK_SEQPACKET.
var (
	DgramProt     socket.Proto = &dgramProto{common{"UNIX"}}
	SeqpacketProt socket.Proto = &seqpacketProto{connProto{common{"UNIX"}}}
)

// sizeofFamilyOf is what an address needs at least for its family to count.
const sizeofFamilyOf = 2

// Connect is Linux's unix_dgram_connect: it sets the peer. AF_UNSPEC dissolves.
// The errors are EINVAL, ENOENT, ECONNREFUSED and EPROTOTYPE as with a stream,
// and EPERM when the other has a peer of its own.
func (*dgramOps) Connect(s *socket.Socket, addr socket.Sockaddr, _ int) error {
	switch {
	case addr.Len < sizeofFamilyOf:
		return errno.EINVAL
	case addr.Family == socket.AF_UNSPEC:
		return s.Sk.Prot.Disconnect(s.Sk)
	}
	return s.Sk.Prot.Connect(s.Sk, addr)
}

// Connect implements socket.Proto.
func (*dgramProto) Connect(sk *socket.Sock, addr socket.Sockaddr) error {
	u := of(sk)
	a, err := parse(addr)
	if err != nil {
		return err
	}
	if err := u.bindForCred(); err != nil {
		return err
	}
	other, err := u.table.find(a, u.Type)
	if err != nil {
		return err
	}
	t := u.table
	t.mu.Lock()
	if !u.maySend(other) {
		t.mu.Unlock()
		return errno.EPERM
	}
	u.setState(socket.TCP_ESTABLISHED)
	other.setState(socket.TCP_ESTABLISHED)
	old := u.setPeer(other)
	t.mu.Unlock()
	u.leftPeer(old, other)
	return nil
}

// Disconnect implements socket.Proto.
func (*dgramProto) Disconnect(sk *socket.Sock) error {
	u := of(sk)
	u.table.mu.Lock()
	old := u.setPeer(nil)
	if old != nil {
		u.setState(socket.TCP_CLOSE)
	}
	u.table.mu.Unlock()
	u.leftPeer(old, nil)
	return nil
}

// leftPeer ends what u and its old peer had: what waits is lost, and the
// other, if this was its peer, has ECONNRESET (unix_dgram_disconnected).
func (u *sock) leftPeer(old, peer *sock) {
	if old == nil || old == peer {
		return
	}
	if u.q.peek() != nil {
		u.purge(false)
		u.peerWait.Notify(waiter.AllEvents)
		if old.peer.Load() == u && !old.q.isDead() {
			old.SetErr(errno.ECONNRESET)
			old.Wake()
		}
	}
	u.table.mu.Lock()
	if old.peer.Load() == nil {
		old.setState(socket.TCP_CLOSE)
	}
	u.table.mu.Unlock()
	u.Wake()
}

// maySend reports whether other takes datagrams from u (unix_may_send).
func (u *sock) maySend(other *sock) bool {
	peer := other.peer.Load()
	return peer == nil || peer == u
}

// Poll is Linux's unix_dgram_poll.
func (*dgramProto) Poll(sk *socket.Sock) socket.EventMask {
	u := of(sk)
	mask := u.events()
	if !u.writable() {
		return mask
	}
	if other := u.peer.Load(); other != nil && other.peer.Load() != u && other.q.full() {
		return mask // relay tells when there is room
	}
	return mask | waiter.WritableEvents | socket.POLLWRBAND
}

// SendMsg is Linux's unix_dgram_sendmsg. The errors:
//
//	(any)           those of the control messages
//	EOPNOTSUPP      MSG_OOB
//	EINVAL          the destination is no AF_UNIX address
//	ENOTCONN        no destination and no peer
//	EMSGSIZE        longer than the send buffer
//	ENOENT, ECONNREFUSED, EPROTOTYPE   there is no such socket
//	ECONNREFUSED    the peer has gone
//	EPERM           the other has another peer
//	EPIPE           shut down, or the other does not receive
//	EAGAIN          no room here or there, and not to be waited for
func (*dgramProto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	return of(sk).sendDgram(m, m.HasName && m.Name.Len > 0, flags)
}

// sendDgram sends to m's destination if named, or to the peer.
func (u *sock) sendDgram(m *socket.Msghdr, named bool, flags int) (int, error) {
	scm, err := u.scmSend(m)
	if err != nil {
		return 0, err
	}
	defer func() { scm.Fp.Put() }()
	var to *address
	switch {
	case flags&socket.MSG_OOB != 0:
		return 0, errno.EOPNOTSUPP
	case named:
		if to, err = parse(m.Name); err != nil {
			return 0, err
		}
	}
	if err := u.bindForCred(); err != nil {
		return 0, err
	}
	it := m.Iter()
	size := it.Len()
	if size > u.sndBuf()-32 {
		return 0, errno.EMSGSIZE
	}
	timeo := u.SndTimeo(flags&socket.MSG_DONTWAIT != 0)
	if err := u.waitForWmem(timeo); err != nil {
		return 0, err
	}
	msg := u.newMessage(size, truesize(size, dgramMaxHead))
	io.ReadFull(it, msg.data)
	msg.attach(&scm)
	if err := u.deliver(msg, to, timeo); err != nil {
		msg.free()
		return 0, err
	}
	return size, nil
}

// deliver puts msg in the queue of the socket called to, or of the peer, and
// waits for room there, at most for timeo. On error msg stays the caller's.
func (u *sock) deliver(msg *message, to *address, timeo time.Duration) error {
	other, err := u.tryDeliver(msg, to)
	if err != errno.EAGAIN || timeo == 0 {
		return err
	}
	return u.waitForPeer(other, timeo, func() (*sock, error) { return u.tryDeliver(msg, to) })
}

// tryDeliver makes one attempt. With EAGAIN it returns the socket that has no
// room.
func (u *sock) tryDeliver(msg *message, to *address) (*sock, error) {
	other := u.peer.Load()
	if to != nil {
		var err error
		if other, err = u.table.find(to, u.Type); err != nil {
			return nil, err
		}
	}
	switch {
	case other == nil:
		return nil, errno.ENOTCONN
	case !msg.filter(other):
		msg.free()
		return nil, nil // the sender does not learn of it
	case !u.maySend(other):
		return nil, errno.EPERM
	case other.q.isDead():
		return nil, u.peerGone(other, to)
	case other.Shutdown()&socket.RCV_SHUTDOWN != 0:
		return nil, errno.EPIPE
	case other != u && other.peer.Load() != u && other.q.full():
		return other, errno.EAGAIN
	}
	msg.addCred(u, other)
	if !other.q.push(msg) {
		return nil, u.peerGone(other, to)
	}
	other.WQ.Notify(waiter.ReadableEvents)
	return other, nil
}

// filter cuts the message to what other's filter lets pass, and reports
// whether anything does.
func (m *message) filter(other *sock) bool {
	cut, ok := other.Passes(m.data)
	if ok {
		m.data = cut
	}
	return ok
}

// peerGone is what sending to a closed socket returns. A datagram socket has
// no peer after.
func (u *sock) peerGone(other *sock, to *address) error {
	switch {
	case u.Type == socket.SOCK_SEQPACKET:
		return errno.EPIPE
	case u.peer.Load() == other:
		DgramProt.Disconnect(&u.Sock)
		return errno.ECONNREFUSED
	case to == nil:
		return errno.ECONNRESET
	}
	return errno.ECONNREFUSED
}

// waitForPeer repeats attempt, which returned EAGAIN and other, until it
// returns something else, at most for timeo: Linux's unix_wait_for_peer.
func (u *sock) waitForPeer(other *sock, timeo time.Duration, attempt func() (*sock, error)) error {
	var deadline time.Time
	if timeo != socket.Forever {
		deadline = time.Now().Add(timeo)
	}
	for {
		var entry waiter.Entry
		entry.Init(relay{u}, socket.POLLOUT)
		other.peerWait.EventRegister(&entry)
		var next *sock
		var err error
		werr := u.Wait(waiter.WritableEvents, timeo, func() bool {
			next, err = attempt()
			return err != errno.EAGAIN || next != other
		})
		other.peerWait.EventUnregister(&entry)
		switch {
		case werr != nil:
			return werr
		case err != errno.EAGAIN:
			return err
		}
		other = next
		if !deadline.IsZero() {
			if timeo = time.Until(deadline); timeo <= 0 {
				return err
			}
		}
	}
}

// RecvMsg is Linux's unix_dgram_recvmsg. The errors are the pending one, once;
// EOPNOTSUPP for MSG_OOB; EAGAIN.
func (*dgramProto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	return of(sk).recvDgram(m, flags)
}

func (u *sock) recvDgram(m *socket.Msghdr, flags int) (int, error) {
	if flags&socket.MSG_OOB != 0 {
		return 0, errno.EOPNOTSUPP
	}
	n, err := u.recvOne(m, flags)
	timeo := u.RcvTimeo(flags&socket.MSG_DONTWAIT != 0)
	if err == errno.EAGAIN && timeo > 0 {
		werr := u.Wait(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp|waiter.EventRdHUp, timeo, func() bool {
			n, err = u.recvOne(m, flags)
			if err == errno.EAGAIN && u.Shutdown()&socket.RCV_SHUTDOWN != 0 {
				n, err = 0, nil
			}
			return err != errno.EAGAIN
		})
		if werr != nil {
			return 0, werr
		}
	}
	if err == errno.EAGAIN && u.Type == socket.SOCK_SEQPACKET && u.Shutdown()&socket.RCV_SHUTDOWN != 0 {
		return 0, nil // the end
	}
	return n, err
}

// recvOne takes the next datagram, or the pending error, or returns EAGAIN.
func (u *sock) recvOne(m *socket.Msghdr, flags int) (int, error) {
	if u.HasErr() {
		return 0, u.TakeErr()
	}
	q := &u.q
	q.recv.Lock()
	peek := flags&socket.MSG_PEEK != 0
	msg, skip := q.peek(), 0
	if peek {
		msg, skip = q.peekAt(u.PeekOff())
	}
	if msg == nil {
		q.recv.Unlock()
		return 0, errno.EAGAIN
	}
	m.Name, m.HasName = msg.nameOf()
	it := m.Iter()
	it.Truncate = true
	size, room := len(msg.data)-skip, it.Len()
	it.Write(msg.data[skip:])
	scm := socket.ScmCookie{Cred: msg.cred}
	if peek {
		u.MovePeekOff(min(size, room))
		scm.Fp = msg.dupFiles()
	} else {
		u.MovePeekOff(-size)
		scm.Fp = q.detach(msg)
		q.pop()
		msg.free()
	}
	q.recv.Unlock()
	if !peek {
		u.peerWait.Notify(waiter.AllEvents)
	}
	u.scmRecv(m, &scm, flags)
	if size > room {
		m.Flags |= socket.MSG_TRUNC
		if flags&socket.MSG_TRUNC == 0 {
			return room, nil
		}
	}
	return size, nil
}

// peekAt returns the message that a receive with MSG_PEEK at off looks at, and
// where in it; a negative off is the front. An empty one counts only when it
// is come to for the first time. The caller holds recv.
// (__skb_try_recv_from_queue)
func (q *queue) peekAt(off int) (m *message, skip int) {
	m = q.peek()
	if off < 0 {
		off = 0
	} else {
		for m != nil && off >= len(m.data) && (off > 0 || m.peeked) {
			off -= len(m.data)
			m = q.after(m)
		}
	}
	if m != nil && len(m.data) == 0 {
		m.peeked = true
	}
	return m, off
}

// seqpacketProto is SOCK_SEQPACKET: datagrams over a connection.
type seqpacketProto struct{ connProto }

// SendMsg is Linux's unix_seqpacket_sendmsg: the destination is ignored, and
// without a connection it is ENOTCONN. The other errors are a datagram's.
func (*seqpacketProto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	u := of(sk)
	if err := u.TakeErr(); err != nil {
		return 0, err
	}
	if !u.is(socket.TCP_ESTABLISHED) {
		return 0, errno.ENOTCONN
	}
	return u.sendDgram(m, false, flags)
}

// RecvMsg is Linux's unix_seqpacket_recvmsg.
func (*seqpacketProto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	u := of(sk)
	if !u.is(socket.TCP_ESTABLISHED) {
		return 0, errno.ENOTCONN
	}
	return u.recvDgram(m, flags)
}
