package udp

import (
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
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
	switch {
	case size > maxLen:
		return 0, errno.EMSGSIZE
	case flags&socket.MSG_OOB != 0 && is.Family == socket.AF_INET:
		return 0, errno.EOPNOTSUPP // udpv6_sendmsg does not look
	}
	ep := is.Endpoint()
	if ep == nil {
		return 0, errno.EPIPE // closed meanwhile
	}
	var opts tcpip.WriteOptions
	segment, tos := int(of(sk).segment.Load()), -1
	if len(m.Control) > 0 {
		c, err := is.ParseControl(m.Control)
		if err != nil {
			return 0, err
		}
		opts.ControlMessages, tos = c.SendableControlMessages, c.TOS
		if c.Segment != 0 {
			segment = c.Segment
		}
	}
	limit := maxLen4
	if m.HasName && !(is.Family == socket.AF_INET6 && m.Name.Len >= sizeofFamily && m.Name.Family == socket.AF_UNSPEC) {
		dst, err := sendTo(is, m.Name)
		if err != nil {
			return 0, err
		}
		if dst.Family == socket.AF_INET6 && !dst.IP().Is4In6() {
			limit = maxLen6
		}
		to := addresses.Get().(*tcpip.FullAddress)
		defer addresses.Put(to)
		*to = is.FullAddress(dst)
		opts.To = to
	} else if is.Family == socket.AF_INET6 {
		limit = maxLen6
	}
	switch {
	case opts.To == nil && sk.Prot.State(sk) != socket.TCP_ESTABLISHED:
		return 0, errno.EDESTADDRREQ
	case sk.Shutdown()&socket.SEND_SHUTDOWN != 0:
		if err := sk.Prot.SockError(sk); err != nil {
			return 0, err // sock_alloc_send_pskb looks at it first
		}
		return 0, errno.EPIPE
	case size > limit:
		return 0, errno.EMSGSIZE
	}
	if segment != 0 && size > segment {
		return sendSegments(sk, ep, it, opts, segment)
	}
	restore := func() {}
	if tos >= 0 {
		restore = is.OverrideTOS(tos)
	}
	_, terr := ep.Write(it, opts)
	restore()
	if terr != nil {
		return sendFailed(sk, ep, m, opts, terr, flags)
	}
	return size, nil
}

// addresses keeps destinations: what goes through an interface cannot stay on
// the stack. gVisor is done with them when a write returns.
var addresses = sync.Pool{New: func() any { return new(tcpip.FullAddress) }}

// sendSegments cuts what is sent into datagrams of the given size, as
// UDP_SEGMENT asks; a device that cannot cut leaves it to this
// (udp_send_skb, udp_segment). EINVAL when there are too many.
func sendSegments(sk *socket.Sock, ep *inet.Endpoint, it *socket.Iter, opts tcpip.WriteOptions, segment int) (int, error) {
	size := it.Len()
	if size > segment*maxSegments {
		return 0, errno.EINVAL
	}
	b := make([]byte, segment)
	for sent := 0; sent < size; {
		n, _ := it.Read(b)
		var part socket.Msghdr
		part.SetBuffer(b[:n])
		if _, terr := ep.Write(part.Iter(), opts); terr != nil {
			if _, err := sendFailed(sk, ep, &part, opts, terr, 0); err != nil {
				return 0, err
			}
		}
		sent += n
	}
	return size, nil
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

// sendFailed waits for room if that is what a write wants, and tries again.
func sendFailed(sk *socket.Sock, ep *inet.Endpoint, m *socket.Msghdr, opts tcpip.WriteOptions, terr tcpip.Error, flags int) (int, error) {
	if _, full := terr.(*tcpip.ErrWouldBlock); !full {
		return 0, errno.FromTCPIP(terr)
	}
	timeo := sk.SndTimeo(flags&socket.MSG_DONTWAIT != 0)
	if timeo == 0 {
		return 0, errno.EAGAIN
	}
	err := sk.Wait(waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, timeo, func() bool {
		_, terr = ep.Write(m.Iter(), opts)
		_, full := terr.(*tcpip.ErrWouldBlock)
		return !full
	})
	switch {
	case err != nil:
		return 0, err
	case terr != nil:
		return 0, errno.FromTCPIP(terr)
	}
	return m.Len(), nil
}

// ensureBound binds an unbound Sock before it sends (inet_send_prepare).
func ensureBound(is *inet.Sock) error {
	if is.Endpoint() != nil {
		// Only bound endpoints are ever kept.
		return nil
	}
	is.Lock()
	defer is.Unlock()
	if is.Bound() {
		return nil
	}
	return is.Autobind()
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
	if is.Flag(socket.FlagRxqOvfl) {
		is.TellDrops(m, drops(ep))
	}
	is.TellReceived(m, &res.ControlMessages)
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
