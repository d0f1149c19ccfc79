//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

// corkScenarios hold back parts of segments, by MSG_MORE.
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
	return list
}
