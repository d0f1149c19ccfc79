//go:build linux

package oracle

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/bpf"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
)

// queued reads one of the ioctls that tell what waits.
func (r *run) queued(fd int, cmd uint) (n int, err error) {
	err = r.sys.(ioctlSys).ioctl(fd, cmd, &n)
	return n, err
}

// Queued notes one of them, once it is as on the other side.
func (r *run) Queued(fd int, cmd uint) {
	var n int
	step := fmt.Sprintf("ioctl %#x", cmd)
	err := r.eventually(step, func() (string, error) {
		var err error
		n, err = r.queued(fd, cmd)
		return fmt.Sprint(n), err
	})
	r.outcome(step, err, n)
}

// until waits for what the scenario looks at to settle: acknowledgements, of
// which no event tells.
func (r *run) until(settled func() bool) {
	for deadline := time.Now().Add(settle); !settled() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// fill sends without waiting until the connection takes no more, and returns
// how much it took.
func (r *run) fill(fd int) (sent int) {
	big := []byte(strings.Repeat("x", 1<<15))
	for {
		n, err := r.send(fd, big, socket.MSG_DONTWAIT)
		if err != nil {
			r.outcome("send until full", err)
			return sent
		}
		sent += n
	}
}

// receiveAll receives n bytes.
func (r *run) receiveAll(fd, n int) {
	buf := make([]byte, 1<<16)
	for n > 0 {
		got, _, err := r.recvfrom(fd, buf[:min(len(buf), n)], 0)
		must(r, got, err)
		n -= got
	}
}

func tcpScenarios() []scenario {
	var list []scenario
	add := func(name string, f func(r *run, family int)) {
		list = append(list, both("tcp/"+name, f)...)
	}
	add("quickack/interactive", func(r *run, family int) {
		client, server, _ := r.connected(family)
		look := func() {
			for _, fd := range []int{client, server} {
				r.GetOpt(fd, socket.SOL_TCP, tcp.TCP_QUICKACK, 4)
			}
		}
		one := func(from, to int) {
			r.Send(from, "x", 0)
			r.Recv(to, 1, 0)
			look()
		}
		look()
		one(client, server)
		one(server, client) // what is answered at once is interactive
		one(client, server)
		r.SetInt(server, socket.SOL_TCP, tcp.TCP_QUICKACK, 1)
		look()
		one(server, client)
	})
	add("queues/empty", func(r *run, family int) {
		fresh := r.open(family, stream)
		client, server, l := r.connected(family)
		for _, cmd := range []uint{socket.SIOCINQ, socket.SIOCOUTQ, socket.SIOCOUTQNSD} {
			for _, fd := range []int{fresh, client, server, l} {
				r.Queued(fd, cmd)
			}
		}
	})
	add("queues/full", func(r *run, family int) {
		client, server, _ := r.connected(family)
		sent := r.fill(client)
		var inq, outq, notsent int
		r.until(func() bool {
			inq, _ = r.queued(server, socket.SIOCINQ)
			outq, _ = r.queued(client, socket.SIOCOUTQ)
			notsent, _ = r.queued(client, socket.SIOCOUTQNSD)
			return sent == inq+outq
		})
		r.outcome("queues", nil, sent == inq+outq, outq > 0, notsent > 0, notsent <= outq)
		info := make([]byte, 148)
		_, err := r.getsockopt(client, socket.SOL_TCP, tcp.TCP_INFO, info)
		told := int(binary.NativeEndian.Uint32(info[144:]))
		r.outcome("tcpi_notsent_bytes", err, told > 0 && told <= outq)
		mem := make([]byte, 36)
		_, err = r.getsockopt(client, socket.SOL_SOCKET, socket.SO_MEMINFO, mem)
		r.outcome("SK_MEMINFO_WMEM_QUEUED", err, int(binary.NativeEndian.Uint32(mem[20:])) >= outq)
		r.receiveAll(server, sent)
		r.Queued(client, socket.SIOCOUTQ)
		r.Queued(client, socket.SIOCOUTQNSD)
	})
	add("queues/after the end", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "abc", 0)
		r.Shutdown(client, socket.SHUT_WR)
		r.await(server, socket.POLLRDHUP)
		r.until(func() bool {
			n, _ := r.queued(client, socket.SIOCOUTQ)
			return n == 0
		})
		r.Queued(client, socket.SIOCOUTQ)
		r.Queued(client, socket.SIOCOUTQNSD)
		r.Queued(server, socket.SIOCINQ)
	})
	add("notsent lowat", func(r *run, family int) {
		client, server, _ := r.connected(family)
		const low = 16384
		r.SetInt(client, socket.SOL_TCP, tcp.TCP_NOTSENT, low)
		r.Poll(client)
		sent := r.fill(client)
		r.Poll(client)
		n, err := r.queued(client, socket.SIOCOUTQNSD)
		r.outcome("not sent", err, n >= low, n < low+2*65536)
		join := r.async(func(r *run) {
			p := []socket.PollFd{{Fd: client, Events: socket.POLLOUT}}
			_, err := r.poll(p, 3000)
			r.outcome("poll", err, fmt.Sprintf("%#x", uint(p[0].Revents)))
		})
		r.receiveAll(server, sent)
		join()
		r.Send(client, "more", 0)
		r.Recv(server, 10, 0)
	})
	add("notsent lowat/blocked send", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetInt(client, socket.SOL_TCP, tcp.TCP_NOTSENT, 1)
		const size = 4 << 20
		join := r.async(func(r *run) {
			n, err := r.send(client, make([]byte, size), 0)
			r.outcome("send", err, n)
		})
		r.receiveAll(server, size)
		join()
	})
	add("peek offset", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetInt(server, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 2)
		r.Send(client, "abcdefgh", 0)
		r.awaitInq(server, 8)
		off := func() { r.GetOpt(server, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 4) }
		r.Recv(server, 3, socket.MSG_PEEK)
		off()
		r.Recv(server, 2, 0)
		off()
		r.Recv(server, 10, socket.MSG_PEEK)
		off()
		r.Recv(server, 10, socket.MSG_PEEK|socket.MSG_DONTWAIT)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
		off()
		r.SetInt(server, socket.SOL_SOCKET, socket.SO_PEEK_OFF, -1)
		r.Send(client, "xyz", 0)
		r.Recv(server, 2, socket.MSG_PEEK)
		r.Recv(server, 2, socket.MSG_PEEK)
		off()
	})
	add("peek offset/past what is there", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetInt(server, socket.SOL_SOCKET, socket.SO_PEEK_OFF, 5)
		r.Send(client, "abc", 0)
		r.awaitInq(server, 3)
		r.receiveTimeout(server, 30)
		r.Recv(server, 4, socket.MSG_PEEK)
		r.receiveTimeout(server, 3000)
		join := r.async(func(r *run) { r.Recv(server, 4, socket.MSG_PEEK) })
		r.Send(client, "defgh", 0)
		join()
	})
	add("peek all", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Send(client, "abc", 0)
		r.awaitInq(server, 3)
		r.receiveTimeout(server, 30)
		r.Recv(server, 6, socket.MSG_PEEK|socket.MSG_WAITALL)
		r.Recv(server, 6, socket.MSG_PEEK|socket.MSG_WAITALL|socket.MSG_DONTWAIT)
		r.receiveTimeout(server, 3000)
		join := r.async(func(r *run) { r.Recv(server, 6, socket.MSG_PEEK|socket.MSG_WAITALL) })
		r.Send(client, "defgh", 0)
		join()
		r.Shutdown(client, socket.SHUT_WR)
		r.Recv(server, 20, socket.MSG_PEEK|socket.MSG_WAITALL)
		r.Recv(server, 20, socket.MSG_WAITALL)
	})
	add("connect to itself", func(r *run, family int) {
		fd, a := r.bound(family, stream)
		r.Connect(fd, a)
		r.Poll(fd)
		r.SockName(fd)
		r.PeerName(fd)
		r.Send(fd, "to myself", 0)
		r.Recv(fd, 20, 0)
		r.Shutdown(fd, socket.SHUT_WR)
		r.Recv(fd, 20, 0)
	})
	add("connect to many", func(r *run, family int) {
		targets := []socket.Sockaddr{at("224.0.0.1", 9), at("255.255.255.255", 9), at("127.255.255.255", 9)}
		if family == inet6 {
			targets = []socket.Sockaddr{at("ff02::1", 9), at("ff0e::1", 9), at("::ffff:224.0.0.1", 9)}
		}
		for _, a := range targets {
			fd := r.open(family, stream)
			r.Connect(fd, a)
			r.Poll(fd)
			r.SockErr(fd)
		}
	})
	add("shut a listener", func(r *run, family int) {
		for _, how := range []int{socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR} {
			l, _ := r.listener(family)
			r.Shutdown(l, how)
			r.GetOpt(l, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
			r.Poll(l)
			r.Shutdown(l, how)
		}
	})
	add("receive low mark", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.SetInt(server, socket.SOL_SOCKET, socket.SO_RCVLOWAT, 6)
		r.Send(client, "abc", 0)
		r.awaitInqQuietly(server, 3)
		r.Poll(server)
		r.Recv(server, 10, socket.MSG_DONTWAIT)
		r.Send(client, "abc", 0)
		join := r.async(func(r *run) { r.Recv(server, 10, 0) })
		r.Send(client, "def", 0)
		join()
		r.Send(client, "ghi", 0)
		r.receiveTimeout(server, 50)
		r.Recv(server, 10, 0)
		r.Send(client, "jklmnop", 0)
		r.await(server, socket.POLLIN)
		r.Poll(server)
		r.Recv(server, 2, 0)
		r.Shutdown(client, socket.SHUT_WR)
		r.Recv(server, 10, 0)
	})
	add("buffer lock", func(r *run, family int) {
		fd := r.open(family, stream)
		lock := func() { r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_BUF_LOCK, 4) }
		lock()
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_RCVBUF, 10000)
		lock()
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_SNDBUF, 10000)
		lock()
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_BUF_LOCK, 1)
		lock()
		r.SetInt(fd, socket.SOL_SOCKET, socket.SO_RCVBUFFORCE, 10000)
		lock()
	})
	add("bind without a port", func(r *run, family int) {
		l, a := r.listener(family)
		fd := r.open(family, stream)
		r.SetInt(fd, socket.SOL_IP, inet.IP_BIND_ADDRESS_NO_PORT, 1)
		r.Bind(fd, lo(family, 0))
		name, err := r.getsockname(fd)
		r.outcome("getsockname", err, name.IP(), name.Port)
		r.Bind(fd, lo(family, 0))
		r.Connect(fd, a)
		name, err = r.getsockname(fd)
		r.outcome("getsockname", err, name.IP(), name.Port != 0)
		r.Accept(l, 0)
		r.Bind(fd, lo(family, 0))
		r.Connect(fd, unspec)
		name, err = r.getsockname(fd)
		r.outcome("getsockname", err, name.IP(), name.Port != 0)
	})
	add("bind without a port/listen", func(r *run, family int) {
		fd := r.open(family, stream)
		r.SetInt(fd, socket.SOL_IP, inet.IP_BIND_ADDRESS_NO_PORT, 1)
		r.Bind(fd, lo(family, 0))
		r.Listen(fd, 1)
		name, err := r.getsockname(fd)
		r.outcome("getsockname", err, name.IP(), name.Port != 0)
		r.Connect(r.open(family, stream), name)
	})
	add("bind without a port/port given", func(r *run, family int) {
		fd := r.open(family, stream)
		r.SetInt(fd, socket.SOL_IP, inet.IP_BIND_ADDRESS_NO_PORT, 1)
		a := r.freePort(family, stream)
		r.Bind(fd, a)
		name, err := r.getsockname(fd)
		r.outcome("getsockname", err, name.IP(), name.Port == a.Port)
		r.Bind(fd, a)
	})
	foreign := func(family int) socket.Sockaddr {
		if family == inet6 {
			return at("2001:db8::5", 0)
		}
		return at("192.0.2.5", 0)
	}
	add("bind to an address to come", func(r *run, family int) {
		fd := r.open(family, stream)
		r.Bind(fd, foreign(family))
		r.SetInt(fd, socket.SOL_IP, inet.IP_FREEBIND, 1)
		r.Bind(fd, foreign(family))
		name, err := r.getsockname(fd)
		r.outcome("getsockname", err, name.IP(), name.Port != 0)
		r.Bind(fd, foreign(family))
		r.Listen(fd, 1)
		r.Accept(must(r, fd, r.setnonblock(fd, true)), 0)
		other := r.open(family, stream)
		r.SetInt(other, socket.SOL_IP, inet.IP_FREEBIND, 1)
		r.Bind(other, name)
	})
	list = append(list, scenario{"tcp/connect from an address to come", func(r *run) {
		_, a := r.listener(inet4)
		fd := r.open(inet4, stream)
		r.SetInt(fd, socket.SOL_IP, inet.IP_FREEBIND, 1)
		r.Bind(fd, foreign(inet4))
		r.Connect(fd, a)
		r.Connect(fd, a)
		r.Poll(fd)
	}})
	return append(append(list, nearScenarios()...), tcpFilterScenarios()...)
}

// awaitInqQuietly waits until n bytes were received though no event tells.
func (r *run) awaitInqQuietly(fd, n int) { r.Queued(fd, socket.SIOCINQ) }

// nearScenarios are the least TTL and hop limit.
func nearScenarios() []scenario {
	hops := func(r *run, fd, family, v int) {
		if family == inet6 {
			r.SetInt(fd, socket.SOL_IPV6, inet.IPV6_UNICAST_HOPS, v)
			return
		}
		r.SetInt(fd, socket.SOL_IP, inet.IP_TTL, v)
	}
	least := func(r *run, fd, family, v int) {
		if family == inet6 {
			r.SetInt(fd, socket.SOL_IPV6, inet.IPV6_MINHOPCOUNT, v)
			return
		}
		r.SetInt(fd, socket.SOL_IP, inet.IP_MINTTL, v)
	}
	list := both("tcp/least TTL/listener", func(r *run, family int) {
		l, a := r.listener(family)
		least(r, l, family, 100)
		far := r.open(family, stream)
		hops(r, far, family, 99)
		r.SetOpt(far, socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0, 50000))
		r.Connect(far, a)
		near := r.open(family, stream)
		hops(r, near, family, 100)
		r.Connect(near, a)
		fd := r.Accept(l, 0)
		r.Send(near, "near", 0)
		r.Recv(fd, 10, 0)
		hops(r, near, family, 10)
		r.Send(near, "far", 0)
		r.receiveTimeout(fd, 50)
		r.Recv(fd, 10, 0)
	})
	return append(list, both("tcp/least TTL/connection", func(r *run, family int) {
		client, server, l := r.connected(family)
		least(r, server, family, 255)
		r.Send(client, "far", 0)
		r.receiveTimeout(server, 50)
		r.Recv(server, 10, 0)
		least(r, server, family, 64)
		r.await(server, socket.POLLIN)
		r.Recv(server, 10, 0)
		least(r, l, family, 255)
		r.Send(client, "accepted before", 0)
		r.await(server, socket.POLLIN)
		r.Recv(server, 20, 0)
	})...)
}

// tcpFilterScenarios are filters on segments.
func tcpFilterScenarios() []scenario {
	nothing := []bpf.Instruction{bpf.RetConstant{Val: 0}}
	list := both("tcp/filter/drops", func(r *run, family int) {
		client, server, _ := r.connected(family)
		r.Attach(server, program(nothing...))
		r.Send(client, "dropped", 0)
		r.receiveTimeout(server, 50)
		r.Recv(server, 10, 0)
		r.SetInt(server, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.await(server, socket.POLLIN)
		r.Recv(server, 10, 0)
	})
	list = append(list, both("tcp/filter/by its first byte", func(r *run, family int) {
		client, server, _ := r.connected(family)
		// The data is where the header's length says: X becomes four times
		// the high half of byte 12.
		code := program(
			bpf.LoadAbsolute{Off: 12, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 60},
			bpf.TAX{},
			bpf.LoadIndirect{Off: 0, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'x', SkipTrue: 1},
			bpf.RetConstant{Val: 0x40000},
			bpf.RetConstant{Val: 0},
		)
		r.Attach(server, code)
		r.Send(client, "abc", 0)
		r.Recv(server, 10, 0)
		r.Send(client, "xyz", 0)
		r.receiveTimeout(server, 50)
		r.Recv(server, 10, 0)
	})...)
	return append(list, both("tcp/filter/listener", func(r *run, family int) {
		client, server, l := r.connected(family)
		name, _ := r.getsockname(l)
		r.Attach(l, program(nothing...))
		fd := r.open(family, stream)
		r.SetOpt(fd, socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0, 50000))
		r.Connect(fd, name)
		r.Send(client, "accepted before", 0)
		r.Recv(server, 20, 0)
		r.SetInt(l, socket.SOL_SOCKET, socket.SO_DETACH_FILTER, 0)
		r.Connect(r.open(family, stream), name)
		r.Accept(l, 0)
	})...)
}
