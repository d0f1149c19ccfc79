//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

func connectScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("connect/"+name, f)...)
	}
	add("blocking", func(r *run, family int) {
		l, a := r.listener(family)
		fd := r.open(family, stream)
		r.Connect(fd, a)
		r.PeerName(fd)
		r.SockName(fd)
		r.Poll(fd)
		r.Connect(fd, a)
		r.SockErr(fd)
		r.await(l, socket.POLLIN)
		r.Poll(l)
	})
	add("refused", func(r *run, family int) {
		a := r.freePort(family, stream)
		fd := r.open(family, stream)
		r.Connect(fd, a)
		r.SockErr(fd)
		r.Poll(fd)
		r.PeerName(fd)
		r.Connect(fd, a)
	})
	add("refused then accepted", func(r *run, family int) {
		a := r.freePort(family, stream)
		fd := r.open(family, stream)
		r.Connect(fd, a)
		_, b := r.listener(family)
		r.Connect(fd, b)
		r.PeerName(fd)
	})
	add("refused nonblocking", func(r *run, family int) {
		a := r.freePort(family, stream)
		fd := r.open(family, stream)
		must(r, 0, r.setnonblock(fd, true))
		r.Connect(fd, a)
		r.Poll(fd)
		r.SockErr(fd)
		r.SockErr(fd)
		r.Poll(fd)
		r.Connect(fd, a)
	})
	add("refused nonblocking and connected again", func(r *run, family int) {
		a := r.freePort(family, stream)
		fd := r.open(family, stream)
		must(r, 0, r.setnonblock(fd, true))
		r.Connect(fd, a)
		r.await(fd, socket.POLLERR)
		r.Connect(fd, a)
		r.Connect(fd, a)
	})
	add("nonblocking", func(r *run, family int) {
		_, a := r.listener(family)
		fd := r.open(family, stream)
		must(r, 0, r.setnonblock(fd, true))
		r.Connect(fd, a)
		r.await(fd, socket.POLLOUT)
		r.SockErr(fd)
		r.Connect(fd, a)
		r.Connect(fd, a)
		r.PeerName(fd)
	})
	for _, n := range []uint16{0, 1, 2, 8, 15, 16, 23, 24} {
		add(fmt.Sprintf("length %d", n), func(r *run, family int) {
			_, a := r.listener(family)
			fd := r.open(family, stream)
			r.Connect(fd, cut(a, n))
			u := r.open(family, dgram)
			r.Connect(u, cut(a, n))
		})
	}
	for _, c := range []struct {
		name string
		addr func(family int) socket.Sockaddr
	}{
		{"other family", func(f int) socket.Sockaddr { return lo(inet4+inet6-f, 9) }},
		{"unknown family", func(f int) socket.Sockaddr { a := lo(f, 9); a.Family = 77; return a }},
		{"no route", func(f int) socket.Sockaddr {
			return map[int]socket.Sockaddr{inet4: at("203.0.113.1", 9), inet6: at("2001:db8::1", 9)}[f]
		}},
		{"multicast", func(f int) socket.Sockaddr {
			return map[int]socket.Sockaddr{inet4: at("224.0.0.1", 9), inet6: at("ff02::1", 9)}[f]
		}},
		{"broadcast", func(f int) socket.Sockaddr { return at("255.255.255.255", 9) }},
		{"link local without scope", func(int) socket.Sockaddr { return at("fe80::1", 9) }},
		{"port zero", func(f int) socket.Sockaddr { return lo(f, 0) }},
	} {
		add(c.name, func(r *run, family int) {
			fd := r.open(family, stream)
			r.Connect(fd, c.addr(family))
			r.Poll(fd)
			r.SockErr(fd)
		})
		add(c.name+" dgram", func(r *run, family int) {
			fd := r.open(family, dgram)
			r.Connect(fd, c.addr(family))
			r.PeerName(fd)
		})
	}
	add("any address", func(r *run, family int) {
		_, a := r.listener(family)
		fd := r.open(family, stream)
		r.Connect(fd, wildcard(family, a.Port))
		r.PeerName(fd)
	})
	add("dissolve", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Connect(client, unspec)
		r.Poll(client)
		r.SockName(client)
		r.PeerName(client)
		r.SockErr(client)
		r.SockErr(client)
		r.Poll(client)
		r.Recv(client, 1, socket.MSG_DONTWAIT)
		r.Send(client, "x", 0)
		r.Poll(server)
		r.SockErr(server)
	})
	add("dissolve and connect again", func(r *run, family int) {
		client, _, l := r.connected(family)
		r.Connect(client, unspec)
		a, err := r.getsockname(l)
		r.Connect(client, must(r, a, err))
		r.SockErr(client)
		r.PeerName(client)
		r.Send(client, "x", 0)
		r.await(l, socket.POLLIN)
		server := r.Accept(l, 0)
		r.Recv(server, 10, 0)
	})
	add("dissolve unconnected", func(r *run, family int) {
		fd := r.open(family, stream)
		r.Connect(fd, unspec)
		r.SockErr(fd)
		b, _ := r.bound(family, stream)
		r.Connect(b, unspec)
		r.SockName(b)
	})
	add("dissolve a listener", func(r *run, family int) {
		fd, a := r.listener(family)
		r.Connect(fd, unspec)
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
		other := r.open(family, stream)
		r.Connect(other, a)
	})
	add("dissolve bound", func(r *run, family int) {
		_, a := r.listener(family)
		own := r.freePort(family, stream)
		fd := r.open(family, stream)
		r.Bind(fd, own)
		r.Connect(fd, a)
		r.Connect(fd, unspec)
		r.SockName(fd)
	})
	add("after server closed listener", func(r *run, family int) {
		client, _, l := r.connected(family)
		r.Close(l)
		r.PeerName(client)
		r.Poll(client)
	})
	list = append(list, scenario{"connect/mapped", func(r *run) {
		l, a := r.listener(inet4)
		fd := r.open(inet6, stream)
		r.Connect(fd, socket.SockaddrInet6(a.IP().As16(), a.Port, 0))
		r.PeerName(fd)
		r.SockName(fd)
		r.await(l, socket.POLLIN)
		r.Accept(l, 0)
	}}, scenario{"connect/mapped v6only", func(r *run) {
		_, a := r.listener(inet4)
		fd := r.open(inet6, stream)
		r.SetInt(fd, socket.SOL_IPV6, 26, 1)
		r.Connect(fd, socket.SockaddrInet6(a.IP().As16(), a.Port, 0))
	}}, scenario{"connect/inet to dual stack", func(r *run) {
		l := r.open(inet6, stream)
		r.Bind(l, wildcard(inet6, 0))
		r.Listen(l, 5)
		a := r.SockName(l)
		fd := r.open(inet4, stream)
		r.Connect(fd, lo(inet4, a.Port))
		r.await(l, socket.POLLIN)
		s := r.Accept(l, 0)
		r.SockName(s)
		r.PeerName(s)
	}}, scenario{"connect/inet dgram from inet6", func(r *run) {
		_, a := r.bound(inet4, dgram)
		fd := r.open(inet6, dgram)
		r.Connect(fd, a)
		r.PeerName(fd)
		r.SockName(fd)
	}})
	for _, c := range []struct {
		name string
		f    func(r *run, family int)
	}{
		{"dgram", func(r *run, family int) {
			_, a := r.bound(family, dgram)
			fd := r.open(family, dgram)
			r.Connect(fd, a)
			r.SockName(fd)
			r.PeerName(fd)
			r.Connect(fd, a)
			r.Connect(fd, unspec)
			r.PeerName(fd)
			r.SockName(fd)
			r.Send(fd, "x", 0)
		}},
		{"dgram bound dissolve", func(r *run, family int) {
			_, a := r.bound(family, dgram)
			fd := r.open(family, dgram)
			r.Bind(fd, wildcard(family, 0))
			r.SockName(fd)
			r.Connect(fd, a)
			r.SockName(fd)
			r.Connect(fd, unspec)
			r.SockName(fd)
		}},
		{"dgram dissolve fresh", func(r *run, family int) {
			fd := r.open(family, dgram)
			r.Connect(fd, unspec)
			r.SockName(fd)
		}},
		{"dgram refused", func(r *run, family int) {
			a := r.freePort(family, dgram)
			fd := r.open(family, dgram)
			r.Connect(fd, a)
			r.Send(fd, "x", 0)
			r.Poll(fd)
			r.SockErr(fd)
			r.Send(fd, "x", 0)
			r.await(fd, socket.POLLERR)
			r.Recv(fd, 1, 0)
			r.Recv(fd, 1, socket.MSG_DONTWAIT)
			r.Send(fd, "x", 0)
			r.await(fd, socket.POLLERR)
			r.Send(fd, "x", 0)
		}},
	} {
		add(c.name, c.f)
	}
	return list
}
