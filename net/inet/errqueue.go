package inet

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// An ErrQueuer is an endpoint that bounds its queue of errors: it is told of
// those that were taken.
type ErrQueuer interface{ ErrTaken(e *tcpip.SockError) }

// RecvErr takes the next error of the queue that IP_RECVERR and IPV6_RECVERR
// fill: Linux's ip_recv_error and ipv6_recv_error. The message's data is what
// could not be delivered, its name where that was to go, and a control
// message holds struct sock_extended_err and who complained. EAGAIN when the
// queue is empty; it is never waited for.
func (is *Sock) RecvErr(m *socket.Msghdr, flags int) (int, error) {
	ep := is.ep.Load()
	if ep == nil {
		return 0, errno.EAGAIN
	}
	e := ep.SocketOptions().DequeueErr()
	if e == nil {
		return 0, errno.EAGAIN
	}
	if q, ok := ep.Endpoint.(ErrQueuer); ok {
		q.ErrTaken(e)
	}
	if ep.SocketOptions().PeekErr() == nil {
		ep.LastError() // the pending error was this one (sock_dequeue_err_skb)
	}
	n := 0
	if e.Payload != nil {
		it := m.Iter()
		size := it.Len()
		n = e.Payload.Size()
		it.Truncate = true
		it.Write(e.Payload.AsSlice())
		e.Payload.Release()
		if n > size {
			m.Flags |= socket.MSG_TRUNC
			n = size
		}
	}
	m.Name, m.HasName = is.ToSockaddr(e.Dst), true
	m.Flags |= socket.MSG_ERRQUEUE
	level, typ := socket.SOL_IP, IP_RECVERR
	if is.Family == socket.AF_INET6 {
		level, typ = socket.SOL_IPV6, IPV6_RECVERR
	}
	m.PutCmsg(level, typ, is.extendedErr(e))
	return n, nil
}

// extendedErr is C's struct sock_extended_err and the offender's address
// (include/uapi/linux/errqueue.h).
func (is *Sock) extendedErr(e *tcpip.SockError) []byte {
	b := make([]byte, sizeofSockExtErr, sizeofSockExtErr+sizeofSockaddrIn6)
	if no, ok := errno.FromTCPIP(e.Err).(errno.Errno); ok {
		binary.NativeEndian.PutUint32(b, uint32(no))
	}
	b[4] = byte(e.Cause.Origin())
	b[5], b[6] = e.Cause.Type(), e.Cause.Code()
	binary.NativeEndian.PutUint32(b[8:], e.Cause.Info())
	// Of a stream only ports are told to be unreachable, which is what the
	// destination itself tells. What gVisor calls the offender is this machine.
	offender := tcpip.FullAddress{Addr: e.Dst.Addr, NIC: e.Dst.NIC}
	if is.Type == socket.SOCK_DGRAM {
		offender.Addr = e.Offender.Addr
	}
	if !e.Cause.Origin().IsICMPErr() {
		return append(b, make([]byte, is.sizeofName())...)
	}
	if offender.Addr.Len() == header.IPv4AddressSize || is.Family == socket.AF_INET6 {
		return is.ToSockaddr(offender).Append(b)
	}
	return b
}

func (is *Sock) sizeofName() int {
	if is.Family == socket.AF_INET6 {
		return sizeofSockaddrIn6
	}
	return socket.SizeofSockaddrIn
}

// ErrQueued reports whether an error waits to be taken.
func (is *Sock) ErrQueued() bool {
	if !is.Has(RecvErr | RecvErr6) {
		return false
	}
	ep := is.ep.Load()
	return ep != nil && ep.SocketOptions().PeekErr() != nil
}
