//go:build linux

package oracle

import (
	"strings"

	"github.com/tamanet/tamanet/net/socket"
)

func streamScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("stream/"+name, f)...)
	}
	add("send and receive", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "hello", 0)
		r.Recv(server, 10, 0)
		r.Send(server, "world", 0)
		r.Recv(client, 3, 0)
		r.Recv(client, 10, 0)
	})
	add("scatter and gather", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SendMsg(client, 0, "he", "", "llo ", "world")
		r.await(server, socket.POLLIN)
		r.RecvMsg(server, socket.MSG_WAITALL, 1, 0, 3, 7)
		r.SendMsg(client, 0)
		r.SendMsg(client, 0, "")
	})
	add("peek", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "peekaboo", 0)
		r.Recv(server, 4, socket.MSG_PEEK)
		r.Recv(server, 10, socket.MSG_PEEK)
		r.FionRead(server)
		r.Recv(server, 10, 0)
		r.FionRead(server)
		r.Recv(server, 10, socket.MSG_PEEK|socket.MSG_DONTWAIT)
	})
	add("dontwait", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
		r.Send(client, "x", socket.MSG_DONTWAIT)
		r.await(server, socket.POLLIN)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
	})
	add("receive timeout", func(r *run, family int) {
		_, server, _ := r.connected(family)
		r.receiveTimeout(server, 20)
		r.Recv(server, 10, 0)
	})
	add("waitall", func(r *run, family int) {
		client, server, _ := r.connected(family)
		join := r.async(func(r *run) { r.Recv(server, 6, socket.MSG_WAITALL) })
		r.Send(client, "abc", 0)
		r.Send(client, "defg", 0)
		join()
		r.Recv(server, 6, socket.MSG_DONTWAIT)
	})
	add("waitall and end", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "abc", 0)
		r.Shutdown(client, socket.SHUT_WR)
		r.Recv(server, 6, socket.MSG_WAITALL)
		r.Recv(server, 6, socket.MSG_WAITALL)
	})
	add("waitall and timeout", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.receiveTimeout(server, 40)
		r.Send(client, "abc", 0)
		r.Recv(server, 6, socket.MSG_WAITALL)
	})
	add("trunc discards", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "abcdef", 0)
		r.await(server, socket.POLLIN)
		b := []byte("....")
		n, _, err := r.recvfrom(server, b, socket.MSG_TRUNC)
		r.outcome("recv MSG_TRUNC", err, n, string(b))
		r.Recv(server, 10, 0)
	})
	add("zero length", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "", 0)
		r.Recv(server, 0, socket.MSG_DONTWAIT)
		r.Send(client, "x", 0)
		r.await(server, socket.POLLIN)
		r.Recv(server, 0, 0)
		r.Recv(server, 1, 0)
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.Recv(server, 0, 0)
	})
	add("urgent without any", func(r *run, family int) {
		client, _, _ := r.connected(family)
		r.Recv(client, 1, socket.MSG_OOB)
		r.Recv(r.open(family, stream), 1, socket.MSG_OOB)
	})
	add("error queue empty", func(r *run, family int) {
		client, _, _ := r.connected(family)
		r.Recv(client, 1, socket.MSG_ERRQUEUE)
	})
	add("not connected", func(r *run, family int) {
		fd := r.open(family, stream)
		r.Send(fd, "x", 0)
		r.Send(fd, "", 0)
		r.SendTo(fd, "x", 0, lo(family, 9))
		r.Recv(fd, 1, 0)
		r.Recv(fd, 0, 0)
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		b, _ := r.bound(family, stream)
		r.Send(b, "x", 0)
		r.Recv(b, 1, 0)
	})
	add("destination is ignored", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SendTo(client, "x", 0, lo(family, 9))
		r.Recv(server, 1, 0)
	})
	add("full", func(r *run, family int) {
		client, server, _ := r.connected(family)
		must(r, 0, r.setnonblock(client, true))
		big := []byte(strings.Repeat("x", 1<<16))
		sent := 0
		var err error
		for err == nil && sent < 1<<28 {
			var n int
			n, err = r.send(client, big, 0)
			sent += max(n, 0)
		}
		r.outcome("send until full", err)
		r.Poll(client)
		got := 0
		buf := make([]byte, 1<<16)
		for got < sent {
			n, _, err := r.recvfrom(server, buf, 0)
			must(r, n, err)
			got += n
		}
		r.await(client, socket.POLLOUT)
		r.Poll(client)
		r.Send(client, "more", 0)
		r.Recv(server, 10, 0)
	})
	add("send timeout", func(r *run, family int) {
		client, _, _ := r.connected(family)
		r.SetOpt(client, socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0, 20000))
		big := []byte(strings.Repeat("x", 1<<20))
		var err error
		for n := 1; err == nil && n > 0; {
			n, err = r.send(client, big, 0)
		}
		r.outcome("send until timeout", err)
	})
	add("blocked send goes on", func(r *run, family int) {
		client, server, _ := r.connected(family)
		const size = 8 << 20
		join := r.async(func(r *run) {
			n, err := r.send(client, make([]byte, size), 0)
			r.outcome("send", err, n)
			r.Shutdown(client, socket.SHUT_WR)
		})
		buf := make([]byte, 1<<16)
		got := 0
		for {
			n, _, err := r.recvfrom(server, buf, 0)
			if must(r, n, err); n == 0 {
				break
			}
			got += n
		}
		r.outcome("received", nil, got)
		join()
	})
	add("name of receive", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "x", 0)
		r.await(server, socket.POLLIN)
		r.RecvMsg(server, 0, 10)
		r.Recv(server, 1, socket.MSG_DONTWAIT|socket.MSG_TRUNC)
	})
	return list
}
