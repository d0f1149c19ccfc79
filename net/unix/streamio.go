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
//	EOPNOTSUPP    MSG_OOB without a byte; a destination while there is no peer
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
	switch {
	case flags&socket.MSG_OOB != 0 && m.Len() == 0:
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
	it := m.Iter()
	urgent := 0 // the last byte is, with MSG_OOB, and goes by itself
	if flags&socket.MSG_OOB != 0 {
		urgent = 1
	}
	for it.Len() > 0 {
		size, oob := it.Len()-urgent, false
		if size == 0 {
			size, oob = 1, true
		}
		// Two pieces fit, so that one is received while one is sent.
		size = min(size, u.sndBuf()/2-64, streamMaxHead+streamMaxFrags)
		if err := u.waitForWmem(timeo); err != nil {
			return sent, err
		}
		piece := u.newMessage(size, truesize(size, streamMaxHead))
		io.ReadFull(it, piece.data)
		piece.attach(scm)
		piece.addCred(u, other)
		if other.Shutdown()&socket.RCV_SHUTDOWN != 0 || !other.q.pushStream(piece, oob) {
			piece.free()
			return sent, errno.EPIPE
		}
		if oob {
			other.WQ.Notify(waiter.ReadableEvents | socket.POLLPRI)
		} else {
			other.WQ.Notify(waiter.ReadableEvents)
		}
		sent += size
	}
	return sent, nil
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
// files, with SO_PASSCRED before another sender's, and before the urgent byte.
// The errors:
//
//	EINVAL        not connected; MSG_OOB, and there is no urgent byte apart
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
	r := streamRead{u: u, m: m, it: m.Iter(), flags: flags, target: 1}
	if flags&socket.MSG_PEEK != 0 {
		r.skip = max(u.PeekOff(), 0)
	}
	if flags&socket.MSG_WAITALL != 0 {
		r.target = max(r.it.Len(), 1)
	}
	err := r.read(u.RcvTimeo(flags&socket.MSG_DONTWAIT != 0))
	r.freeDropped()
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
	target int      // how many bytes are waited for
	begun  bool     // a message was looked at
	skip   int      // how many bytes MSG_PEEK passes over
	peeked *message // the last message that MSG_PEEK copied or passed over

	// dropped are messages that are out of the queue, to be freed when no
	// lock is held.
	dropped *message
}

// read copies until target bytes are there, and waits for them.
func (r *streamRead) read(timeo time.Duration) error {
	for {
		done, err := r.drain()
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
	if r.peeked != nil {
		if r.u.q.after(r.peeked) != nil {
			return true
		}
	} else if r.u.q.count.Load() > 0 {
		return true
	}
	return r.u.HasErr() || r.u.Shutdown()&socket.RCV_SHUTDOWN != 0
}

// drain copies what is there. done says that nothing that comes later belongs
// to this receive, or that it has enough; else the error is EAGAIN.
func (r *streamRead) drain() (done bool, err error) {
	q := &r.u.q
	q.recv.Lock()
	defer q.recv.Unlock()
	for {
		m := q.peek()
		if r.peeked != nil {
			m = q.after(r.peeked)
		}
		if m != nil {
			m = r.passUrgent(m)
			if m == nil && r.copied > 0 {
				return true, nil
			}
		}
		if m == nil {
			break
		}
		if r.skip > 0 && r.skip >= m.left() {
			r.skip -= m.left()
			r.peeked = m
			continue
		}
		if r.take(m) || r.it.Len() == 0 {
			return true, nil
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

// take copies from m and reports whether the receive ends with it.
func (r *streamRead) take(m *message) (done bool) {
	passCred := r.u.Flag(socket.FlagPassCred)
	if r.begun && passCred && m.cred != r.scm.Cred {
		return true
	}
	if !r.begun {
		r.begun = true
		r.scm.Cred = m.cred
		r.m.Name, r.m.HasName = m.nameOf()
	}
	data := m.data[m.off+r.skip:]
	n := min(len(data), r.it.Len())
	r.it.Write(data[:n])
	r.copied += n
	r.skip = 0
	q := &r.u.q
	if r.flags&socket.MSG_PEEK != 0 {
		r.u.MovePeekOff(n)
		r.peeked = m
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
	if m.off < len(m.data) {
		return true
	}
	q.pop()
	m.free()
	return withFiles
}
