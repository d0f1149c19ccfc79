//go:build linux

package oracle

import (
	"slices"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/net/socket"
)

// FuzzUnixCalls is of AF_UNIX sockets and an epoll set that watches them. All that happens there happens at once, so that
// nothing is left out as a matter of time.
func FuzzUnixCalls(f *testing.F) {
	fuzzing{seed: 150, longest: 400, tries: 1, scenario: func(input []byte) scenario {
		return unixScenario("fuzz", func(r *unixRun) { newUnixCaller(r, input).calls() })
	}}.fuzz(f)
}

// A unixCaller draws calls on AF_UNIX sockets of one type.
type unixCaller struct {
	caller
	r   *unixRun
	typ int
	ep  int
}

func newUnixCaller(r *unixRun, input []byte) *unixCaller {
	c := &unixCaller{caller: caller{run: r.run, input: input}, r: r}
	c.typ = []int{stream, dgram, seqpacket}[c.draw(3)]
	c.kind = fuzzKind{family: local, typ: c.typ}
	c.ep = r.epoll()
	return c
}

var unixCalls = []func(c *unixCaller){
	(*unixCaller).pairCall, (*unixCaller).bindCall, (*unixCaller).unixConnect, (*unixCaller).unixConnect,
	(*unixCaller).unixListen, (*unixCaller).unixAccept, (*unixCaller).unixAccept,
	(*unixCaller).unixSend, (*unixCaller).unixSend, (*unixCaller).unixSend, (*unixCaller).unixRecv, (*unixCaller).unixRecv, (*unixCaller).unixRecv,
	(*unixCaller).sendTo, (*unixCaller).nameCall, (*unixCaller).errors, (*unixCaller).shut, (*unixCaller).drop,
	(*unixCaller).option, (*unixCaller).watch, (*unixCaller).watch, (*unixCaller).wait, (*unixCaller).wait,
}

func (c *unixCaller) calls() {
	for i := range c.socks {
		c.open(i)
	}
	for len(c.input) > 0 {
		unixCalls[c.draw(len(unixCalls))](c)
	}
	for i := range c.socks {
		if s := &c.socks[i]; s.fd >= 0 {
			c.see(s)
		}
	}
}

// see notes what can be seen without changing anything.
func (c *unixCaller) see(s *fuzzSock) {
	c.r.pollNow(s.fd)
	c.r.FionRead(s.fd)
	c.r.outq(s.fd)
	c.Ioctl(s.fd, socket.SIOCATMARK, new(int))
}

// replace puts fd in a slot, and closes what was there.
func (c *unixCaller) replace(i, fd int) {
	if old := c.socks[i].fd; old >= 0 {
		c.Close(old)
	}
	c.socks[i] = fuzzSock{fd: fd}
	must(c.run, 0, c.setnonblock(fd, true))
}

func (c *unixCaller) pairCall() {
	a, b := c.r.pair(c.typ)
	i := c.draw(len(c.socks))
	c.note("a pair at %d", i)
	c.replace(i, a)
	c.replace((i+1)%len(c.socks), b)
}

// name draws an address.
func (c *unixCaller) name() socket.Sockaddr {
	n := string(rune('a' + c.draw(3)))
	switch c.draw(6) {
	case 0:
		return socket.SockaddrUnix("")
	case 1:
		return unspec
	case 2, 3:
		return c.r.abstract(n)
	}
	return c.r.path(n)
}

func (c *unixCaller) bindCall() {
	s := c.pick("bind")
	c.Bind(s.fd, c.name())
	c.SockName(s.fd)
}

func (c *unixCaller) unixConnect() {
	s := c.pick("connect")
	c.Connect(s.fd, c.name())
	c.see(s)
}

func (c *unixCaller) unixListen() {
	s := c.pick("listen")
	c.Listen(s.fd, c.draw(4))
	c.see(s)
}

func (c *unixCaller) unixAccept() {
	s := c.pick("accept")
	fd := c.Accept(s.fd, socket.SOCK_NONBLOCK)
	if fd < 0 {
		return
	}
	i := c.draw(len(c.socks))
	c.note("at %d", i)
	c.replace(i, fd)
}

func (c *unixCaller) unixSend() {
	s := c.pick("send")
	flags := [...]int{0, 0, 0, socket.MSG_OOB}[c.draw(4)]
	c.Send(s.fd, strings.Repeat("abcdefg", c.draw(4)), flags|socket.MSG_DONTWAIT|socket.MSG_NOSIGNAL)
	c.see(s)
}

func (c *unixCaller) sendTo() {
	s := c.pick("sendto")
	c.SendTo(s.fd, strings.Repeat("hijk", c.draw(3)), socket.MSG_DONTWAIT|socket.MSG_NOSIGNAL, c.name())
	c.see(s)
}

func (c *unixCaller) unixRecv() {
	s := c.pick("recv")
	flags := [...]int{0, 0, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_OOB, socket.MSG_WAITALL, socket.MSG_PEEK | socket.MSG_TRUNC, 0}[c.draw(8)]
	c.RecvMsg(s.fd, flags|socket.MSG_DONTWAIT, 1+c.draw(20))
	c.see(s)
}

func (c *unixCaller) errors() {
	s := c.pick("error")
	c.SockErr(s.fd)
	c.see(s)
}

func (c *unixCaller) shut() {
	s := c.pick("shutdown")
	c.Shutdown(s.fd, c.draw(4))
	c.see(s)
}

func (c *unixCaller) drop() {
	s := c.pick("close")
	c.Close(s.fd)
	s.fd = -1
}

func (c *unixCaller) option() {
	s := c.pick("option")
	name := [...]int{socket.SO_PEEK_OFF, socket.SO_OOBINLINE, socket.SO_PASSCRED, socket.SO_RCVLOWAT, socket.SO_ACCEPTCONN, socket.SO_PROTOCOL}[c.draw(6)]
	if c.draw(2) == 0 {
		c.SetInt(s.fd, socket.SOL_SOCKET, name, c.draw(8)-1)
	}
	c.GetOpt(s.fd, socket.SOL_SOCKET, name, [...]int{4, 0, 2, 8}[c.draw(4)])
}

// watch adds, changes or removes an entry of the epoll set.
func (c *unixCaller) watch() {
	s := c.pick("epoll_ctl")
	events := [...]socket.EventMask{in, in | out, in | socket.POLLPRI | socket.POLLRDHUP, in | out | socket.EPOLLONESHOT, 0}[c.draw(5)]
	switch c.draw(4) {
	case 0:
		c.EpollMod(c.ep, s.fd, events, uint64(len(c.input)))
	case 1:
		c.EpollDel(c.ep, s.fd)
	default:
		c.EpollAdd(c.ep, s.fd, events, uint64(len(c.input)))
	}
}

// wait notes what is reported, in no order.
func (c *unixCaller) wait() {
	events := make([]socket.EpollEvent, 8)
	n, err := c.sys.(epollSys).epollWait(c.ep, events, 0)
	events = events[:max(n, 0)]
	slices.SortFunc(events, func(a, b socket.EpollEvent) int { return int(a.Data) - int(b.Data) })
	c.outcome("epoll_wait", err, reported(events, len(events)))
}
