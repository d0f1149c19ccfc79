//go:build linux

package oracle

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/net/socket"
)

// fixedSeeds is how many sequences of calls every test run makes of each kind.
const fixedSeeds = 500

// A fuzzing makes sequences of calls, drawn from its input, on both systems and compares what they return. A plain test run
// makes those of the fixed seeds and of testdata.
type fuzzing struct {
	seed, longest int // bytes of a seed, and the most of an input
	// tries is how often what differs is tried: a port that was just free may be chosen again, by chance.
	tries    int
	scenario func(input []byte) scenario
}

func (z fuzzing) fuzz(f *testing.F) {
	for seed := range fixedSeeds {
		b := make([]byte, z.seed)
		rand.New(rand.NewSource(int64(seed))).Read(b)
		b[0] = byte(seed) // every kind in turn
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > z.longest {
			t.Skip("no longer sequences")
		}
		var want, got []string
		for try := 0; try == 0 || try < z.tries && !slices.Equal(want, got); try++ {
			want, got = twice(t, z.scenario(input))
		}
		if !slices.Equal(want, got) {
			t.Errorf("differs\n%s", diff(want, got))
		}
	})
}

// twice makes the calls of a scenario on both systems and returns what they noted.
func twice(t *testing.T, s scenario) (want, got []string) {
	want = s.do(linux{}, nil)
	layer, st := newTamanet(t)
	defer st.Close()
	got = s.do(layer, want)
	layer.t.Exit()
	return want, got
}

// FuzzCalls is of TCP and UDP sockets.
func FuzzCalls(f *testing.F) {
	fuzzing{seed: 90, longest: 300, tries: 2, scenario: func(input []byte) scenario {
		return scenario{"fuzz", func(r *run) { newCaller(r, input).calls() }}
	}}.fuzz(f)
}

// A caller draws calls from its input. It knows enough of its sockets to make
// calls that mean something, and to leave out those whose outcome is a matter
// of time.
type caller struct {
	*run
	input []byte
	kind  fuzzKind
	socks [4]fuzzSock
}

// A fuzzKind is what a sequence's sockets are.
type fuzzKind struct {
	family, typ int
	calls       []func(c *caller)
}

// A fuzzSock is what is known of a socket.
type fuzzSock struct {
	fd     int // closed if it is negative
	listen bool
	shut   bool
	// peer is set by connect and accept.
	peer bool
}

var fuzzKinds = []fuzzKind{
	{inet4, stream, streamCalls}, {inet6, stream, streamCalls},
	{inet4, dgram, dgramCalls}, {inet6, dgram, dgramCalls},
}

var commonCalls = []func(c *caller){
	(*caller).socketCall, (*caller).bindCall, (*caller).connectCall, (*caller).connectCall, (*caller).sendCall, (*caller).sendCall,
	(*caller).recvCall, (*caller).recvCall, (*caller).nameCall, (*caller).pollCall, (*caller).shutdownCall, (*caller).closeCall,
	(*caller).optionCall,
}

var (
	streamCalls = append([]func(c *caller){
		(*caller).listenCall, (*caller).listenCall, (*caller).acceptCall, (*caller).acceptCall,
	}, commonCalls...)
	dgramCalls = append([]func(c *caller){(*caller).sendToCall, (*caller).sendToCall}, commonCalls...)
)

func newCaller(r *run, input []byte) *caller {
	c := &caller{run: r, input: input}
	c.kind = fuzzKinds[c.draw(len(fuzzKinds))]
	return c
}

// draw returns the next choice of n.
func (c *caller) draw(n int) int {
	if len(c.input) == 0 {
		return 0
	}
	v := int(c.input[0])
	c.input = c.input[1:]
	return v % n
}

func (c *caller) calls() {
	for i := range c.socks {
		c.open(i)
	}
	for len(c.input) > 0 {
		c.kind.calls[c.draw(len(c.kind.calls))](c)
	}
	for i := range c.socks {
		if c.socks[i].fd >= 0 {
			c.look(&c.socks[i])
		}
	}
}

func (c *caller) open(i int) {
	c.socks[i] = fuzzSock{fd: c.run.open(c.kind.family, c.kind.typ)}
	must(c.run, 0, c.setnonblock(c.socks[i].fd, true))
}

// pick draws a socket that is open, and says which.
func (c *caller) pick(call string) *fuzzSock {
	i := c.draw(len(c.socks))
	if c.socks[i].fd < 0 {
		c.open(i)
	}
	c.note("%s on %d", call, i)
	return &c.socks[i]
}

// look notes what can be seen without changing anything.
func (c *caller) look(s *fuzzSock) {
	c.Poll(s.fd)
	if !s.listen {
		c.queued(s.fd)
	}
}

// queued notes how much can be received.
func (c *caller) queued(fd int) {
	var text string
	err := c.eventually("FIONREAD", func() (string, error) {
		n, err := c.fionread(fd)
		text = fmt.Sprint(n)
		return text, err
	})
	c.outcome("FIONREAD", err, text)
}

func (c *caller) socketCall() {
	i := c.draw(len(c.socks))
	if fd := c.socks[i].fd; fd >= 0 {
		c.Close(fd)
	}
	c.open(i)
}

func (c *caller) bindCall() {
	s := c.pick("bind")
	if s.peer {
		return // what connections leave of a name is another matter
	}
	addr := [...]socket.Sockaddr{
		lo(c.kind.family, 0), wildcard(c.kind.family, 0), cut(lo(c.kind.family, 0), 7), at("192.0.2.1", 0), unspec,
	}[c.draw(5)]
	// One that is taken.
	if t := &c.socks[c.draw(len(c.socks))]; c.draw(4) == 0 && !t.peer && t.fd >= 0 {
		if name, err := c.getsockname(t.fd); err == nil {
			addr = name
		}
	}
	c.Bind(s.fd, addr)
	c.SockName(s.fd)
}

func (c *caller) listenCall() {
	s := c.pick("listen")
	if s.shut || s.peer {
		// What connects to one that is shut gets a FIN at once, and one that
		// failed to connect keeps the route's address, on Linux.
		return
	}
	c.Listen(s.fd, 64)
	s.listen = true
}

// target draws the address of one of the sockets that is not s itself, or
// one that nobody has.
func (c *caller) target(s *fuzzSock) socket.Sockaddr {
	t := &c.socks[c.draw(len(c.socks))]
	if t.fd < 0 || t == s {
		return lo(c.kind.family, 9)
	}
	name, err := c.getsockname(t.fd)
	if err != nil || name.Port == 0 {
		return lo(c.kind.family, 9)
	}
	return lo(c.kind.family, name.Port)
}

func (c *caller) connectCall() {
	s := c.pick("connect")
	addr := c.target(s)
	if c.draw(6) == 0 {
		addr = unspec
	}
	// A connect that is not waited for ends when it ends.
	must(c.run, 0, c.setnonblock(s.fd, false))
	c.Connect(s.fd, addr)
	must(c.run, 0, c.setnonblock(s.fd, true))
	s.peer = true
	c.look(s)
}

func (c *caller) acceptCall() {
	s := c.pick("accept")
	c.Poll(s.fd)
	fd := c.Accept(s.fd, socket.SOCK_NONBLOCK)
	if fd < 0 {
		return
	}
	i := c.draw(len(c.socks))
	if &c.socks[i] == s {
		i = (i + 1) % len(c.socks)
	}
	if old := c.socks[i].fd; old >= 0 {
		c.Close(old)
	}
	c.socks[i] = fuzzSock{fd: fd, peer: true}
}

func (c *caller) payload() string { return strings.Repeat("abcdefg", c.draw(20)) }

func (c *caller) sendCall() {
	s := c.pick("send")
	c.look(s)
	c.Send(s.fd, c.payload(), socket.MSG_DONTWAIT)
}

func (c *caller) sendToCall() {
	s := c.pick("sendto")
	c.look(s)
	c.SendTo(s.fd, c.payload(), socket.MSG_DONTWAIT, c.target(s))
}

func (c *caller) recvCall() {
	s := c.pick("recv")
	c.look(s)
	flags := [...]int{0, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_PEEK | socket.MSG_TRUNC}[c.draw(4)]
	c.Recv(s.fd, 1+c.draw(100), flags|socket.MSG_DONTWAIT)
}

func (c *caller) nameCall() {
	s := c.pick("names")
	c.SockName(s.fd)
	c.PeerName(s.fd)
}

func (c *caller) pollCall() {
	s := c.pick("poll")
	c.Poll(s.fd)
	c.SockErr(s.fd)
	c.Poll(s.fd)
}

func (c *caller) shutdownCall() {
	s := c.pick("shutdown")
	c.look(s)
	c.Shutdown(s.fd, c.draw(4))
	s.shut = true
	c.look(s)
}

func (c *caller) closeCall() {
	s := c.pick("close")
	c.look(s)
	c.Close(s.fd)
	s.fd = -1
}

func (c *caller) optionCall() {
	s := c.pick("option")
	opt := [...]struct{ level, name int }{
		{socket.SOL_SOCKET, socket.SO_KEEPALIVE}, {socket.SOL_SOCKET, socket.SO_BROADCAST},
		{socket.SOL_SOCKET, socket.SO_REUSEADDR}, {socket.SOL_SOCKET, socket.SO_ACCEPTCONN},
		{socket.SOL_SOCKET, socket.SO_TYPE}, {socket.SOL_IP, 1}, {socket.SOL_IP, 2}, {socket.SOL_TCP, 4},
	}[c.draw(8)]
	if c.draw(2) == 0 {
		c.SetInt(s.fd, opt.level, opt.name, c.draw(256))
	}
	c.GetOpt(s.fd, opt.level, opt.name, [...]int{4, 0, 2, 8}[c.draw(4)])
}
