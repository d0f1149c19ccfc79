//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

func bindScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family, typ int)) {
		for _, typ := range []int{stream, dgram} {
			kind := map[int]string{stream: "stream", dgram: "dgram"}[typ]
			list = append(list, both("bind/"+name+"/"+kind, func(r *run, family int) { f(r, family, typ) })...)
		}
	}
	// One bind of a fresh socket, and what it is called then.
	once := func(name string, addr func(family int) socket.Sockaddr) {
		add(name, func(r *run, family, typ int) {
			fd := r.open(family, typ)
			r.Bind(fd, addr(family))
			r.SockName(fd)
		})
	}
	once("loopback", func(f int) socket.Sockaddr { return lo(f, 0) })
	once("wildcard", func(f int) socket.Sockaddr { return wildcard(f, 0) })
	once("privileged port", func(f int) socket.Sockaddr { return lo(f, 7) })
	once("not ours", func(int) socket.Sockaddr { return at("203.0.113.1", 0) })
	once("not ours 6", func(int) socket.Sockaddr { return at("2001:db8::1", 0) })
	once("other family", func(f int) socket.Sockaddr { return lo(inet4+inet6-f, 0) })
	once("mapped loopback", func(int) socket.Sockaddr { return at("::ffff:127.0.0.1", 0) })
	once("mapped not ours", func(int) socket.Sockaddr { return at("::ffff:203.0.113.1", 0) })
	once("link local without scope", func(int) socket.Sockaddr { return at("fe80::1", 0) })
	once("other loopback", func(int) socket.Sockaddr { return at("127.1.2.3", 0) })
	once("unspec any", func(int) socket.Sockaddr { return unspec })
	once("unspec address", func(int) socket.Sockaddr {
		a := lo(inet4, 0)
		a.Family = socket.AF_UNSPEC
		return a
	})
	once("unknown family", func(f int) socket.Sockaddr {
		a := lo(f, 0)
		a.Family = 77
		return a
	})
	for _, n := range []uint16{0, 1, 2, 8, 15, 16, 20, 23, 24, 27, 28} {
		once(fmt.Sprintf("length %d", n), func(f int) socket.Sockaddr { return cut(wildcard(f, 0), n) })
	}
	add("twice", func(r *run, family, typ int) {
		fd := r.open(family, typ)
		r.Bind(fd, lo(family, 0))
		r.Bind(fd, lo(family, 0))
		r.Bind(fd, at("203.0.113.1", 0))
		r.SockName(fd)
	})
	add("taken", func(r *run, family, typ int) {
		_, a := r.bound(family, typ)
		fd := r.open(family, typ)
		r.Bind(fd, a)
		r.SockName(fd)
		r.Bind(fd, wildcard(family, a.Port))
		r.Bind(fd, lo(family, 0))
		r.SockName(fd)
	})
	add("taken with reuse", func(r *run, family, typ int) {
		one := r.open(family, typ)
		r.SetInt(one, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		r.Bind(one, lo(family, 0))
		a := r.SockName(one)
		two := r.open(family, typ)
		r.Bind(two, a)
		r.SetInt(two, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		r.Bind(two, a)
		r.SockName(two)
	})
	add("taken with reuseport", func(r *run, family, typ int) {
		one := r.open(family, typ)
		r.SetInt(one, socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		r.Bind(one, lo(family, 0))
		a := r.SockName(one)
		two := r.open(family, typ)
		r.Bind(two, a)
		r.SetInt(two, socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		r.Bind(two, a)
		r.SockName(two)
	})
	add("port of the other protocol", func(r *run, family, typ int) {
		_, a := r.bound(family, stream+dgram-typ)
		fd := r.open(family, typ)
		r.Bind(fd, a)
	})
	add("again after close", func(r *run, family, typ int) {
		fd, a := r.bound(family, typ)
		r.Close(fd)
		fd = r.open(family, typ)
		r.Bind(fd, a)
		r.SockName(fd)
	})
	add("both families", func(r *run, family, typ int) {
		one := r.open(family, typ)
		r.Bind(one, wildcard(family, 0))
		a := r.SockName(one)
		two := r.open(inet4+inet6-family, typ)
		r.Bind(two, wildcard(inet4+inet6-family, a.Port))
	})
	add("after connect", func(r *run, family, typ int) {
		var fd int
		if typ == stream {
			fd, _, _ = r.connected(family)
		} else {
			fd, _ = r.peers(family)
		}
		r.Bind(fd, lo(family, 0))
	})
	list = append(list, scenario{"bind/v6only and inet", func(r *run) {
		six := r.open(inet6, stream)
		r.SetInt(six, socket.SOL_IPV6, 26, 1)
		r.Bind(six, wildcard(inet6, 0))
		a := r.SockName(six)
		four := r.open(inet4, stream)
		r.Bind(four, wildcard(inet4, a.Port))
		r.SetInt(six, socket.SOL_IPV6, 26, 0)
	}}, scenario{"bind/v6only and mapped", func(r *run) {
		six := r.open(inet6, stream)
		r.SetInt(six, socket.SOL_IPV6, 26, 1)
		r.Bind(six, at("::ffff:127.0.0.1", 0))
	}}, scenario{"bind/multicast dgram", func(r *run) {
		fd := r.open(inet4, dgram)
		r.Bind(fd, at("224.0.0.251", 0))
		r.SockName(fd)
	}}, scenario{"bind/multicast stream inet6", func(r *run) {
		fd := r.open(inet6, stream)
		r.Bind(fd, at("ff02::1", 0))
	}}, scenario{"bind/broadcast dgram", func(r *run) {
		fd := r.open(inet4, dgram)
		r.Bind(fd, at("255.255.255.255", 0))
		r.SockName(fd)
	}})
	return list
}
