//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

// createScenarios are the matrix of families, types, protocols and flags.
func createScenarios() []scenario {
	var list []scenario
	types := []int{0, stream, dgram, socket.SOCK_RDM, socket.SOCK_SEQPACKET, 6, 7, 11, 15}
	protocols := []int{0, socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_RAW, 254, 263, 300, -1}
	for _, family := range []int{inet4, inet6} {
		for _, typ := range types {
			for _, protocol := range protocols {
				if typ == dgram && protocol == socket.IPPROTO_ICMP {
					continue // ping sockets have scenarios of their own, as Linux may not let them be made
				}
				list = append(list, create(family, typ, protocol))
			}
		}
	}
	for _, family := range []int{-1, 0, 27, 45, 46, 47, 1000} {
		for _, typ := range []int{stream, dgram, 11, -1} {
			list = append(list, create(family, typ, 0))
		}
	}
	for _, flags := range []int{
		socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0x10, 0x1000, 1 << 20, 1 << 30,
	} {
		list = append(list, create(inet4, stream|flags, 0), create(99, stream|flags, 0))
	}
	list = append(list, both("socketpair", func(r *run, family int) {
		for _, typ := range []int{stream, dgram, 11, stream | 0x10} {
			_, err := r.socketpair(family, typ, 0)
			r.outcome(fmt.Sprintf("socketpair type %#x", typ), err)
		}
	})...)
	return append(list, both("create/fresh", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			fd := r.Socket(family, typ, 0)
			r.SockName(fd)
			r.PeerName(fd)
			r.Poll(fd)
			r.FionRead(fd)
			for _, name := range []int{socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ERROR, socket.SO_ACCEPTCONN} {
				r.GetOpt(fd, socket.SOL_SOCKET, name, 4)
			}
			r.Close(fd)
		}
	})...)
}

func create(family, typ, protocol int) scenario {
	name := fmt.Sprintf("create/family %d type %#x protocol %d", family, typ, protocol)
	return scenario{name, func(r *run) { r.Socket(family, typ, protocol) }}
}
