package inet

import (
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// streamOps is Linux's inet_stream_ops and inet6_stream_ops.
type streamOps struct{ commonOps }

// StreamOps and StreamOps6 are the operations of SOCK_STREAM.
var (
	StreamOps  socket.ProtoOps = &streamOps{commonOps{family: socket.AF_INET}}
	StreamOps6 socket.ProtoOps = &streamOps{commonOps{family: socket.AF_INET6}}
)

// Listen is Linux's inet_listen.
func (*streamOps) Listen(s *socket.Socket, backlog int) error {
	sk := s.Sk
	sk.Lock()
	defer sk.Unlock()
	l, ok := sk.Prot.(socket.Listener)
	if !ok || s.State != socket.SS_UNCONNECTED || s.Type != socket.SOCK_STREAM {
		return errno.EINVAL
	}
	if !sk.Prot.State(sk).In(socket.TCP_CLOSE, socket.TCP_LISTEN) {
		return errno.EINVAL
	}
	return l.Listen(sk, backlog)
}

// Accept is Linux's inet_accept and the wait of inet_csk_accept.
func (*streamOps) Accept(s, newsock *socket.Socket, flags int) error {
	sk := s.Sk
	l, ok := sk.Prot.(socket.Listener)
	if !ok {
		return errno.EOPNOTSUPP
	}
	child, err := l.Accept(sk)
	if err == errno.EAGAIN {
		timeo := sk.RcvTimeo(flags&socket.O_NONBLOCK != 0)
		if timeo == 0 {
			return err
		}
		werr := sk.Wait(waiter.ReadableEvents|waiter.EventHUp|waiter.EventErr, timeo, func() bool {
			child, err = l.Accept(sk)
			return err != errno.EAGAIN
		})
		if werr != nil {
			return werr
		}
	}
	if err != nil {
		return err
	}
	newsock.Graft(child)
	return nil
}

// Connect is Linux's inet_stream_connect: the state machine of a stream
// socket.
func (*streamOps) Connect(s *socket.Socket, addr socket.Sockaddr, flags int) error {
	if addr.Len < sizeofFamily {
		return errno.EINVAL
	}
	sk := s.Sk
	sk.Lock()
	defer sk.Unlock()
	if addr.Family == socket.AF_UNSPEC {
		Of(sk).CountDisconnect()
		err := sk.Prot.Disconnect(sk)
		s.State = socket.SS_UNCONNECTED
		if err != nil {
			s.State = socket.SS_DISCONNECTING
		}
		return err
	}
	// What a connect that is not waited for returns.
	var pending error
	switch s.State {
	case socket.SS_CONNECTED:
		return errno.EISCONN
	case socket.SS_CONNECTING:
		pending = errno.EALREADY
	case socket.SS_UNCONNECTED:
		if sk.Prot.State(sk) != socket.TCP_CLOSE {
			return errno.EISCONN
		}
		if err := sk.Prot.Connect(sk, addr); err != nil {
			return err
		}
		s.State = socket.SS_CONNECTING
		pending = errno.EINPROGRESS
	default:
		return errno.EINVAL
	}
	if err := waitForConnect(sk, flags, pending); err != nil {
		return err
	}
	return connected(s)
}

// waitForConnect is Linux's inet_wait_for_connect. It is called with the lock
// held, which it gives up meanwhile.
func waitForConnect(sk *socket.Sock, flags int, pending error) error {
	timeo := sk.SndTimeo(flags&socket.O_NONBLOCK != 0)
	// On Linux the answer to a connect that just began cannot come in before
	// the lock is released; here it may have.
	begun := pending == errno.EINPROGRESS
	if !connecting(sk) && !(begun && timeo == 0) {
		return nil
	}
	if timeo == 0 {
		return pending
	}
	is := Of(sk)
	disconnects := is.disconnects
	sk.Unlock()
	err := sk.Wait(waiter.AllEvents, timeo, func() bool { return !connecting(sk) })
	sk.Lock()
	switch {
	case err == errno.EAGAIN:
		return pending
	case err != nil:
		return err
	case disconnects != is.disconnects:
		return errno.EPIPE
	}
	return nil
}

func connecting(sk *socket.Sock) bool {
	return sk.Prot.State(sk).In(socket.TCP_SYN_SENT, socket.TCP_SYN_RECV)
}

// connected ends a connect: in SS_CONNECTED, or with the error that the
// attempt had, and ready for another. Locked.
func connected(s *socket.Socket) error {
	sk := s.Sk
	if sk.Prot.State(sk) != socket.TCP_CLOSE {
		s.State = socket.SS_CONNECTED
		return nil
	}
	err := sk.Prot.SockError(sk)
	if err == nil {
		err = errno.ECONNABORTED
	}
	s.State = socket.SS_UNCONNECTED
	Of(sk).CountDisconnect()
	if sk.Prot.Disconnect(sk) != nil {
		s.State = socket.SS_DISCONNECTING
	}
	return err
}
