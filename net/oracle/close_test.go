//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

func closeScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("close/"+name, f)...)
	}
	add("graceful", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "bye", 0)
		r.Close(client)
		r.await(server, socket.POLLRDHUP)
		r.Poll(server)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
		r.Send(server, "x", 0)
		r.await(server, socket.POLLERR)
		r.Poll(server)
		r.Send(server, "x", 0)
		r.Send(server, "x", 0)
		r.Recv(server, 10, 0)
	})
	add("linger zero resets", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.reset(client, server)
		r.Poll(server)
		r.Recv(server, 1, 0)
		r.Recv(server, 1, 0)
		r.Send(server, "x", 0)
		r.PeerName(server)
		r.Poll(server)
	})
	add("reset seen by send", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.reset(client, server)
		r.Send(server, "x", 0)
		r.Send(server, "x", 0)
		r.Recv(server, 1, 0)
	})
	add("reset with data unread", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "data", 0)
		r.await(server, socket.POLLIN)
		r.reset(client, server)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
	})
	add("reset seen by SO_ERROR", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.reset(client, server)
		r.SockErr(server)
		r.SockErr(server)
		r.Recv(server, 1, 0)
		r.Poll(server)
	})
	add("with data unread resets", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "data", 0)
		r.await(server, socket.POLLIN)
		r.Close(server)
		r.await(client, socket.POLLHUP)
		r.Poll(client)
		r.Recv(client, 1, 0)
		r.Recv(client, 1, 0)
	})
	add("linger waits for nothing", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetOpt(client, socket.SOL_SOCKET, socket.SO_LINGER, linger(1, 5))
		r.Send(client, "bye", 0)
		r.Close(client)
		r.Recv(server, 10, 0)
	})
	add("dup keeps it", func(r *run, family int) {
		client, server, _ := r.connected(family)
		other, err := r.dup(client)
		r.outcome("dup", err)
		r.own(other)
		r.Close(client)
		r.Send(other, "still", 0)
		r.Recv(server, 10, 0)
	})
	add("reset after half close", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.reset(server, client)
		r.Poll(client)
		r.Recv(client, 1, 0)
		r.Recv(client, 1, 0)
	})
	add("reset in CLOSE_WAIT", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.reset(client, server)
		r.Poll(server)
		r.SockErr(server)
		r.Send(server, "x", 0)
	})
	return list
}
