//go:build linux

package oracle

import (
	"fmt"
	"strings"

	"github.com/tamanet/tamanet/net/socket"
)

func unixConnectScenarios() (list []scenario) {
	add := func(name string, types []int, f func(r *unixRun, typ int)) {
		list = append(list, unixTypes("connect/"+name, types, f)...)
	}
	add("nobody there", allTypes, func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		r.Connect(fd, r.path("missing"))
		r.Connect(fd, r.abstract("missing"))
		gone, a := r.named(typ, "gone")
		r.Close(gone)
		r.Connect(fd, a)
		r.remove("gone")
		r.Connect(fd, a)
		_, a = r.named(typ, "deaf")
		r.Connect(fd, a)
		r.PeerName(fd)
		r.SockErr(fd)
	})
	add("other type", allTypes, func(r *unixRun, typ int) {
		for _, other := range allTypes {
			_, a := r.named(other, "t"+typeNames[other])
			r.Connect(r.open(local, typ), a)
			fd := r.open(local, other)
			r.Bind(fd, r.abstract("t"+typeNames[other]))
			r.Connect(r.open(local, typ), r.abstract("t"+typeNames[other]))
		}
	})
	add("names", connTypes, func(r *unixRun, typ int) {
		client, server, _ := r.connect3(typ)
		for _, fd := range []int{client, server} {
			r.SockName(fd)
			r.PeerName(fd)
			r.pollNow(fd)
		}
		bound, _ := r.named(typ, "client")
		r.Connect(bound, r.path("listener"))
		r.PeerName(bound)
	})
	add("accept names the client", connTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		r.Listen(l, 1)
		r.pollNow(l)
		bound, _ := r.named(typ, "client")
		r.Connect(bound, a)
		r.pollNow(l)
		s := r.Accept(l, socket.SOCK_NONBLOCK)
		r.SockName(s)
		r.PeerName(s)
		r.Recv(s, 1, 0)
		r.Connect(r.open(local, typ), a)
		r.Accept(l, 0)
		must(r.run, 0, r.setnonblock(l, true))
		r.Accept(l, 0)
	})
	add("again", connTypes, func(r *unixRun, typ int) {
		client, server, l := r.connect3(typ)
		r.Connect(client, r.path("listener"))
		r.Connect(client, r.path("missing"))
		r.Connect(server, r.path("listener"))
		r.Connect(l, r.path("listener"))
		r.Connect(client, unspec)
		r.Listen(client, 1)
		r.Listen(server, 1)
		r.Accept(server, 0)
		r.Listen(l, 5)
		r.Recv(l, 1, 0)
		r.Send(l, "x", 0)
		r.FionRead(l)
		r.PeerName(l)
	})
	add("full backlog", connTypes, func(r *unixRun, typ int) {
		for _, backlog := range []int{0, 1, 3, -1} {
			l, a := r.named(typ, fmt.Sprint("l", backlog))
			r.Listen(l, backlog)
			for range 6 {
				fd := r.open(local, typ|socket.SOCK_NONBLOCK)
				r.Connect(fd, a)
				r.PeerName(fd)
			}
			r.Accept(l, 0)
			r.Connect(r.open(local, typ|socket.SOCK_NONBLOCK), a)
		}
	})
	add("waits for room", connTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		r.Listen(l, 0)
		r.Connect(r.open(local, typ), a)
		fd := r.open(local, typ)
		join := r.async(func(r *run) { r.Connect(fd, a) })
		r.Accept(l, 0)
		join()
		r.Accept(l, 0)
		r.PeerName(fd)
	})
	add("wait ends with the listener", connTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		r.Listen(l, 0)
		first := r.open(local, typ)
		r.Connect(first, a)
		fd := r.open(local, typ)
		join := r.async(func(r *run) { r.Connect(fd, a) })
		r.Close(l)
		join()
		r.pollNow(first)
		r.Send(first, "x", 0)
		r.Recv(first, 1, 0)
		r.Recv(first, 1, 0)
	})
	add("times out", connTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		r.Listen(l, 0)
		r.Connect(r.open(local, typ), a)
		fd := r.open(local, typ)
		r.SetOpt(fd, socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0, 20000))
		r.Connect(fd, a)
	})
	add("listener shut down", connTypes, func(r *unixRun, typ int) {
		for how := range 3 {
			l, a := r.named(typ, fmt.Sprint("l", how))
			r.Listen(l, 2)
			r.Connect(r.open(local, typ), a)
			r.Shutdown(l, how)
			r.pollNow(l)
			r.Connect(r.open(local, typ), a)
			r.Accept(l, 0)
			must(r.run, 0, r.setnonblock(l, true))
			r.Accept(l, 0)
		}
	})
	add("accept woken by shutdown", connTypes, func(r *unixRun, typ int) {
		l, _ := r.named(typ, "l")
		r.Listen(l, 2)
		join := r.async(func(r *run) { r.Accept(l, 0) })
		r.Shutdown(l, socket.SHUT_RD)
		join()
	})
	add("accept times out", connTypes, func(r *unixRun, typ int) {
		l, _ := r.named(typ, "l")
		r.Listen(l, 2)
		r.receiveTimeout(l, 20)
		r.Accept(l, 0)
	})
	add("client gone before accept", connTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		r.Listen(l, 2)
		fd := r.open(local, typ)
		r.Connect(fd, a)
		r.Send(fd, "left", 0)
		r.Close(fd)
		s := r.Accept(l, 0)
		r.pollNow(s)
		r.PeerName(s)
		r.Recv(s, 10, 0)
		r.Recv(s, 10, 0)
		r.Send(s, "x", 0)
	})
	add("listen without a name", connTypes, func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		r.Listen(fd, 1)
		r.Bind(fd, socket.SockaddrUnix(""))
		r.Listen(fd, 1)
		r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
	})
	add("datagram", []int{dgram}, func(r *unixRun, typ int) {
		a, addrA := r.named(typ, "a")
		b, addrB := r.named(typ, "b")
		r.Listen(a, 1)
		r.Accept(a, 0)
		r.Connect(a, addrB)
		r.PeerName(a)
		r.PeerName(b)
		c := r.open(local, typ)
		r.Connect(c, addrA)
		r.Connect(c, addrB)
		r.SendTo(c, "x", 0, addrA)
		r.Connect(b, addrA)
		r.Connect(a, addrA)
		r.Connect(a, unspec)
		r.PeerName(a)
		r.Send(a, "x", 0)
		r.Connect(a, cut(unspec, 1))
		r.Connect(a, cut(unspec, 2))
	})
	return list
}

func unixStreamScenarios() (list []scenario) {
	add := func(name string, f func(r *unixRun, a, b int)) {
		list = append(list, unixScenario("stream/"+name, func(r *unixRun) {
			a, b := r.pair(stream)
			f(r, a, b)
		}))
	}
	add("both ways", func(r *unixRun, a, b int) {
		r.Send(a, "hello", 0)
		r.Send(b, "world", 0)
		r.Recv(a, 10, 0)
		r.Recv(b, 2, 0)
		r.FionRead(b)
		r.Recv(b, 10, 0)
		r.Recv(b, 10, socket.MSG_DONTWAIT)
		r.SockName(a)
		r.PeerName(a)
	})
	add("joins", func(r *unixRun, a, b int) {
		for _, s := range []string{"one", "", "two", "three"} {
			r.Send(a, s, 0)
		}
		r.FionRead(b)
		r.outq(a)
		r.Recv(b, 4, 0)
		r.outq(a)
		r.RecvMsg(b, 0, 1, 0, 100)
		r.outq(a)
	})
	add("peek", func(r *unixRun, a, b int) {
		r.Send(a, "one", 0)
		r.Send(a, "two", 0)
		r.Recv(b, 2, socket.MSG_PEEK)
		r.Recv(b, 10, socket.MSG_PEEK)
		r.Recv(b, 1, 0)
		r.Recv(b, 10, socket.MSG_PEEK)
		r.Recv(b, 10, socket.MSG_PEEK|socket.MSG_TRUNC)
		r.Recv(b, 10, 0)
		r.Recv(b, 10, socket.MSG_PEEK|socket.MSG_DONTWAIT)
	})
	add("flags", func(r *unixRun, a, b int) {
		r.Send(a, "0123456789", 0)
		r.Recv(b, 3, socket.MSG_TRUNC)
		r.RecvMsg(b, socket.MSG_TRUNC, 2)
		r.Recv(b, 2, socket.MSG_ERRQUEUE)
		r.Recv(b, 0, 0)
		r.Recv(b, 10, socket.MSG_WAITALL|socket.MSG_DONTWAIT)
		r.Recv(b, 10, socket.MSG_WAITALL|socket.MSG_DONTWAIT)
		r.Recv(b, 0, socket.MSG_DONTWAIT)
		r.Send(a, "x", socket.MSG_EOR|socket.MSG_MORE|socket.MSG_CONFIRM)
		r.RecvMsg(b, 0, 10)
	})
	add("wait for all", func(r *unixRun, a, b int) {
		join := r.async(func(r *run) { r.Recv(b, 6, socket.MSG_WAITALL) })
		r.Send(a, "abc", 0)
		r.Send(a, "defg", 0)
		join()
		r.Recv(b, 10, 0)
		join = r.async(func(r *run) { r.Recv(b, 6, socket.MSG_WAITALL) })
		r.Send(a, "abc", 0)
		r.Close(a)
		join()
	})
	add("destination", func(r *unixRun, a, b int) {
		r.SendTo(a, "x", 0, r.path("missing"))
		r.SendTo(a, "x", 0, unspec)
		fd := r.open(local, stream)
		r.SendTo(fd, "x", 0, r.path("missing"))
		r.Send(fd, "x", 0)
	})
	add("blocked receive", func(r *unixRun, a, b int) {
		join := r.async(func(r *run) { r.Recv(b, 10, 0) })
		r.Send(a, "late", 0)
		join()
		join = r.async(func(r *run) { r.Recv(b, 10, 0) })
		r.Shutdown(b, socket.SHUT_RD)
		join()
		r.Send(a, "x", 0)
	})
	add("times out", func(r *unixRun, a, b int) {
		r.receiveTimeout(b, 20)
		r.Recv(b, 1, 0)
		r.SetOpt(a, socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0, 20000))
		n, err := r.send(a, make([]byte, 1<<20), 0)
		r.outcome("send much", err, n)
		n, err = r.send(a, make([]byte, 1<<20), 0)
		r.outcome("send more", err, n)
	})
	for _, size := range []int{1, 100, 700, 1000, 3776, 3777, 4096, 10000, 36544, 40000, 100000} {
		for _, typ := range allTypes {
			list = append(list, unixScenario(fmt.Sprintf("fill/%s by %d", typeNames[typ], size), func(r *unixRun) {
				a, b := r.pair(typ)
				r.fill(a, size)
				r.outq(a)
				r.FionRead(b)
				r.pollNow(a)
				r.Recv(b, size, 0)
				r.outq(a)
				r.pollNow(a)
				for range 4 {
					r.Recv(b, 100000, socket.MSG_DONTWAIT)
					r.pollNow(a)
				}
			}))
		}
	}
	for _, typ := range allTypes {
		list = append(list, unixScenario("fill/small buffer/"+typeNames[typ], func(r *unixRun) {
			a, b := r.pair(typ)
			for _, n := range []int{0, 5000, 10000} {
				r.SetInt(a, socket.SOL_SOCKET, socket.SO_SNDBUF, n)
				r.GetOpt(a, socket.SOL_SOCKET, socket.SO_SNDBUF, 4)
				r.fill(a, 1)
				r.fill(a, 3000)
				n, err := r.send(a, make([]byte, 20000), socket.MSG_DONTWAIT)
				r.outcome("send 20000", err, n)
				for range 100 {
					if _, _, err := r.recvfrom(b, make([]byte, 100000), socket.MSG_DONTWAIT); err != nil {
						break
					}
				}
				r.outq(a)
				n, err = r.send(a, make([]byte, 15000), socket.MSG_DONTWAIT)
				r.outcome("send 15000", err, n)
			}
		}))
	}
	add("bulk", func(r *unixRun, a, b int) {
		const total = 3 << 20
		join := r.async(func(r *run) {
			n, err := r.send(a, []byte(strings.Repeat("0123456789abcdef", total/16)), 0)
			r.outcome("send", err, n)
			r.Close(a)
		})
		got, ok, buf := 0, true, make([]byte, 50001)
		for {
			n, _, err := r.recvfrom(b, buf, 0)
			if n <= 0 || err != nil {
				r.outcome("end", err, n)
				break
			}
			for i, c := range buf[:n] {
				ok = ok && c == "0123456789abcdef"[(got+i)%16]
			}
			got += n
		}
		join()
		r.note("%d bytes, right: %v", got, ok)
	})
	return list
}

func unixDgramScenarios() (list []scenario) {
	add := func(name string, f func(r *unixRun, a, b int)) {
		for _, typ := range []int{dgram, seqpacket} {
			list = append(list, unixScenario("dgram/"+name+"/"+typeNames[typ], func(r *unixRun) {
				a, b := r.pair(typ)
				f(r, a, b)
			}))
		}
	}
	add("messages", func(r *unixRun, a, b int) {
		for _, s := range []string{"one", "", "three"} {
			r.Send(a, s, 0)
		}
		r.FionRead(b)
		r.outq(a)
		r.Recv(b, 10, socket.MSG_PEEK)
		r.RecvMsg(b, 0, 1, 10)
		r.FionRead(b)
		r.Recv(b, 10, 0)
		r.RecvMsg(b, 0, 2)
		r.Recv(b, 10, socket.MSG_DONTWAIT)
		r.SendMsg(a, 0, "ab", "", "cd")
		r.SendMsg(a, 0)
		r.RecvMsg(b, socket.MSG_WAITALL, 10)
		r.Recv(b, 10, 0)
	})
	add("truncated", func(r *unixRun, a, b int) {
		for range 5 {
			r.Send(a, "0123456789", 0)
		}
		r.Recv(b, 4, 0)
		r.RecvMsg(b, socket.MSG_TRUNC, 2, 2)
		r.RecvMsg(b, socket.MSG_PEEK|socket.MSG_TRUNC, 4)
		r.Recv(b, 0, 0)
		r.RecvMsg(b, 0, 10)
		r.RecvMsg(b, 0)
	})
	add("flags", func(r *unixRun, a, b int) {
		r.Send(a, "x", socket.MSG_OOB)
		r.Recv(b, 1, socket.MSG_OOB)
		r.Send(a, "x", socket.MSG_EOR)
		r.RecvMsg(b, 0, 4)
		r.Recv(b, 1, socket.MSG_ERRQUEUE|socket.MSG_DONTWAIT)
	})
	add("destination", func(r *unixRun, a, b int) {
		r.SendTo(a, "x", 0, r.path("missing"))
		r.SendTo(a, "x", 0, unspec)
		r.SendTo(a, "x", 0, cut(unspec, 0))
		r.Recv(b, 1, socket.MSG_DONTWAIT)
	})
	add("too long", func(r *unixRun, a, b int) {
		for _, n := range []int{212960, 212961, 212992, 300000} {
			k, err := r.send(a, make([]byte, n), socket.MSG_DONTWAIT)
			r.outcome(fmt.Sprintf("send %d", n), err, k)
			r.outq(a)
			k, _, err = r.recvfrom(b, make([]byte, 400000), socket.MSG_DONTWAIT)
			r.outcome("recv", err, k)
		}
	})
	named := func(name string, f func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr)) {
		list = append(list, unixScenario("dgram/"+name, func(r *unixRun) {
			a, addrA := r.named(dgram, "a")
			b, addrB := r.named(dgram, "b")
			f(r, a, addrA, b, addrB)
		}))
	}
	named("named", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		r.SendTo(a, "to b", 0, addrB)
		r.Recv(b, 10, 0)
		r.SendTo(r.open(local, dgram), "from nobody", 0, addrB)
		r.Recv(b, 20, 0)
		r.SendTo(a, "x", 0, r.path("missing"))
		r.SendTo(a, "x", 0, r.abstract("missing"))
		r.SendTo(a, "x", 0, inetAddr)
		r.SendTo(a, "x", 0, cut(addrB, 2))
		r.SendTo(a, "me", 0, addrA)
		r.Recv(a, 10, 0)
		_, other := r.named(stream, "s")
		r.SendTo(a, "x", 0, other)
	})
	named("full queue", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		must(r.run, 0, r.setnonblock(a, true))
		for range 13 {
			r.SendTo(a, "x", 0, addrB)
		}
		r.pollNow(a)
		r.Connect(a, addrB)
		r.pollNow(a)
		r.Send(a, "x", 0)
		r.Recv(b, 1, 0)
		r.pollNow(a)
		r.Send(a, "x", 0)
		r.Send(a, "x", 0)
		r.Connect(b, addrA)
		r.pollNow(a)
		r.Send(a, "x", 0)
	})
	named("waits for room", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		for range 11 {
			r.SendTo(a, "x", 0, addrB)
		}
		join := r.async(func(r *run) { r.SendTo(a, "late", 0, addrB) })
		r.Recv(b, 1, 0)
		join()
		join = r.async(func(r *run) { r.SendTo(a, "too late", 0, addrB) })
		r.Close(b)
		join()
		r.SetOpt(a, socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0, 20000))
		c, addrC := r.named(dgram, "c")
		for range 12 {
			r.SendTo(a, "x", 0, addrC)
		}
		r.SockErr(c)
	})
	named("poll woken by room", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		r.Connect(a, addrB)
		r.fill(a, 1)
		join := r.async(func(r *run) {
			p := []socket.PollFd{{Fd: a, Events: socket.POLLOUT}}
			n, err := r.poll(p, 2000)
			r.outcome("poll", err, n, fmt.Sprintf("%#x", uint(p[0].Revents)))
		})
		r.Recv(b, 1, 0)
		join()
	})
	named("peer has another", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		c := r.open(local, dgram)
		r.Connect(c, addrB)
		r.Connect(b, addrA)
		r.Send(c, "x", 0)
		r.Connect(c, addrB)
		r.Send(b, "x", 0)
		r.Recv(a, 2, 0)
	})
	named("dissolved with data", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		r.Connect(a, addrB)
		r.Connect(b, addrA)
		r.Send(a, "lost", 0)
		r.Connect(b, unspec)
		r.pollNow(a)
		r.Recv(b, 10, socket.MSG_DONTWAIT)
		r.Recv(a, 10, socket.MSG_DONTWAIT)
		r.Send(a, "x", 0)
		r.Recv(b, 10, socket.MSG_DONTWAIT)
		r.SockErr(a)
	})
	named("shut down", func(r *unixRun, a int, addrA socket.Sockaddr, b int, addrB socket.Sockaddr) {
		r.Connect(a, addrB)
		r.Send(a, "x", 0)
		r.Shutdown(b, socket.SHUT_RD)
		r.pollNow(b)
		r.pollNow(a)
		r.Send(a, "x", 0)
		r.Recv(b, 1, 0)
		r.Recv(b, 1, socket.MSG_DONTWAIT)
		r.Recv(b, 1, 0)
		r.Shutdown(a, socket.SHUT_WR)
		r.Send(a, "x", 0)
		r.pollNow(a)
	})
	return list
}

// inetAddr is an address of another family.
var inetAddr = lo(inet4, 9)

func unixCloseScenarios() (list []scenario) {
	add := func(name string, f func(r *unixRun, a, b int)) {
		for _, typ := range allTypes {
			list = append(list, unixScenario("close/"+name+"/"+typeNames[typ], func(r *unixRun) {
				a, b := r.pair(typ)
				f(r, a, b)
			}))
		}
	}
	after := func(r *unixRun, fd int) {
		r.pollNow(fd)
		r.PeerName(fd)
		r.FionRead(fd)
		r.outq(fd)
		r.Send(fd, "x", 0)
		r.Send(fd, "x", 0)
		r.pollNow(fd)
		r.Recv(fd, 10, socket.MSG_DONTWAIT)
		r.Recv(fd, 10, socket.MSG_DONTWAIT)
		r.SockErr(fd)
		r.PeerName(fd)
		r.pollNow(fd)
	}
	add("idle", func(r *unixRun, a, b int) {
		r.Close(a)
		after(r, b)
	})
	add("with data for the peer", func(r *unixRun, a, b int) {
		r.Send(a, "last words", 0)
		r.Close(a)
		after(r, b)
	})
	add("with data not received", func(r *unixRun, a, b int) {
		r.Send(b, "unread", 0)
		r.Close(a)
		after(r, b)
	})
	add("with data both ways", func(r *unixRun, a, b int) {
		r.Send(b, "unread", 0)
		r.Send(a, "read", 0)
		r.Close(a)
		r.Recv(b, 10, 0)
		r.Recv(b, 10, socket.MSG_DONTWAIT)
		after(r, b)
	})
	for how := range 3 {
		add(fmt.Sprintf("shutdown %d", how), func(r *unixRun, a, b int) {
			r.Send(a, "ab", 0)
			r.Send(b, "cd", 0)
			r.Shutdown(a, how)
			for _, fd := range []int{a, b} {
				r.pollNow(fd)
				r.Send(fd, "x", 0)
				r.Recv(fd, 1, socket.MSG_DONTWAIT)
				r.Recv(fd, 10, socket.MSG_DONTWAIT)
				r.Recv(fd, 10, socket.MSG_DONTWAIT)
				r.pollNow(fd)
			}
			r.Shutdown(b, how)
			r.pollNow(a)
			r.pollNow(b)
		})
	}
	add("wakes a receiver", func(r *unixRun, a, b int) {
		r.receiveTimeout(b, 500)
		join := r.async(func(r *run) { r.Recv(b, 10, 0) })
		r.Close(a)
		join()
	})
	add("wakes a sender", func(r *unixRun, a, b int) {
		r.fill(a, 4096)
		join := r.async(func(r *run) { r.Send(a, "x", 0) })
		r.Close(b)
		join()
	})
	add("wakes a poll", func(r *unixRun, a, b int) {
		join := r.async(func(r *run) {
			p := []socket.PollFd{{Fd: b, Events: socket.POLLIN | socket.POLLRDHUP}}
			n, err := r.poll(p, 300)
			r.outcome("poll", err, n, fmt.Sprintf("%#x", uint(p[0].Revents)))
		})
		r.Close(a)
		join()
	})
	return list
}
