//go:build linux

package oracle

import (
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

func pollScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("poll/"+name, f)...)
	}
	add("states of a stream", func(r *run, family int) {
		fd := r.open(family, stream)
		r.Poll(fd)
		r.Bind(fd, lo(family, 0))
		r.Poll(fd)
		client, server, _ := r.connected(family)
		r.Poll(client)
		r.Send(client, "x", 0)
		r.Poll(server)
		r.Recv(server, 1, 0)
		r.Poll(server)
	})
	add("states of a datagram socket", func(r *run, family int) {
		a, b := r.peers(family)
		r.Poll(a)
		r.Send(b, "x", 0)
		r.Poll(a)
		r.Recv(a, 1, 0)
		r.Poll(a)
	})
	add("end of stream", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Close(client)
		r.Poll(server)
		r.Shutdown(server, socket.SHUT_WR)
		r.Poll(server)
	})
	add("bad descriptors", func(r *run, family int) {
		p := []socket.PollFd{{Fd: -1, Events: allEvents}, {Fd: 1 << 20, Events: allEvents}}
		n, err := r.poll(p, 0)
		r.outcome("poll", err, n, fmt.Sprint(p[0].Revents, p[1].Revents))
	})
	add("several", func(r *run, family int) {
		client, server, l := r.connected(family)
		r.Send(client, "x", 0)
		r.await(server, socket.POLLIN)
		p := []socket.PollFd{{Fd: client, Events: socket.POLLIN}, {Fd: server, Events: socket.POLLIN}, {Fd: l, Events: socket.POLLIN}}
		n, err := r.poll(p, 1000)
		r.outcome("poll", err, n, fmt.Sprint(p[0].Revents, p[1].Revents, p[2].Revents))
	})
	add("timeout", func(r *run, family int) {
		client, _, _ := r.connected(family)
		p := []socket.PollFd{{Fd: client, Events: socket.POLLIN}}
		n, err := r.poll(p, 20)
		r.outcome("poll", err, n, fmt.Sprint(p[0].Revents))
	})
	add("woken", func(r *run, family int) {
		client, server, _ := r.connected(family)
		join := r.async(func(r *run) {
			p := []socket.PollFd{{Fd: server, Events: socket.POLLIN}}
			n, err := r.poll(p, 2000)
			r.outcome("poll", err, n, fmt.Sprint(p[0].Revents))
		})
		r.Send(client, "x", 0)
		join()
	})
	add("asks only for errors", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.reset(server, client)
		p := []socket.PollFd{{Fd: client}}
		n, err := r.poll(p, 1000)
		r.outcome("poll", err, n, fmt.Sprint(p[0].Revents))
	})
	return list
}
