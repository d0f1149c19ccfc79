//go:build linux

package oracle

import (
	"fmt"
	"strings"

	"github.com/tamanet/tamanet/net/socket"
)

func dgramScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("dgram/"+name, f)...)
	}
	add("send and receive", func(r *run, family int) {
		a, addrA := r.bound(family, dgram)
		b, addrB := r.bound(family, dgram)
		r.SendTo(a, "hello", 0, addrB)
		r.Recv(b, 10, 0)
		r.SendTo(b, "world", 0, addrA)
		r.RecvMsg(a, 0, 2, 8)
	})
	add("autobind", func(r *run, family int) {
		_, a := r.bound(family, dgram)
		fd := r.open(family, dgram)
		r.SendTo(fd, "x", 0, a)
		r.SockName(fd)
		r.Bind(fd, lo(family, 0))
	})
	add("no destination", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.Send(fd, "x", 0)
		r.SockName(fd)
		r.Send(fd, "", 0)
	})
	for _, n := range []uint16{0, 1, 2, 8, 15, 16, 23, 24, 28} {
		add(fmt.Sprintf("destination length %d", n), func(r *run, family int) {
			_, a := r.bound(family, dgram)
			fd := r.open(family, dgram)
			r.SendTo(fd, "x", 0, cut(a, n))
		})
	}
	for _, c := range []struct {
		name string
		addr func(family int) socket.Sockaddr
	}{
		{"other family", func(f int) socket.Sockaddr { return lo(inet4+inet6-f, 9) }},
		{"unknown family", func(f int) socket.Sockaddr { a := lo(f, 9); a.Family = 77; return a }},
		{"unspec family", func(f int) socket.Sockaddr { a := lo(f, 9); a.Family = 0; return a }},
		{"port zero", func(f int) socket.Sockaddr { return lo(f, 0) }},
		{"no route", func(f int) socket.Sockaddr {
			return map[int]socket.Sockaddr{inet4: at("203.0.113.1", 9), inet6: at("2001:db8::1", 9)}[f]
		}},
		{"broadcast", func(f int) socket.Sockaddr { return at("127.255.255.255", 9) }},
	} {
		add("to "+c.name, func(r *run, family int) {
			r.SendTo(r.open(family, dgram), "x", 0, c.addr(family))
		})
	}
	add("sizes", func(r *run, family int) {
		a, b := r.peers(family)
		for _, n := range []int{0, 1, 1472, 8192, 65507, 65508, 65527, 65528, 65535, 65536, 100000} {
			k, err := r.send(a, []byte(strings.Repeat("x", n)), 0)
			r.outcome(fmt.Sprintf("send %d", n), err, k)
			if err == nil {
				r.Recv(b, 1<<17, 0)
			}
		}
	})
	add("truncated", func(r *run, family int) {
		a, b := r.peers(family)
		for range 4 {
			r.Send(a, "0123456789", 0)
		}
		r.Recv(b, 4, 0)
		r.RecvMsg(b, 0, 4)
		r.RecvMsg(b, socket.MSG_TRUNC, 2, 2)
		r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_TRUNC, 4)
		r.Recv(b, 0, 0)
		r.Recv(b, 1, socket.MSG_DONTWAIT)
	})
	add("peek", func(r *run, family int) {
		a, b := r.peers(family)
		r.Send(a, "one", 0)
		r.Send(a, "two", 0)
		r.Recv(b, 10, socket.MSG_PEEK)
		r.FionRead(b)
		r.Recv(b, 10, 0)
		r.Recv(b, 10, 0)
		r.Recv(b, 10, socket.MSG_PEEK|socket.MSG_DONTWAIT)
		r.FionRead(b)
	})
	add("empty datagram", func(r *run, family int) {
		a, b := r.peers(family)
		r.Send(a, "", 0)
		r.Poll(b)
		r.FionRead(b)
		r.Recv(b, 10, 0)
		r.Poll(b)
	})
	add("dontwait and timeout", func(r *run, family int) {
		fd, _ := r.bound(family, dgram)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.receiveTimeout(fd, 20)
		r.Recv(fd, 1, 0)
		must(r, 0, r.setnonblock(fd, true))
		r.Recv(fd, 1, 0)
	})
	add("receive unbound", func(r *run, family int) {
		fd := r.open(family, dgram)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.SockName(fd)
	})
	add("connected filters", func(r *run, family int) {
		a, addrA := r.bound(family, dgram)
		b, addrB := r.bound(family, dgram)
		c, _ := r.bound(family, dgram)
		r.Connect(a, addrB)
		r.SendTo(c, "stranger", 0, addrA)
		r.SendTo(b, "friend", 0, addrA)
		r.Recv(a, 20, 0)
		r.Recv(a, 20, socket.MSG_DONTWAIT)
		r.SendTo(a, "elsewhere", 0, addrB)
		r.Recv(b, 20, 0)
	})
	add("connected and sendto", func(r *run, family int) {
		a, _ := r.peers(family)
		c, addrC := r.bound(family, dgram)
		r.SendTo(a, "elsewhere", 0, addrC)
		r.Recv(c, 20, 0)
		r.PeerName(a)
	})
	add("urgent", func(r *run, family int) {
		a, b := r.peers(family)
		r.Send(a, "x", socket.MSG_OOB)
		r.Recv(b, 1, socket.MSG_OOB|socket.MSG_DONTWAIT)
	})
	add("error queue empty", func(r *run, family int) {
		a, _ := r.peers(family)
		r.Recv(a, 1, socket.MSG_ERRQUEUE)
	})
	add("to itself", func(r *run, family int) {
		fd, a := r.bound(family, dgram)
		r.SendTo(fd, "me", 0, a)
		r.Recv(fd, 10, 0)
		r.Connect(fd, a)
		r.Send(fd, "me again", 0)
		r.Recv(fd, 10, 0)
	})
	add("to the unspecified address", func(r *run, family int) {
		b := r.open(family, dgram)
		r.Bind(b, wildcard(family, 0))
		a := r.SockName(b)
		fd := r.open(family, dgram)
		r.SendTo(fd, "x", 0, wildcard(family, a.Port))
		r.Recv(b, 10, 0)
	})
	add("scatter and gather", func(r *run, family int) {
		a, b := r.peers(family)
		r.SendMsg(a, 0, "ab", "", "cde")
		r.RecvMsg(b, 0, 1, 0, 1, 10)
		r.SendMsg(a, 0)
		r.RecvMsg(b, 0, 4)
	})
	list = append(list, scenario{"dgram/inet6 receives inet", func(r *run) {
		b := r.open(inet6, dgram)
		r.Bind(b, wildcard(inet6, 0))
		a := r.SockName(b)
		fd := r.open(inet4, dgram)
		r.SendTo(fd, "four", 0, lo(inet4, a.Port))
		r.Recv(b, 10, 0)
	}}, scenario{"dgram/inet6 sends to inet", func(r *run) {
		b, a := r.bound(inet4, dgram)
		fd := r.open(inet6, dgram)
		r.SendTo(fd, "mapped", 0, socket.SockaddrInet6(a.IP().As16(), a.Port, 0))
		r.SendTo(fd, "plain", 0, a)
		r.Recv(b, 10, 0)
		r.Recv(b, 10, 0)
	}})
	return list
}
