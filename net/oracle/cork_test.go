//go:build linux

package oracle

import (
	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/socket"
)

// corkScenarios hold back parts of segments, by TCP_CORK and by MSG_MORE.
func corkScenarios() []scenario {
	const nothing = socket.MSG_DONTWAIT
	var list []scenario
	add := func(name string, f func(r *run, client, server int)) {
		list = append(list, both("cork/"+name, func(r *run, family int) {
			client, server, _ := r.connected(family)
			r.receiveTimeout(server, patiently)
			f(r, client, server)
		})...)
	}
	cork := func(r *run, fd, on int) { r.SetInt(fd, socket.SOL_TCP, unix.TCP_CORK, on) }
	add("more", func(r *run, client, server int) {
		r.Send(client, "a", socket.MSG_MORE)
		r.Send(client, "b", socket.MSG_MORE)
		r.Recv(server, 9, nothing)
		r.Send(client, "c", 0)
		r.Recv(server, 9, 0)
		r.Send(client, "d", 0)
		r.Recv(server, 9, 0)
	})
	add("more and nothing", func(r *run, client, server int) {
		r.Send(client, "a", socket.MSG_MORE)
		r.Send(client, "", 0)
		r.Recv(server, 9, nothing)
		r.Send(client, "b", 0)
		r.Recv(server, 9, 0)
	})
	add("not for long", func(r *run, client, server int) {
		r.Send(client, "a", socket.MSG_MORE)
		r.Recv(server, 9, nothing)
		r.Recv(server, 9, 0)
	})
	add("option", func(r *run, client, server int) {
		cork(r, client, 5)
		r.GetOpt(client, socket.SOL_TCP, unix.TCP_CORK, 4)
		r.Send(client, "a", 0)
		r.Send(client, "b", 0)
		r.Recv(server, 9, nothing)
		cork(r, client, 0)
		r.GetOpt(client, socket.SOL_TCP, unix.TCP_CORK, 4)
		r.Recv(server, 9, 0)
		r.Send(client, "c", 0)
		r.Recv(server, 9, 0)
	})
	add("option and more", func(r *run, client, server int) {
		cork(r, client, 1)
		r.Send(client, "a", socket.MSG_MORE)
		r.Send(client, "b", 0)
		r.Recv(server, 9, nothing)
		cork(r, client, 0)
		r.Recv(server, 9, 0)
	})
	add("nodelay pushes", func(r *run, client, server int) {
		cork(r, client, 1)
		r.Send(client, "a", 0)
		r.Recv(server, 9, nothing)
		r.SetInt(client, socket.SOL_TCP, unix.TCP_NODELAY, 1)
		r.Recv(server, 9, 0)
		r.Send(client, "b", 0)
		r.Recv(server, 9, nothing)
	})
	add("shutdown pushes", func(r *run, client, server int) {
		cork(r, client, 1)
		r.Send(client, "a", 0)
		r.Recv(server, 9, nothing)
		r.Shutdown(client, socket.SHUT_WR)
		r.Recv(server, 9, 0)
		r.Recv(server, 9, 0)
	})
	add("close pushes", func(r *run, client, server int) {
		r.Send(client, "a", socket.MSG_MORE)
		r.Recv(server, 9, nothing)
		r.Close(client)
		r.Recv(server, 9, 0)
		r.Recv(server, 9, 0)
	})
	add("full segments go", func(r *run, client, server int) {
		n, err := r.send(client, make([]byte, 1<<17), socket.MSG_MORE)
		r.outcome("send", err, n)
		r.await(server, socket.POLLIN)
	})
	add("of a listener", func(r *run, client, _ int) {
		family := inet4
		l, addr := r.bound(family, stream)
		cork(r, l, 1)
		r.Listen(l, 1)
		fd := r.open(family, stream)
		r.Connect(fd, addr)
		nfd := r.Accept(l, 0)
		r.GetOpt(nfd, socket.SOL_TCP, unix.TCP_CORK, 4)
	})
	return list
}
