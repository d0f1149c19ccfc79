//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

func listenScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("listen/"+name, f)...)
	}
	add("unbound", func(r *run, family int) {
		fd := r.open(family, stream)
		r.Listen(fd, 5)
		r.SockName(fd)
		r.PeerName(fd)
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
		r.Poll(fd)
	})
	add("backlogs", func(r *run, family int) {
		fd, _ := r.bound(family, stream)
		for _, n := range []int{0, 1, 5, -1, 1 << 20, 0} {
			r.Listen(fd, n)
		}
	})
	add("dgram", func(r *run, family int) {
		fd, _ := r.bound(family, dgram)
		r.Listen(fd, 5)
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
	})
	add("connected", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Listen(client, 5)
		r.Listen(server, 5)
	})
	add("same port twice", func(r *run, family int) {
		one := r.open(family, stream)
		r.SetInt(one, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		r.Bind(one, lo(family, 0))
		a := r.SockName(one)
		two := r.open(family, stream)
		r.SetInt(two, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		r.Bind(two, a)
		r.Listen(one, 5)
		r.Listen(two, 5)
		r.SockName(two)
		r.GetOpt(two, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
		r.Close(one)
		r.Listen(two, 5)
	})
	add("calls on a listener", func(r *run, family int) {
		fd, a := r.listener(family)
		r.Send(fd, "x", 0)
		r.Recv(fd, 1, 0)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.Connect(fd, a)
		r.Bind(fd, lo(family, 0))
		r.FionRead(fd)
		r.PeerName(fd)
		r.SockErr(fd)
		r.Shutdown(fd, socket.SHUT_WR)
		r.Poll(fd)
		r.Shutdown(fd, socket.SHUT_RD)
		r.Poll(fd)
		r.SockName(fd)
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
	})
	add("again after shutdown", func(r *run, family int) {
		fd, a := r.listener(family)
		r.Shutdown(fd, socket.SHUT_RDWR)
		r.Listen(fd, 5)
		client := r.open(family, stream)
		r.Connect(client, a)
		r.PeerName(client)
	})
	add("shutdown with connections waiting", func(r *run, family int) {
		fd, a := r.listener(family)
		client := r.open(family, stream)
		r.Connect(client, a)
		r.await(fd, socket.POLLIN)
		r.Shutdown(fd, socket.SHUT_RD)
		r.Poll(client)
		r.Recv(client, 1, socket.MSG_DONTWAIT)
		r.Recv(client, 1, socket.MSG_DONTWAIT)
	})
	add("close with connections waiting", func(r *run, family int) {
		fd, a := r.listener(family)
		client := r.open(family, stream)
		r.Connect(client, a)
		r.await(fd, socket.POLLIN)
		r.Close(fd)
		r.Poll(client)
		r.SockErr(client)
		r.SockErr(client)
	})
	return list
}
