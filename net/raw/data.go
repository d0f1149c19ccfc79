package raw

import (
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// sizeofIPHdr is an IPv4 header's length in bytes without options, maxLen the
// longest packet's.
const (
	sizeofIPHdr = 20
	maxLen      = 0xffff
)

// passes reports whether the filters let the packet pass. A program of
// SO_ATTACH_FILTER drops packets, but does not cut them.
func (r *sock) passes(pkt *stack.PacketBuffer) bool {
	if !r.typePasses(pkt) {
		return false
	}
	if !r.is.HasFilter() {
		return true
	}
	var b []byte
	if r.is.Family == socket.AF_INET {
		b = append(b, pkt.NetworkHeader().Slice()...)
	}
	b = append(b, pkt.TransportHeader().Slice()...)
	b = append(b, pkt.Data().AsRange().ToSlice()...)
	_, ok := r.is.Passes(b)
	return ok
}

// typePasses is Linux's icmp_filter: types from 32 on always pass. That of
// ICMPv6 is the endpoint's.
func (r *sock) typePasses(pkt *stack.PacketBuffer) bool {
	filter := r.filter4.Load()
	if filter == 0 || r.is.Protocol != socket.IPPROTO_ICMP {
		return true
	}
	h := pkt.TransportHeader().Slice()
	if len(h) == 0 {
		if b, ok := pkt.Data().PullUp(1); ok {
			h = b
		}
	}
	return len(h) > 0 && (h[0] >= 32 || filter&(1<<h[0]) == 0)
}

// SendMsg is Linux's raw_sendmsg and rawv6_sendmsg. The errors:
//
//	EMSGSIZE        longer than an IP packet, or with IP_HDRINCL than the MTU
//	EOPNOTSUPP      MSG_OOB
//	EINVAL          a short address; half a header with IP_HDRINCL; a port in
//	                an AF_INET6 address that is another protocol
//	EAFNOSUPPORT    the address is of another family
//	EDESTADDRREQ    no destination and no peer
//	EACCES          a broadcast address, without SO_BROADCAST
func (p *Proto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	is := inet.Of(sk)
	size := m.Len()
	switch {
	case size > maxLen:
		return 0, errno.EMSGSIZE
	case flags&socket.MSG_OOB != 0:
		return 0, errno.EOPNOTSUPP
	}
	to := *m
	if m.HasName && m.Name.Len != 0 {
		if err := checkName(sk, &to.Name); err != nil {
			return 0, err
		}
		to.Name.Port = 1 // UDP wants one; a packet has none
	} else {
		to.HasName = false
		if p.State(sk) != socket.TCP_ESTABLISHED {
			return 0, errno.EDESTADDRREQ
		}
	}
	ep := is.Endpoint()
	if ep == nil {
		return 0, errno.EPIPE // closed meanwhile
	}
	hdrincl := is.Has(inet.HdrIncl)
	if hdrincl && sk.Family == socket.AF_INET && size < sizeofIPHdr {
		return 0, errno.EINVAL
	}
	ep.SocketOptions().SetHeaderIncluded(hdrincl)
	return p.Proto.SendMsg(sk, &to, flags&^socket.MSG_MORE)
}

// checkName checks a destination.
func checkName(sk *socket.Sock, name *socket.Sockaddr) error {
	if sk.Family == socket.AF_INET {
		switch {
		case name.Len < socket.SizeofSockaddrIn:
			return errno.EINVAL
		case name.Family != socket.AF_INET && name.Family != socket.AF_UNSPEC:
			return errno.EAFNOSUPPORT
		}
		name.Family = socket.AF_INET
		return nil
	}
	switch {
	case name.Len < sizeofSockaddrIn6Old:
		return errno.EINVAL
	case name.Family != socket.AF_INET6 && name.Family != socket.AF_UNSPEC:
		return errno.EAFNOSUPPORT
	case name.Port != 0 && int(name.Port) != sk.Protocol && sk.Protocol != socket.IPPROTO_RAW:
		return errno.EINVAL
	case name.Port > 255:
		return errno.EINVAL
	}
	name.Family = socket.AF_INET6
	return nil
}

// RecvMsg is Linux's raw_recvmsg and rawv6_recvmsg. The errors are UDP's, and
// EOPNOTSUPP for MSG_OOB.
func (p *Proto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	if flags&socket.MSG_OOB != 0 {
		return 0, errno.EOPNOTSUPP
	}
	n, err := p.Proto.RecvMsg(sk, m, flags)
	if flags&socket.MSG_ERRQUEUE == 0 {
		m.Name.Port = 0
	}
	return n, err
}

// Ioctl is Linux's raw_ioctl: FIONREAD tells the next packet's length.
func (p *Proto) Ioctl(sk *socket.Sock, cmd uint, arg any) error {
	if cmd == socket.SIOCOUTQ {
		n, ok := arg.(*int)
		if !ok {
			return errno.EFAULT
		}
		*n = 0 // the stack has taken all
		return nil
	}
	return p.Proto.Ioctl(sk, cmd, arg)
}
