//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

// patiently is how long, in milliseconds, a wait that must find something
// waits for it.
const patiently = 2000

const (
	in      = socket.POLLIN
	out     = socket.POLLOUT
	edge    = socket.EPOLLET
	oneshot = socket.EPOLLONESHOT
)

// pairKinds are the connected pairs of every family.
var pairKinds = []struct {
	name string
	make func(r *run) (a, b int)
}{
	{"tcp", func(r *run) (int, int) { a, b, _ := r.connected(inet4); return a, b }},
	{"tcp6", func(r *run) (int, int) { a, b, _ := r.connected(inet6); return a, b }},
	{"udp", func(r *run) (int, int) { return r.peers(inet4) }},
	{"udp6", func(r *run) (int, int) { return r.peers(inet6) }},
	{"unix stream", func(r *run) (int, int) { return r.socketpairOf(stream) }},
	{"unix dgram", func(r *run) (int, int) { return r.socketpairOf(dgram) }},
	{"unix seqpacket", func(r *run) (int, int) { return r.socketpairOf(seqpacket) }},
}

func (r *run) socketpairOf(typ int) (a, b int) {
	fds, err := r.socketpair(local, typ, 0)
	must(r, fds, err)
	r.own(fds[0])
	r.own(fds[1])
	return fds[0], fds[1]
}

// arrive sends to a from b and waits until it is there.
func (r *run) arrive(a, b int, text string) {
	r.Send(b, text, 0)
	r.await(a, in)
}

func epollScenarios() []scenario {
	list := append(epollErrors(), epollSets()...)
	for _, kind := range pairKinds {
		add := func(name string, f func(r *run, ep, a, b int)) {
			list = append(list, scenario{"epoll/" + name + "/" + kind.name, func(r *run) {
				a, b := kind.make(r)
				f(r, r.epoll(), a, b)
			}})
		}
		add("level", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, in, 7)
			r.EpollWait(ep, 4, 0)
			r.arrive(a, b, "x")
			r.EpollLook(ep, 4)
			r.EpollLook(ep, 4)
			r.Recv(a, 9, 0)
			r.EpollWait(ep, 4, 0)
		})
		add("edge", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, in|edge, 7)
			r.EpollWait(ep, 4, 0)
			r.arrive(a, b, "x")
			r.EpollWait(ep, 4, patiently)
			r.EpollWait(ep, 4, 0)
			// More of the same is an event again.
			r.Send(b, "y", 0)
			r.EpollWait(ep, 4, patiently)
			r.EpollWait(ep, 4, 0)
			r.Recv(a, 9, 0)
			r.EpollWait(ep, 4, 0)
		})
		add("edge of what is there", func(r *run, ep, a, b int) {
			r.arrive(a, b, "x")
			r.EpollAdd(ep, a, in|out|edge, 7)
			r.EpollWait(ep, 4, 0)
			r.EpollWait(ep, 4, 0)
			r.EpollMod(ep, a, in|edge, 8)
			r.EpollWait(ep, 4, 0)
			r.EpollWait(ep, 4, 0)
		})
		add("one shot", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, in|oneshot, 7)
			r.arrive(a, b, "x")
			r.EpollWait(ep, 4, patiently)
			r.EpollWait(ep, 4, 0)
			r.arrive(a, b, "y")
			r.EpollWait(ep, 4, 0)
			r.EpollMod(ep, a, in|oneshot, 9)
			r.EpollWait(ep, 4, 0)
			r.EpollWait(ep, 4, 0)
		})
		add("writable", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, out, 7)
			r.EpollLook(ep, 4)
			r.EpollMod(ep, a, in, 7)
			r.EpollWait(ep, 4, 0)
			r.EpollMod(ep, a, allEvents, 7)
			r.EpollLook(ep, 4)
			r.EpollMod(ep, a, 0, 7)
			r.EpollWait(ep, 4, 0)
		})
		add("gone at the other end", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, allEvents, 7)
			r.Close(b)
			r.EpollLook(ep, 4)
			r.EpollMod(ep, a, 0, 7)
			r.EpollLook(ep, 4)
		})
		add("shut down", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, in|socket.POLLRDHUP, 7)
			r.Shutdown(a, socket.SHUT_RD)
			r.EpollLook(ep, 4)
			r.Shutdown(a, socket.SHUT_WR)
			r.EpollLook(ep, 4)
		})
		add("closed", func(r *run, ep, a, b int) {
			r.arrive(a, b, "x")
			r.EpollAdd(ep, a, in, 7)
			r.Close(a)
			r.EpollWait(ep, 4, 0)
			r.EpollDel(ep, a)
		})
		add("closed with a duplicate", func(r *run, ep, a, b int) {
			r.arrive(a, b, "x")
			r.EpollAdd(ep, a, in, 7)
			two, err := r.dup(a)
			r.own(must(r, two, err))
			r.Close(a)
			r.EpollWait(ep, 4, 0)
			r.Close(two)
			r.EpollWait(ep, 4, 0)
		})
		add("woken", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, in|edge, 7)
			join := r.async(func(r *run) { r.EpollWait(ep, 1, patiently) })
			r.Send(b, "x", 0)
			join()
		})
		add("taken out while waited for", func(r *run, ep, a, b int) {
			r.EpollAdd(ep, a, in, 7)
			r.arrive(a, b, "x")
			r.EpollDel(ep, a)
			r.EpollWait(ep, 4, 0)
			r.EpollAdd(ep, a, in, 8)
			r.EpollWait(ep, 4, 0)
		})
	}
	return list
}

func epollErrors() []scenario {
	ctl := func(r *run, what string, ep, op, fd int, ev *socket.EpollEvent) {
		r.outcome(what, r.sys.(epollSys).epollCtl(ep, op, fd, ev))
	}
	return []scenario{
		{"epoll/create", func(r *run) {
			for _, flags := range []int{0, socket.EPOLL_CLOEXEC, 1, socket.SOCK_NONBLOCK, -1} {
				r.EpollCreate(flags)
			}
		}},
		{"epoll/ctl errors", func(r *run) {
			ep, fd := r.epoll(), r.open(inet4, dgram)
			ev := &socket.EpollEvent{Events: in}
			for _, op := range []int{socket.EPOLL_CTL_ADD, socket.EPOLL_CTL_DEL, socket.EPOLL_CTL_MOD, 0, 4, -1} {
				ctl(r, "no event", ep, op, fd, nil)
				ctl(r, "closed set", 1<<20, op, fd, ev)
				ctl(r, "closed descriptor", ep, op, 1<<20, ev)
				ctl(r, "both closed, no event", 1<<20, op, -1, nil)
				ctl(r, "set is a socket", fd, op, ep, ev)
				ctl(r, "itself", ep, op, ep, ev)
				ctl(r, "fine", ep, op, fd, ev)
				ctl(r, "again", ep, op, fd, ev)
			}
		}},
		{"epoll/exclusive", func(r *run) {
			ep, fd := r.epoll(), r.open(inet4, dgram)
			r.EpollAdd(ep, fd, in|socket.POLLRDHUP|socket.EPOLLEXCLUSIVE, 1)
			r.EpollAdd(ep, fd, in|oneshot|socket.EPOLLEXCLUSIVE, 1)
			r.EpollAdd(ep, r.epoll(), in|socket.EPOLLEXCLUSIVE, 1)
			r.EpollAdd(ep, fd, out|edge|socket.EPOLLEXCLUSIVE, 1)
			r.EpollWait(ep, 1, 0)
			r.EpollMod(ep, fd, in, 1)
			r.EpollMod(ep, fd, in|socket.EPOLLEXCLUSIVE, 1)
			r.EpollDel(ep, fd)
		}},
		{"epoll/wait errors", func(r *run) {
			ep, fd := r.epoll(), r.open(inet4, dgram)
			r.EpollWait(ep, 0, 0)
			r.EpollWait(fd, 1, 0)
			r.EpollWait(fd, 0, 0)
			r.EpollWait(1<<20, 1, 0)
			r.EpollWait(ep, 1, 0)
			r.EpollWait(ep, 1, 20)
		}},
		{"epoll/is no socket", func(r *run) {
			ep := r.epoll()
			r.Bind(ep, lo(inet4, 0))
			r.Listen(ep, 1)
			r.Accept(ep, 0)
			r.Accept(ep, 1)
			r.Connect(ep, lo(inet4, 9))
			r.Shutdown(ep, 99)
			r.SockName(ep)
			r.PeerName(ep)
			r.Send(ep, "x", 0)
			r.SendTo(ep, "x", 0, lo(inet4, 9))
			r.SendMsg(ep, 0, "x")
			r.Recv(ep, 1, 0)
			r.RecvMsg(ep, 0, 1)
			r.SetInt(ep, 1, 2, 1)
			r.GetOpt(ep, 1, 2, 4)
			r.Close(ep)
			r.EpollWait(ep, 1, 0)
		}},
	}
}

// epollSets are scenarios of sets with several entries, and of sets in sets.
func epollSets() []scenario {
	return []scenario{
		{"epoll/takes turns", func(r *run) {
			ep := r.epoll()
			for i := range 3 {
				fd := r.open(inet4, dgram)
				r.EpollAdd(ep, fd, out, uint64(i))
			}
			for range 4 {
				r.EpollWait(ep, 2, 0)
			}
		}},
		{"epoll/a duplicate is another entry", func(r *run) {
			ep, fd := r.epoll(), r.open(inet4, dgram)
			two, err := r.dup(fd)
			r.own(must(r, two, err))
			r.EpollAdd(ep, fd, out, 1)
			r.EpollAdd(ep, two, out, 2)
			r.EpollWait(ep, 4, 0)
			r.Close(fd)
			r.EpollWait(ep, 4, 0)
			r.EpollDel(ep, fd)
			r.EpollDel(ep, two)
			r.EpollWait(ep, 4, 0)
		}},
		{"epoll/listener", func(r *run) {
			l, addr := r.listener(inet4)
			ep, fd := r.epoll(), r.open(inet4, stream)
			r.EpollAdd(ep, l, in|edge, 1)
			r.EpollWait(ep, 4, 0)
			r.Connect(fd, addr)
			r.EpollWait(ep, 4, patiently)
			r.EpollWait(ep, 4, 0)
			r.Accept(l, 0)
			r.EpollWait(ep, 4, 0)
		}},
		{"epoll/connecting", func(r *run) {
			_, addr := r.listener(inet4)
			ep, fd := r.epoll(), r.open(inet4, stream)
			must(r, 0, r.setnonblock(fd, true))
			r.EpollAdd(ep, fd, in|out|edge, 1)
			r.EpollWait(ep, 4, 0)
			r.Connect(fd, addr)
			r.EpollWait(ep, 4, patiently)
			r.SockErr(fd)
		}},
		{"epoll/refused", func(r *run) {
			addr := r.freePort(inet4, stream)
			ep, fd := r.epoll(), r.open(inet4, stream)
			must(r, 0, r.setnonblock(fd, true))
			r.Connect(fd, addr)
			r.await(fd, out)
			r.EpollAdd(ep, fd, in|out, 1)
			r.EpollLook(ep, 4)
			r.SockErr(fd)
			r.EpollLook(ep, 4)
		}},
		{"epoll/full buffer", func(r *run) {
			a, b := r.socketpairOf(stream)
			ep := r.epoll()
			r.EpollAdd(ep, a, out|edge, 1)
			r.EpollWait(ep, 4, 0)
			for n := 1; n > 0; {
				n, _ = r.send(a, make([]byte, 4096), socket.MSG_DONTWAIT)
			}
			r.EpollWait(ep, 4, 0)
			for n := 1; n > 0; {
				n, _, _ = r.recvfrom(b, make([]byte, 1<<16), socket.MSG_DONTWAIT)
			}
			r.EpollWait(ep, 4, patiently)
		}},
		{"epoll/polled", func(r *run) {
			ep, fd := r.epoll(), r.open(inet4, dgram)
			r.Poll(ep)
			r.EpollAdd(ep, fd, out, 1)
			r.Poll(ep)
			r.EpollMod(ep, fd, in, 1)
			r.Poll(ep)
		}},
		{"epoll/set in a set", func(r *run) {
			outer, inner := r.epoll(), r.epoll()
			a, b := r.peers(inet4)
			r.EpollAdd(outer, inner, in, 1)
			r.EpollAdd(inner, a, in, 2)
			r.EpollWait(outer, 4, 0)
			r.arrive(a, b, "x")
			r.EpollWait(outer, 4, patiently)
			r.EpollWait(inner, 4, 0)
			r.Recv(a, 9, 0)
			r.EpollWait(outer, 4, 0)
			join := r.async(func(r *run) { r.EpollWait(outer, 4, patiently) })
			r.Send(b, "y", 0)
			join()
			r.Close(inner)
			r.EpollWait(outer, 4, 0)
		}},
		{"epoll/loops", func(r *run) {
			// Deeper than this, releases of Linux differ in the error.
			var sets [5]int
			for i := range sets {
				sets[i] = r.epoll()
			}
			r.EpollAdd(sets[0], sets[1], in, 0)
			r.EpollAdd(sets[1], sets[0], in, 0)
			r.EpollAdd(sets[1], sets[2], in, 0)
			r.EpollAdd(sets[2], sets[0], in, 0)
			for i := 2; i < len(sets)-1; i++ {
				r.EpollAdd(sets[i], sets[i+1], in, 0)
			}
		}},
		{"epoll/deep from the inside", func(r *run) {
			var sets [8]int
			for i := range sets {
				sets[i] = r.epoll()
			}
			for i := len(sets) - 2; i >= 0; i-- {
				r.EpollAdd(sets[i], sets[i+1], in, 0)
			}
		}},
	}
}
