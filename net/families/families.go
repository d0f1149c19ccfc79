// Package families registers the address families that tamanet has, each with
// its protocols, in one table: what Linux's inet_init, inet6_init and their
// like do at boot.
package families

import (
	"errors"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/icmp"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/raw"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
	"github.com/tamanet/tamanet/net/udp"
	"github.com/tamanet/tamanet/net/unix"
)

// Register registers every family that is not registered yet.
func Register() error {
	for _, register := range table {
		if err := register(); err != nil && !errors.Is(err, errno.EEXIST) {
			return err
		}
	}
	return nil
}

var table = []func() error{
	func() error { return inet.Register(InetSW()) },
	func() error { return inet.Register6(InetSW6()) },
	unix.Register,
	packet.Register,
}

// InetSW returns a fresh copy of AF_INET's switch: Linux's inetsw_array
// (net/ipv4/af_inet.c).
func InetSW() []*inet.ProtoSW {
	return []*inet.ProtoSW{
		{
			Type:     socket.SOCK_STREAM,
			Protocol: socket.IPPROTO_TCP,
			Prot:     tcp.Prot,
			Ops:      inet.StreamOps,
			Flags:    inet.INET_PROTOSW_PERMANENT | inet.INET_PROTOSW_ICSK,
		},
		{
			Type:     socket.SOCK_DGRAM,
			Protocol: socket.IPPROTO_UDP,
			Prot:     udp.Prot,
			Ops:      inet.DgramOps,
			Flags:    inet.INET_PROTOSW_PERMANENT,
		},
		{
			Type:     socket.SOCK_DGRAM,
			Protocol: socket.IPPROTO_ICMP,
			Prot:     icmp.Prot,
			Ops:      inet.DgramOps,
			Flags:    inet.INET_PROTOSW_REUSE,
		},
		{
			Type:     socket.SOCK_RAW,
			Protocol: socket.IPPROTO_IP, // a wildcard
			Prot:     raw.Prot,
			Ops:      inet.DgramOps,
			Flags:    inet.INET_PROTOSW_REUSE,
		},
	}
}

// InetSW6 returns a fresh copy of AF_INET6's switch: Linux's tcpv6_protosw
// and its like (net/ipv6).
func InetSW6() []*inet.ProtoSW {
	return []*inet.ProtoSW{
		{
			Type:     socket.SOCK_STREAM,
			Protocol: socket.IPPROTO_TCP,
			Prot:     tcp.Prot,
			Ops:      inet.StreamOps6,
			Flags:    inet.INET_PROTOSW_PERMANENT | inet.INET_PROTOSW_ICSK,
		},
		{
			Type:     socket.SOCK_DGRAM,
			Protocol: socket.IPPROTO_UDP,
			Prot:     udp.Prot,
			Ops:      inet.DgramOps6,
			Flags:    inet.INET_PROTOSW_PERMANENT,
		},
		{
			Type:     socket.SOCK_DGRAM,
			Protocol: socket.IPPROTO_ICMPV6,
			Prot:     icmp.Prot6,
			Ops:      inet.DgramOps6,
			Flags:    inet.INET_PROTOSW_REUSE,
		},
		{
			Type:     socket.SOCK_RAW,
			Protocol: socket.IPPROTO_IP, // a wildcard
			Prot:     raw.Prot,
			Ops:      inet.DgramOps6,
			Flags:    inet.INET_PROTOSW_REUSE,
		},
	}
}
