//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

func acceptScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("accept/"+name, f)...)
	}
	add("waiting", func(r *run, family int) {
		l, a := r.listener(family)
		c := r.open(family, stream)
		r.Connect(c, a)
		r.SockName(c)
		r.await(l, socket.POLLIN)
		s := r.Accept(l, 0)
		r.SockName(s)
		r.PeerName(s)
		r.Poll(l)
		r.Poll(s)
	})
	add("blocked", func(r *run, family int) {
		l, a := r.listener(family)
		join := r.async(func(r *run) { r.Accept(l, 0) })
		c := r.open(family, stream)
		r.Connect(c, a)
		join()
	})
	add("none", func(r *run, family int) {
		l, _ := r.listener(family)
		must(r, 0, r.setnonblock(l, true))
		r.Accept(l, 0)
	})
	add("timeout", func(r *run, family int) {
		l, _ := r.listener(family)
		r.receiveTimeout(l, 20)
		r.Accept(l, 0)
	})
	add("not listening", func(r *run, family int) {
		r.Accept(r.open(family, stream), 0)
		fd, _ := r.bound(family, stream)
		r.Accept(fd, 0)
		client, _, _ := r.connected(family)
		r.Accept(client, 0)
	})
	add("dgram", func(r *run, family int) {
		fd, _ := r.bound(family, dgram)
		r.Accept(fd, 0)
	})
	add("flags", func(r *run, family int) {
		l, _ := r.listener(family)
		must(r, 0, r.setnonblock(l, true))
		r.Accept(l, 1)
		r.Accept(l, socket.SOCK_NONBLOCK|0x10)
		r.Accept(l, socket.SOCK_CLOEXEC)
	})
	add("flags are not inherited", func(r *run, family int) {
		l, a := r.listener(family)
		must(r, 0, r.setnonblock(l, true))
		c := r.open(family, stream)
		r.Connect(c, a)
		r.await(l, socket.POLLIN)
		s := r.Accept(l, 0)
		r.receiveTimeout(s, 20)
		r.Recv(s, 1, 0)
		join := r.async(func(r *run) { r.Recv(s, 1, socket.MSG_WAITALL) })
		r.Send(c, "x", 0)
		join()
	})
	add("nonblocking socket", func(r *run, family int) {
		l, a := r.listener(family)
		c := r.open(family, stream)
		r.Connect(c, a)
		r.await(l, socket.POLLIN)
		s := r.Accept(l, socket.SOCK_NONBLOCK)
		r.Recv(s, 1, 0)
	})
	add("options are inherited", func(r *run, family int) {
		l, a := r.listener(family)
		r.SetInt(l, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
		r.SetInt(l, socket.SOL_TCP, 1, 1)
		r.SetInt(l, socket.SOL_TCP, 4, 77)
		r.SetOpt(l, socket.SOL_SOCKET, socket.SO_LINGER, linger(1, 3))
		c := r.open(family, stream)
		r.Connect(c, a)
		r.await(l, socket.POLLIN)
		s := r.Accept(l, 0)
		r.GetOpt(s, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 4)
		r.GetOpt(s, socket.SOL_TCP, 1, 4)
		r.GetOpt(s, socket.SOL_TCP, 4, 4)
		r.GetOpt(s, socket.SOL_SOCKET, socket.SO_LINGER, 8)
		r.GetOpt(s, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
		r.SetOpt(s, socket.SOL_SOCKET, socket.SO_LINGER, linger(0, 0))
	})
	add("peer gone", func(r *run, family int) {
		l, a := r.listener(family)
		c := r.open(family, stream)
		r.Connect(c, a)
		r.await(l, socket.POLLIN)
		r.Send(c, "bye", 0)
		r.Close(c)
		s := r.Accept(l, 0)
		r.Recv(s, 10, 0)
		r.Recv(s, 10, 0)
	})
	add("shutdown wakes it", func(r *run, family int) {
		l, _ := r.listener(family)
		join := r.async(func(r *run) { r.Accept(l, 0) })
		// Whether the call is inside already does not matter: it fails alike.
		r.Shutdown(l, socket.SHUT_RD)
		join()
	})
	return list
}
