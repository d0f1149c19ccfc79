package udp

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// The longest payloads, in bytes: 64 KiB less the UDP header and, for IPv4
// whose length counts it, the IP header.
const (
	maxLen  = 0xffff
	maxLen4 = maxLen - 8 - 20
	maxLen6 = maxLen - 8
)

// SendMsg is Linux's udp_sendmsg and udpv6_sendmsg, with their checks in
// their order.
func (*Proto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	u := of(sk)
	if flags&socket.MSG_MORE == 0 && !u.corked.Load() && !u.pending.Load() {
		return transmit(sk, m, flags)
	}
	return sendCorked(sk, u, m, flags)
}

// sendCorked is SendMsg when the datagram has parts.
func sendCorked(sk *socket.Sock, u *sock, m *socket.Msghdr, flags int) (int, error) {
	is := inet.Of(sk)
	limit := maxLen4
	if is.Family == socket.AF_INET6 {
		limit = maxLen6
	}
	var to *socket.Sockaddr
	switch {
	case flags&socket.MSG_OOB != 0 && is.Family == socket.AF_INET:
		return 0, errno.EOPNOTSUPP
	case u.pending.Load():
	case m.HasName:
		if _, err := sendTo(is, m.Name); err != nil {
			return 0, err
		}
		to = &m.Name
	case sk.Prot.State(sk) != socket.TCP_ESTABLISHED:
		return 0, errno.EDESTADDRREQ
	}
	return u.cork(sk, m, to, flags&socket.MSG_MORE != 0 || u.corked.Load(), limit)
}

// transmit sends m as a datagram, or as several of UDP_SEGMENT's size.
func transmit(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	is := inet.Of(sk)
	it := m.Iter()
	size := it.Len()
	if err := ensureBound(is); err != nil {
		return 0, err
	}
	ep := is.Endpoint()
	switch {
	case size > maxLen:
		return 0, errno.EMSGSIZE
	case flags&socket.MSG_OOB != 0 && is.Family == socket.AF_INET:
		return 0, errno.EOPNOTSUPP // udpv6_sendmsg does not look
	case ep == nil:
		return 0, errno.EPIPE // closed meanwhile
	}
	own, _ := ep.Endpoint.(*endpoint)
	if own != nil && own.sendKnown(m, it) {
		return size, nil
	}
	var o output
	if err := o.prepare(is, m, size); err != nil {
		return 0, err
	}
	send := func() error { return o.write(is, ep, m.Iter()) }
	if own != nil {
		send = func() error { return own.send(m, &o) }
	}
	err := send()
	if err == errno.EAGAIN {
		err = sendWait(sk, flags, send)
	}
	if err != nil {
		return 0, err
	}
	return size, nil
}

// prepare checks where a message of size bytes goes, and reads its control
// messages.
func (o *output) prepare(is *inet.Sock, m *socket.Msghdr, size int) error {
	sk := &is.Sock
	o.segment, o.control.TOS = int(of(sk).segment.Load()), -1
	if len(m.Control) > 0 {
		var err error
		if o.control, err = is.ParseControl(m.Control); err != nil {
			return err
		}
		if o.control.Segment != 0 {
			o.segment = o.control.Segment
		}
	}
	limit := maxLen4
	if m.HasName && !(is.Family == socket.AF_INET6 && m.Name.Len >= sizeofFamily && m.Name.Family == socket.AF_UNSPEC) {
		dst, err := sendTo(is, m.Name)
		if err != nil {
			return err
		}
		if dst.Family == socket.AF_INET6 && !dst.IP().Is4In6() {
			limit = maxLen6
		}
		to := is.FullAddress(dst)
		o.to = &to
	} else if is.Family == socket.AF_INET6 {
		limit = maxLen6
	}
	switch {
	case o.to == nil && sk.Prot.State(sk) != socket.TCP_ESTABLISHED:
		return errno.EDESTADDRREQ
	case sk.Shutdown()&socket.SEND_SHUTDOWN != 0:
		if err := sk.Prot.SockError(sk); err != nil {
			return err // sock_alloc_send_pskb looks at it first
		}
		return errno.EPIPE
	case size > limit:
		return errno.EMSGSIZE
	case o.segment != 0 && size > o.segment*maxSegments:
		return errno.EINVAL
	}
	return nil
}

// write sends through an endpoint of gVisor's, a ping or raw socket's.
func (o *output) write(is *inet.Sock, ep *inet.Endpoint, it *socket.Iter) error {
	if o.control.TOS >= 0 {
		defer is.OverrideTOS(o.control.TOS)()
	}
	_, terr := ep.Write(it, tcpip.WriteOptions{To: o.to, ControlMessages: o.control.SendableControlMessages})
	return errno.FromTCPIP(terr)
}

// sizeofFamily is the least length of an address of which the family counts.
const sizeofFamily = 2

// sendTo checks the destination of a message. AF_INET takes AF_UNSPEC for
// itself; AF_INET6 takes it for no destination, before this.
func sendTo(is *inet.Sock, name socket.Sockaddr) (socket.Sockaddr, error) {
	if name.Family == socket.AF_UNSPEC && is.Family == socket.AF_INET {
		name.Family = socket.AF_INET
	}
	dst, err := destination(is, name)
	switch {
	case err == errno.EAFNOSUPPORT && is.Family == socket.AF_INET6:
		return dst, errno.EINVAL
	case err != nil:
		return dst, err
	case dst.Port == 0:
		return dst, errno.EINVAL
	}
	return dst, checkBroadcast(is, dst)
}

// sendWait waits for room if that is what a write wants, and tries again.
func sendWait(sk *socket.Sock, flags int, send func() error) (err error) {
	timeo := sk.SndTimeo(flags&socket.MSG_DONTWAIT != 0)
	if timeo == 0 {
		return errno.EAGAIN
	}
	werr := sk.Wait(waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, timeo, func() bool {
		err = send()
		return err != errno.EAGAIN
	})
	if werr != nil {
		return werr
	}
	return err
}

// ensureBound binds an unbound Sock before it sends (inet_send_prepare).
func ensureBound(is *inet.Sock) error {
	if ep := is.Endpoint(); ep != nil && !unboundState(ep) {
		return nil
	}
	is.Lock()
	defer is.Unlock()
	return is.Autobind()
}

// unboundState reports whether an endpoint has lost its port by a dissolve;
// other endpoints are kept only when bound.
func unboundState(ep *inet.Endpoint) bool {
	e, ok := ep.Endpoint.(*endpoint)
	return ok && e.at.Load().state == transport.DatagramEndpointStateInitial
}

// RecvMsg is Linux's udp_recvmsg.
func (*Proto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	if flags&socket.MSG_ERRQUEUE != 0 {
		return inet.Of(sk).RecvErr(m, flags)
	}
	is := inet.Of(sk)
	n, err := recvOnce(is, m, flags)
	if err != errno.EAGAIN {
		return n, err
	}
	timeo := sk.RcvTimeo(flags&socket.MSG_DONTWAIT != 0)
	if timeo == 0 {
		return 0, err
	}
	werr := sk.Wait(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, timeo, func() bool {
		n, err = recvOnce(is, m, flags)
		if err == errno.EAGAIN && sk.Shutdown()&socket.RCV_SHUTDOWN != 0 {
			// Only a receive that waits is told of the shutdown.
			n, err = 0, nil
		}
		return err != errno.EAGAIN
	})
	if werr != nil {
		return 0, werr
	}
	return n, err
}

// recvOnce takes the next datagram, or returns EAGAIN.
func recvOnce(is *inet.Sock, m *socket.Msghdr, flags int) (int, error) {
	ep := is.Endpoint()
	if ep == nil {
		return 0, errno.EAGAIN
	}
	if own, ok := ep.Endpoint.(*endpoint); ok {
		return own.recv(m, flags)
	}
	it := m.Iter()
	it.Truncate = true
	size := it.Len()
	res, terr := ep.Read(it, tcpip.ReadOptions{
		Peek:           flags&socket.MSG_PEEK != 0,
		NeedRemoteAddr: true,
	})
	if terr != nil {
		if _, ok := terr.(*tcpip.ErrWouldBlock); ok {
			return 0, errno.EAGAIN
		}
		if _, ok := terr.(*tcpip.ErrClosedForReceive); ok {
			return 0, errno.EBADF // closed meanwhile
		}
		return 0, errno.FromTCPIP(terr)
	}
	m.Name, m.HasName = is.ToSockaddr(res.RemoteAddr), true
	is.TellReceived(m, &res.ControlMessages)
	if is.Flag(socket.FlagRxqOvfl) {
		is.TellDrops(m, drops(ep))
	}
	if res.Total > size {
		m.Flags |= socket.MSG_TRUNC
		if flags&socket.MSG_TRUNC == 0 {
			return size, nil
		}
	}
	return res.Total, nil
}

// drops counts the datagrams for which there was no room.
func drops(ep *inet.Endpoint) uint32 {
	if st, ok := ep.Stats().(*tcpip.TransportEndpointStats); ok {
		return uint32(st.ReceiveErrors.ReceiveBufferOverflow.Value())
	}
	return 0
}
