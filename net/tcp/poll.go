package tcp

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// Poll is Linux's tcp_poll.
func (*Proto) Poll(sk *socket.Sock) (mask socket.EventMask) {
	ep := inet.Of(sk).Endpoint()
	st := socket.TCP_CLOSE
	if ep != nil {
		st = state(ep)
		harvest(sk, ep)
	}
	if st == socket.TCP_LISTEN {
		return ep.Readiness(waiter.ReadableEvents)
	}
	shut := shutdownBits(sk, ep, st)
	if shut == socket.SHUTDOWN_MASK || st == socket.TCP_CLOSE {
		mask |= socket.POLLHUP
	}
	if shut&socket.RCV_SHUTDOWN != 0 {
		mask |= socket.POLLIN | socket.POLLRDNORM | socket.POLLRDHUP
	}
	if !st.In(socket.TCP_SYN_SENT, socket.TCP_SYN_RECV) {
		mask |= ready(sk, ep, st, shut)
	}
	if sk.HasErr() {
		mask |= socket.POLLERR
	}
	return mask
}

// ready returns what of reading and writing is possible. A Sock that is
// closed or shut for sending is writable: a write fails at once.
func ready(sk *socket.Sock, ep *inet.Endpoint, st socket.State, shut int) (mask socket.EventMask) {
	if ep != nil {
		more, urgent := of(sk).pollUrgent(ep)
		mask |= urgent
		if received(ep) >= sk.RcvLowat()+more {
			mask |= waiter.ReadableEvents
		}
	}
	if st == socket.TCP_CLOSE || shut&socket.SEND_SHUTDOWN != 0 {
		return mask | waiter.WritableEvents
	}
	if !of(sk).sendsSoon(ep, true) {
		return mask
	}
	return mask | ep.Readiness(waiter.WritableEvents)&waiter.WritableEvents
}

// received returns the bytes that can be read.
func received(ep *inet.Endpoint) int {
	n, terr := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	if terr != nil {
		return 0
	}
	return n
}

// shutdownBits returns the directions that are shut, by the program, by the
// peer's FIN, or because the connection is over (sk_shutdown).
func shutdownBits(sk *socket.Sock, ep *inet.Endpoint, st socket.State) int {
	shut := sk.Shutdown()
	switch st {
	case socket.TCP_CLOSE_WAIT, socket.TCP_LAST_ACK, socket.TCP_CLOSING, socket.TCP_TIME_WAIT:
		shut |= socket.RCV_SHUTDOWN
	case socket.TCP_CLOSE:
		if over(ep) {
			shut = socket.SHUTDOWN_MASK
		}
	}
	return shut
}

// over reports whether the endpoint had a connection, or an attempt at one,
// that has ended (tcp_done).
func over(ep *inet.Endpoint) bool {
	if ep == nil {
		return false
	}
	s := gtcp.EndpointState(ep.State())
	return s == gtcp.StateError || s == gtcp.StateClose
}

// harvest moves the error that ended a connection from the endpoint to the
// Sock, once. gVisor gives it to whoever asks first and keeps a second copy.
func harvest(sk *socket.Sock, ep *inet.Endpoint) {
	if !over(ep) || ep.Harvested.Swap(true) {
		return
	}
	if terr := ep.LastError(); terr != nil {
		sk.SetErr(errno.FromTCPIP(terr))
		ep.LastError()
	}
}

// SockError implements socket.Proto.
func (*Proto) SockError(sk *socket.Sock) error {
	if ep := inet.Of(sk).Endpoint(); ep != nil {
		harvest(sk, ep)
	}
	return sk.TakeErr()
}

// Queued implements socket.Queuer.
func (*Proto) Queued(sk *socket.Sock) (receive, send int) {
	ep := inet.Of(sk).Endpoint()
	if ep == nil || state(ep) == socket.TCP_LISTEN {
		return 0, 0
	}
	unacked, _ := sendQueue(ep)
	return received(ep), unacked
}

// Ioctl is Linux's tcp_ioctl.
func (*Proto) Ioctl(sk *socket.Sock, cmd uint, arg any) error {
	switch cmd {
	case socket.FIONREAD, socket.SIOCATMARK, socket.SIOCOUTQ, socket.SIOCOUTQNSD:
	default:
		return errno.ENOTTY
	}
	n, ok := arg.(*int)
	if !ok {
		return errno.EFAULT
	}
	*n = 0
	ep := inet.Of(sk).Endpoint()
	switch {
	case ep == nil:
		return nil
	case cmd == socket.SIOCATMARK:
		*n = socket.BoolInt(of(sk).atMark(ep, 0))
		return nil
	case state(ep) == socket.TCP_LISTEN:
		return errno.EINVAL
	}
	switch cmd {
	case socket.FIONREAD:
		*n = of(sk).inq(ep)
	case socket.SIOCOUTQ:
		*n, _ = sendQueue(ep)
	case socket.SIOCOUTQNSD:
		_, *n = sendQueue(ep)
	}
	return nil
}
