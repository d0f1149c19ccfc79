package unix

import (
	"io"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// streamProto is SOCK_STREAM: Linux's unix_stream_proto.
type streamProto struct{ connProto }

// StreamProt is the protocol of SOCK_STREAM.
var StreamProt socket.Proto = &streamProto{connProto{common{"UNIX-STREAM"}}}

// SendMsg is Linux's unix_stream_sendmsg. What is long goes in pieces. The
// errors:
//
//	(any)         those of the control messages
//	EOPNOTSUPP    MSG_OOB of nothing; a destination while there is no peer
//	EISCONN       a destination
//	ENOTCONN      no peer
//	EPIPE         shut down, or the peer does not receive
//	EAGAIN        no room, and not to be waited for
func (*streamProto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	u := of(sk)
	scm, err := u.scmSend(m)
	if err != nil {
		return 0, err
	}
	sent, err := u.sendStream(m, &scm, flags)
	scm.Fp.Put()
	if sent > 0 {
		return sent, nil
	}
	return 0, err
}

func (u *sock) sendStream(m *socket.Msghdr, scm *socket.ScmCookie, flags int) (sent int, err error) {
	other := u.peer.Load()
	it := m.Iter()
	urgent := 0
	if flags&socket.MSG_OOB != 0 {
		urgent = 1 // the last byte
	}
	switch {
	case it.Len() < urgent:
		return 0, errno.EOPNOTSUPP
	case m.HasName && m.Name.Len > 0 && u.is(socket.TCP_ESTABLISHED):
		return 0, errno.EISCONN
	case m.HasName && m.Name.Len > 0:
		return 0, errno.EOPNOTSUPP
	case other == nil:
		return 0, errno.ENOTCONN
	case u.Shutdown()&socket.SEND_SHUTDOWN != 0:
		return 0, errno.EPIPE
	}
	timeo := u.SndTimeo(flags&socket.MSG_DONTWAIT != 0)
	for it.Len() > urgent {
		// Two pieces fit, so that one is received while one is sent.
		size := min(it.Len()-urgent, u.sndBuf()/2-64, streamMaxHead+streamMaxFrags)
		if err := u.sendPiece(other, it, size, scm, timeo, (*queue).push); err != nil {
			return sent, err
		}
		sent += size
	}
	if urgent > 0 {
		if err := u.sendPiece(other, it, urgent, scm, timeo, (*queue).pushUrgent); err != nil {
			return sent, err
		}
		sent += urgent
	}
	return sent, nil
}

// sendPiece sends the next size bytes in one message. scm's files go with the
// first.
func (u *sock) sendPiece(other *sock, it io.Reader, size int, scm *socket.ScmCookie, timeo time.Duration, push func(*queue, *message) bool) error {
	if err := u.waitForWmem(timeo); err != nil {
		return err
	}
	piece := u.newMessage(size, truesize(size, streamMaxHead))
	io.ReadFull(it, piece.data)
	piece.attach(scm)
	piece.addCred(u, other)
	if other.Shutdown()&socket.RCV_SHUTDOWN != 0 || !push(&other.q, piece) {
		piece.free()
		return errno.EPIPE
	}
	other.WQ.Notify(waiter.ReadableEvents | socket.POLLPRI)
	return nil
}

// waitForWmem waits until the Sock may send more, at most for timeo: the
// checks and the wait of Linux's sock_alloc_send_pskb.
func (u *sock) waitForWmem(timeo time.Duration) error {
	err := u.mayAlloc()
	if err != errno.EAGAIN || timeo == 0 {
		return err
	}
	werr := u.Wait(waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, timeo, func() bool {
		err = u.mayAlloc()
		return err != errno.EAGAIN
	})
	if werr != nil {
		return werr
	}
	return err
}

func (u *sock) mayAlloc() error {
	switch {
	case u.HasErr():
		return u.TakeErr()
	case u.Shutdown()&socket.SEND_SHUTDOWN != 0:
		return errno.EPIPE
	case u.wmem.Load() >= int64(u.sndBuf()):
		return errno.EAGAIN
	}
	return nil
}

// RecvMsg is Linux's unix_stream_recvmsg. It ends before data that came with
// files, and, with SO_PASSCRED, before another sender's; and at the urgent
// byte, which MSG_OOB alone receives but with SO_OOBINLINE. The errors:
//
//	EINVAL        not connected; MSG_OOB, and there is no urgent byte
//	ECONNRESET    the peer closed and had not received all; once
//	EAGAIN        nothing there, and not to be waited for
func (*streamProto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	u := of(sk)
	switch {
	case !u.is(socket.TCP_ESTABLISHED):
		return 0, errno.EINVAL
	case flags&socket.MSG_OOB != 0:
		return u.recvUrgent(m, flags)
	}
	r := streamRead{u: u, m: m, it: m.Iter(), flags: flags}
	r.target = r.it.Len()
	if flags&socket.MSG_WAITALL == 0 {
		r.target = min(r.target, u.RcvLowat())
	}
	r.target = max(r.target, 1)
	err := r.read(u.RcvTimeo(flags&socket.MSG_DONTWAIT != 0))
	u.scmRecv(m, &r.scm, flags)
	if r.copied > 0 {
		return r.copied, nil
	}
	return 0, err
}

// A streamRead is one receive from a stream.
type streamRead struct {
	u      *sock
	m      *socket.Msghdr
	it     *socket.Iter
	flags  int
	scm    socket.ScmCookie
	copied int
	target int      // how many bytes are waited for (sock_rcvlowat)
	begun  bool     // a message was looked at
	seen   uint64   // what queue.pushed was when drain looked
	passed *message // urgent bytes that nobody received, to be freed
}

// read copies until target bytes are there, and waits for them.
func (r *streamRead) read(timeo time.Duration) error {
	for {
		done, err := r.drain()
		r.freePassed()
		if done || timeo == 0 {
			return err
		}
		werr := r.u.Wait(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp|waiter.EventRdHUp, timeo, r.ready)
		if werr != nil {
			return werr
		}
	}
}

// ready reports whether drain has something to do.
func (r *streamRead) ready() bool {
	return r.u.q.pushed.Load() != r.seen || r.u.HasErr() || r.u.Shutdown()&socket.RCV_SHUTDOWN != 0
}

// drain copies what is there. done says that nothing that comes later belongs
// to this receive, or that it has enough; else the error is EAGAIN.
func (r *streamRead) drain() (done bool, err error) {
	q := &r.u.q
	q.recv.Lock()
	defer q.recv.Unlock()
	r.seen = q.pushed.Load()
	peek := r.flags&socket.MSG_PEEK != 0
	skip := 0
	if peek {
		skip = max(r.u.PeekOff(), 0)
	}
	for m := q.peek(); ; {
		if m != nil {
			if m = r.atUrgent(m); m == nil && r.copied > 0 {
				return true, nil
			}
		}
		for m != nil && skip >= m.unread() {
			skip -= m.unread()
			m = q.after(m)
		}
		if m == nil {
			break
		}
		if r.take(m, skip) || r.it.Len() == 0 {
			return true, nil
		}
		if !peek {
			m = q.peek()
			continue
		}
		skip = 0
		if m = q.after(m); m == nil {
			return true, nil // what is peeked at is not waited for
		}
	}
	switch {
	case r.copied >= r.target:
		return true, nil
	case r.u.HasErr():
		return true, r.u.TakeErr()
	case r.u.Shutdown()&socket.RCV_SHUTDOWN != 0:
		return true, nil
	}
	return false, errno.EAGAIN
}

// take copies from m, from skip bytes on, and reports whether the receive
// ends with it.
func (r *streamRead) take(m *message, skip int) (done bool) {
	passCred := r.u.Flag(socket.FlagPassCred)
	if r.begun && passCred && m.cred != r.scm.Cred {
		return true
	}
	if !r.begun {
		r.begun = true
		r.scm.Cred = m.cred
		r.m.Name, r.m.HasName = m.nameOf()
	}
	n := min(m.unread()-skip, r.it.Len())
	r.it.Write(m.data[m.off+skip : m.off+skip+n])
	r.copied += n
	q := &r.u.q
	if r.flags&socket.MSG_PEEK != 0 {
		r.u.MovePeekOff(n)
		if m.fp != nil {
			r.scm.Fp = m.dupFiles()
			return true
		}
		return false
	}
	q.consume(m, n)
	r.u.MovePeekOff(-n)
	withFiles := m.fp != nil
	if withFiles {
		r.scm.Fp = q.detach(m)
	}
	if m.unread() > 0 {
		return true
	}
	q.pop()
	m.free()
	return withFiles
}
