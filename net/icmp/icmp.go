// Package icmp is the ping sockets of the inet families, (SOCK_DGRAM,
// IPPROTO_ICMP) and (SOCK_DGRAM, IPPROTO_ICMPV6): Linux's ping_prot and
// pingv6_prot (net/ipv4/ping.c, net/ipv6/ping.c), over gVisor's ICMP
// endpoints.
//
// A program sends an echo request with its header; the identifier is the
// socket's port, which the endpoint puts in, as it does the checksum. It
// receives the replies with that identifier, header and all. Linux lets only
// the groups of net.ipv4.ping_group_range do so; here every task may.
//
// What a datagram socket does is UDP's: the methods that are not here are
// those of package udp. Echo requests of other kinds (RFC 8335) are EINVAL.
package icmp

import (
	"io"

	"gvisor.dev/gvisor/pkg/tcpip"
	gicmp "gvisor.dev/gvisor/pkg/tcpip/transport/icmp"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/udp"
)

// Proto is ICMP of one of the families.
type Proto struct {
	udp.Proto
	name      string
	transport tcpip.TransportProtocolNumber
	echo      byte // the type of an echo request
}

// Prot and Prot6 are Linux's ping_prot and pingv6_prot.
var (
	Prot  = &Proto{name: "PING", transport: gicmp.ProtocolNumber4, echo: 8}
	Prot6 = &Proto{name: "PINGv6", transport: gicmp.ProtocolNumber6, echo: 128}
)

var (
	_ inet.EndpointProto = Prot
	_ socket.Ioctler     = Prot
)

// headerLen is an ICMP header's length in bytes, maxLen the longest message's.
const (
	headerLen = 8
	maxLen    = 0xffff
)

// Name implements socket.Proto.
func (p *Proto) Name() string { return p.name }

// Transport implements inet.EndpointProto.
func (p *Proto) Transport() tcpip.TransportProtocolNumber { return p.transport }

// NewEndpoint implements inet.EndpointMaker: it is gVisor's.
func (p *Proto) NewEndpoint(is *inet.Sock, network tcpip.NetworkProtocolNumber) (tcpip.Endpoint, tcpip.Error) {
	return is.Net.IP().NewEndpoint(p.transport, network, is.WQ)
}

// Filters implements socket.Filterer: gVisor's endpoint asks no filter.
func (*Proto) Filters(*socket.Sock) bool { return false }

// Connect is Linux's ip4_datagram_connect and ip6_datagram_connect_v6_only.
func (p *Proto) Connect(sk *socket.Sock, addr socket.Sockaddr) error {
	if addr.Len >= socket.SizeofSockaddrIn && int(addr.Family) != sk.Family {
		return errno.EAFNOSUPPORT
	}
	return p.Proto.Connect(sk, addr)
}

// SendMsg is Linux's ping_v4_sendmsg and ping_v6_sendmsg. The errors:
//
//	EMSGSIZE        longer than an IP packet
//	EINVAL          no header, not an echo request, a short address
//	EOPNOTSUPP      MSG_OOB
//	EAFNOSUPPORT    the address is of another family
//	EDESTADDRREQ    no destination and no peer
//	EACCES          a broadcast address, without SO_BROADCAST
func (p *Proto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	it := m.Iter()
	size := it.Len()
	var h [headerLen]byte
	switch {
	case size > maxLen:
		return 0, errno.EMSGSIZE
	case size < headerLen:
		return 0, errno.EINVAL
	case flags&socket.MSG_OOB != 0:
		return 0, errno.EOPNOTSUPP
	}
	io.ReadFull(it, h[:])
	if h[0] != p.echo || h[1] != 0 {
		return 0, errno.EINVAL
	}
	if !m.HasName || m.Name.Len == 0 {
		return p.Proto.SendMsg(sk, m, flags&^socket.MSG_MORE)
	}
	least := uint16(socket.SizeofSockaddrIn)
	if sk.Family == socket.AF_INET6 {
		least = socket.SizeofSockaddrIn6
	}
	switch {
	case m.Name.Len < least:
		return 0, errno.EINVAL
	case int(m.Name.Family) != sk.Family:
		return 0, errno.EAFNOSUPPORT
	}
	// UDP wants a port; an echo request has none.
	to := *m
	to.Name.Port = 1
	return p.Proto.SendMsg(sk, &to, flags&^socket.MSG_MORE)
}

// RecvMsg is Linux's ping_recvmsg, which knows no MSG_TRUNC. The errors are
// UDP's, and EOPNOTSUPP for MSG_OOB.
func (p *Proto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	if flags&socket.MSG_OOB != 0 {
		return 0, errno.EOPNOTSUPP
	}
	return p.Proto.RecvMsg(sk, m, flags&^socket.MSG_TRUNC)
}

// Ioctl implements socket.Ioctler: ping sockets have none of their own.
func (*Proto) Ioctl(*socket.Sock, uint, any) error { return errno.ENOTTY }

// SetSockOpt implements socket.Proto: all options are the family's.
func (*Proto) SetSockOpt(sk *socket.Sock, level, name int, val []byte) error {
	return inet.Of(sk).SetSockOpt(level, name, val)
}

// GetSockOpt implements socket.Proto.
func (*Proto) GetSockOpt(sk *socket.Sock, level, name int, val []byte) (int, error) {
	return inet.Of(sk).GetSockOpt(level, name, val)
}
