//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

// AtMark asks whether the next receive starts at the urgent byte.
func (r *run) AtMark(fd int) {
	var n int
	err := r.eventually("SIOCATMARK", func() (string, error) {
		err := r.sys.(ioctlSys).ioctl(fd, socket.SIOCATMARK, &n)
		if n != 0 {
			return "1", err
		}
		return "0", err
	})
	r.outcome("SIOCATMARK", err, n)
}

// urgent makes a connection over which the first part, an urgent byte and the
// rest came.
func (r *run) urgent(family int, before, after string) (client, server int) {
	client, server, _ = r.connected(family)
	if before != "" {
		r.Send(client, before, 0)
	}
	r.Send(client, "!", socket.MSG_OOB)
	if after != "" {
		r.Send(client, after, 0)
	}
	r.awaitInq(server, len(before))
	r.await(server, socket.POLLPRI)
	return client, server
}

// awaitInq waits until n bytes can be read.
func (r *run) awaitInq(fd, n int) {
	for {
		if got, err := r.fionread(fd); err != nil || got >= n {
			return
		}
		r.await(fd, socket.POLLIN|socket.POLLPRI)
	}
}

func urgentScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("urgent/"+name, f)...)
	}
	inline := func(r *run, fd int) { r.SetInt(fd, socket.SOL_SOCKET, socket.SO_OOBINLINE, 1) }

	add("taken out", func(r *run, family int) {
		client, server := r.urgent(family, "abc", "def")
		r.Poll(server)
		r.FionRead(server)
		r.AtMark(server)
		r.Recv(server, 1, socket.MSG_OOB|socket.MSG_PEEK)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Poll(server)
		r.Recv(server, 10, 0)
		r.AtMark(server)
		r.Recv(server, 10, 0)
		r.AtMark(server)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Send(client, "more", 0)
		r.Recv(server, 10, 0)
	})
	add("read past", func(r *run, family int) {
		_, server := r.urgent(family, "abc", "def")
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Poll(server)
	})
	add("only byte", func(r *run, family int) {
		_, server := r.urgent(family, "", "")
		r.Poll(server)
		r.FionRead(server)
		r.AtMark(server)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Poll(server)
	})
	add("taken and then only byte", func(r *run, family int) {
		client, server := r.urgent(family, "", "")
		r.Recv(server, 1, socket.MSG_OOB)
		r.Poll(server)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
		r.AtMark(server)
		r.Send(client, "x", 0)
		r.Recv(server, 10, 0)
		r.AtMark(server)
	})
	add("inline", func(r *run, family int) {
		client, server, _ := r.connected(family)
		inline(r, server)
		r.Send(client, "abc", 0)
		r.Send(client, "!", socket.MSG_OOB)
		r.Send(client, "def", 0)
		r.awaitInq(server, 7)
		r.Poll(server)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Recv(server, 10, 0)
		r.AtMark(server)
		r.Recv(server, 10, 0)
		r.AtMark(server)
		r.Poll(server)
	})
	add("last of several is urgent", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "abcd", socket.MSG_OOB)
		r.await(server, socket.POLLPRI)
		r.Recv(server, 2, socket.MSG_OOB)
		r.FionRead(server)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
	})
	add("second replaces the first", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "a", 0)
		r.Send(client, "1", socket.MSG_OOB)
		r.Send(client, "b", 0)
		r.Send(client, "2", socket.MSG_OOB)
		r.Send(client, "c", 0)
		r.awaitInq(server, 3)
		r.await(server, socket.POLLPRI)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Recv(server, 10, 0)
		r.Recv(server, 10, 0)
	})
	add("no room", func(r *run, family int) {
		_, server := r.urgent(family, "a", "")
		r.RecvMsg(server, socket.MSG_OOB|socket.MSG_PEEK, 0)
		r.RecvMsg(server, socket.MSG_OOB|socket.MSG_TRUNC|socket.MSG_PEEK, 4)
		r.RecvMsg(server, socket.MSG_OOB, 4)
	})
	add("peek stops at it", func(r *run, family int) {
		_, server := r.urgent(family, "abc", "def")
		r.awaitInq(server, 3)
		r.Recv(server, 10, socket.MSG_PEEK)
		r.Recv(server, 3, 0)
		r.Recv(server, 10, socket.MSG_PEEK)
		r.AtMark(server)
		r.Recv(server, 10, 0)
	})
	add("waitall stops at it", func(r *run, family int) {
		_, server := r.urgent(family, "abc", "def")
		r.Recv(server, 6, socket.MSG_WAITALL)
		r.Recv(server, 3, socket.MSG_WAITALL)
	})
	add("waitall goes on after it", func(r *run, family int) {
		client, server := r.urgent(family, "", "ab")
		join := r.async(func(r *run) { r.Recv(server, 4, socket.MSG_WAITALL) })
		r.Send(client, "cd", 0)
		join()
	})
	add("and the end", func(r *run, family int) {
		client, server := r.urgent(family, "abc", "")
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.Poll(server)
		r.Recv(server, 10, 0)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Recv(server, 10, 0)
		r.Poll(server)
	})
	add("after the peer closed", func(r *run, family int) {
		client, server := r.urgent(family, "", "")
		r.Close(client)
		r.await(server, socket.POLLRDHUP)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Recv(server, 1, 0)
	})
	add("nothing to send", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "", socket.MSG_OOB)
		r.Send(client, "x", 0)
		r.Recv(server, 4, 0)
		r.AtMark(server)
	})
	add("refused for want of room", func(r *run, family int) {
		client, server, _ := r.connected(family)
		sent := r.fill(client)
		r.until(func() bool {
			inq, _ := r.queued(server, socket.SIOCINQ)
			outq, _ := r.queued(client, socket.SIOCOUTQ)
			return sent == inq+outq
		})
		sent += r.fill(client) // what was acknowledged made room
		r.Send(client, "!", socket.MSG_OOB|socket.MSG_DONTWAIT)
		r.receiveAll(server, sent)
		r.Poll(server)
		r.Recv(server, 1, socket.MSG_OOB)
		r.Send(client, "x", 0)
		r.Recv(server, 4, 0)
		r.AtMark(server)
	})
	add("not connected", func(r *run, family int) {
		fd := r.open(family, stream)
		r.Send(fd, "x", socket.MSG_OOB)
		r.Recv(fd, 1, socket.MSG_OOB)
		r.AtMark(fd)
		l, _ := r.listener(family)
		r.Recv(l, 1, socket.MSG_OOB)
		r.AtMark(l)
	})
	add("blocked receive", func(r *run, family int) {
		client, server, _ := r.connected(family)
		join := r.async(func(r *run) { r.Recv(server, 10, 0) })
		r.Send(client, "!", socket.MSG_OOB)
		r.Send(client, "abc", 0)
		join()
		r.Recv(server, 1, socket.MSG_OOB)
	})
	add("inline receive from the mark", func(r *run, family int) {
		client, server := r.urgent(family, "", "abc")
		inline(r, server)
		r.awaitInq(server, 4)
		r.AtMark(server)
		r.Recv(server, 2, 0)
		r.AtMark(server)
		r.Recv(server, 10, 0)
		r.Send(client, "?", socket.MSG_OOB)
		r.Recv(server, 10, 0)
	})
	return list
}
