//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

func shutdownScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("shutdown/"+name, f)...)
	}
	add("out of range", func(r *run, family int) {
		for _, typ := range []int{stream, dgram} {
			fd := r.open(family, typ)
			for _, how := range []int{-1, 3, 100} {
				r.Shutdown(fd, how)
			}
		}
	})
	for how, name := range []string{"read", "write", "both"} {
		add("fresh "+name, func(r *run, family int) {
			for _, typ := range []int{stream, dgram} {
				fd := r.open(family, typ)
				r.Shutdown(fd, how)
				r.Poll(fd)
				r.Recv(fd, 1, socket.MSG_DONTWAIT)
				r.Send(fd, "x", socket.MSG_DONTWAIT)
			}
		})
		add("connected "+name, func(r *run, family int) {
			client, server, _ := r.connected(family)
			r.Shutdown(client, how)
			r.Poll(client)
			r.Poll(server)
			r.PeerName(client)
			r.Shutdown(client, how)
			r.Send(client, "x", 0)
			r.Recv(client, 1, socket.MSG_DONTWAIT)
			r.SockErr(client)
		})
		add("dgram connected "+name, func(r *run, family int) {
			a, b := r.peers(family)
			r.Shutdown(a, how)
			r.Poll(a)
			r.Send(a, "x", 0)
			r.Send(b, "y", 0)
			r.Poll(a)
			r.Recv(a, 10, socket.MSG_DONTWAIT)
			r.Recv(a, 10, socket.MSG_DONTWAIT)
		})
		add("dgram bound "+name, func(r *run, family int) {
			a, _ := r.bound(family, dgram)
			r.Shutdown(a, how)
			r.Poll(a)
		})
	}
	add("both ways", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.Recv(server, 1, 0)
		r.Send(server, "late", 0)
		r.Shutdown(server, socket.SHUT_WR)
		r.Poll(server)
		r.await(client, socket.POLLRDHUP)
		r.Recv(client, 10, 0)
		r.Recv(client, 10, 0)
		r.Poll(client)
		r.Send(server, "x", 0)
		r.PeerName(server)
	})
	add("write with data unread", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "data", 0)
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.Poll(server)
		r.Recv(server, 2, 0)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
	})
	add("read with data unread", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "data", 0)
		r.await(server, socket.POLLIN)
		r.Shutdown(server, socket.SHUT_RD)
		r.Poll(server)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
		r.Send(client, "more", 0)
	})
	add("wakes a receive", func(r *run, family int) {
		client, _, _ := r.connected(family)
		join := r.async(func(r *run) { r.Recv(client, 1, 0) })
		r.Shutdown(client, socket.SHUT_RD)
		join()
	})
	add("wakes a datagram receive", func(r *run, family int) {
		a, _ := r.peers(family)
		join := r.async(func(r *run) { r.Recv(a, 1, 0) })
		r.Shutdown(a, socket.SHUT_RD)
		join()
	})
	add("after reset", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.reset(server, client)
		for how := range 3 {
			r.outcome(fmt.Sprintf("how %d", how), r.shutdown(client, how))
		}
		r.Poll(client)
	})
	return list
}
