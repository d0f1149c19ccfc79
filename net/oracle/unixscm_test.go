//go:build linux

package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tamanet/tamanet/net/socket"
)

// rights is a control message with descriptors.
func rights(fds ...int) []byte {
	var data []byte
	for _, fd := range fds {
		data = binary.NativeEndian.AppendUint32(data, uint32(fd))
	}
	return socket.AppendCmsg(nil, socket.SOL_SOCKET, socket.SCM_RIGHTS, data)
}

// credentials is a control message that says who the sender is.
func credentials(c socket.Ucred) []byte {
	return socket.AppendCmsg(nil, socket.SOL_SOCKET, socket.SCM_CREDENTIALS, c.Append(nil))
}

// SendCtl notes a sendmsg with control messages.
func (r *unixRun) SendCtl(fd int, b string, control []byte) {
	n, err := r.sys.(controlSys).sendctl(fd, []byte(b), control, 0, nil)
	r.outcome("sendmsg", err, n)
}

// RecvCtl notes a recvmsg with room for control messages, none if it is
// negative, and returns the descriptors that came.
func (r *unixRun) RecvCtl(fd, size, room, flags int) (fds []int) {
	b := make([]byte, size)
	var control []byte
	if room >= 0 {
		control = make([]byte, room, room+1)
	}
	n, got, msgflags, err := r.sys.(controlSys).recvctl(fd, b, control, flags)
	if err != nil {
		r.outcome("recvmsg", err)
		return nil
	}
	var what []string
	rest := control[:min(got, len(control))]
	for {
		c, next, ok, err := socket.NextCmsg(rest)
		if err != nil || !ok {
			break
		}
		rest = next
		text := fmt.Sprintf("level %d type %d %d bytes", c.Level, c.Type, len(c.Data))
		switch {
		case c.Type == socket.SCM_RIGHTS:
			for ; len(c.Data) >= 4; c.Data = c.Data[4:] {
				got := int(binary.NativeEndian.Uint32(c.Data))
				fds = append(fds, got)
				r.own(got)
			}
		case c.Type == socket.SCM_CREDENTIALS && bytes.Equal(c.Data, r.sys.(controlSys).cred().Append(nil)):
			text += " (own)"
		default:
			text += fmt.Sprintf(" %x", c.Data)
		}
		what = append(what, text)
	}
	r.outcome("recvmsg", err, n, quote(b, n), fmt.Sprintf("flags %#x control %d of %d: %q", msgflags, got, room, what))
	return fds
}

func unixRightsScenarios() (list []scenario) {
	add := func(name string, f func(r *unixRun, a, b int)) {
		for _, typ := range allTypes {
			list = append(list, unixScenario("rights/"+name+"/"+typeNames[typ], func(r *unixRun) {
				a, b := r.pair(typ)
				f(r, a, b)
			}))
		}
	}
	add("one", func(r *unixRun, a, b int) {
		x, y := r.pair(stream)
		r.Send(x, "before", 0)
		r.SendCtl(a, "take it", rights(y))
		r.Close(y)
		r.pollNow(x)
		r.Send(x, " in flight", 0)
		for _, fd := range r.RecvCtl(b, 100, 100, 0) {
			r.Recv(fd, 100, 0)
			r.Send(fd, "reply", 0)
			r.Recv(x, 100, 0)
			r.Close(fd)
			r.Recv(x, 100, 0)
		}
	})
	add("an inet socket", func(r *unixRun, a, b int) {
		client, server, _ := r.connected(inet4)
		r.SendCtl(a, "x", rights(server))
		r.Close(server)
		r.Send(client, "ping", 0)
		for _, fd := range r.RecvCtl(b, 1, 100, 0) {
			r.await(fd, socket.POLLIN)
			r.Recv(fd, 10, 0)
		}
	})
	add("several", func(r *unixRun, a, b int) {
		x, y := r.pair(stream)
		r.SendCtl(a, "abc", rights(x, y, x))
		fds := r.RecvCtl(b, 3, 100, 0)
		r.note("%d came", len(fds))
		both := append(rights(x), rights(y, y)...)
		r.SendCtl(a, "abc", both)
		r.RecvCtl(b, 3, 100, 0)
	})
	for _, room := range []int{-1, 0, 4, 8, 15, 16, 19, 20, 23, 24, 27, 28, 31, 32} {
		add(fmt.Sprintf("room for %d bytes", room), func(r *unixRun, a, b int) {
			x, y := r.pair(stream)
			r.SendCtl(a, "x", rights(x, y, x))
			r.Close(y)
			fds := r.RecvCtl(b, 1, room, 0)
			r.note("%d came", len(fds))
			r.pollNow(x)
		})
	}
	add("not received", func(r *unixRun, a, b int) {
		x, y := r.pair(stream)
		r.SendCtl(a, "x", rights(y))
		r.Close(y)
		r.pollNow(x)
		r.Close(b)
		r.pollNow(x)
	})
	add("received without asking", func(r *unixRun, a, b int) {
		x, y := r.pair(stream)
		r.SendCtl(a, "x", rights(y))
		r.Close(y)
		r.Recv(b, 1, 0)
		r.pollNow(x)
	})
	add("peek", func(r *unixRun, a, b int) {
		x, y := r.pair(stream)
		r.SendCtl(a, "xy", rights(y))
		r.Close(y)
		first := r.RecvCtl(b, 1, 100, socket.MSG_PEEK)
		second := r.RecvCtl(b, 2, 100, 0)
		for _, fd := range append(first, second...) {
			r.Send(fd, "z", 0)
			r.Recv(x, 1, 0)
		}
	})
	add("ends a receive", func(r *unixRun, a, b int) {
		x, _ := r.pair(stream)
		r.Send(a, "one", 0)
		r.SendCtl(a, "two", rights(x))
		r.Send(a, "three", 0)
		r.SendCtl(a, "four", rights(x))
		for range 4 {
			r.RecvCtl(b, 100, 100, socket.MSG_DONTWAIT)
		}
	})
	add("in parts", func(r *unixRun, a, b int) {
		x, _ := r.pair(stream)
		r.SendCtl(a, "abcdef", rights(x))
		r.RecvCtl(b, 2, 100, socket.MSG_DONTWAIT)
		r.RecvCtl(b, 2, 100, socket.MSG_DONTWAIT)
		r.RecvCtl(b, 9, 100, socket.MSG_DONTWAIT)
	})
	add("empty message", func(r *unixRun, a, b int) {
		x, y := r.pair(stream)
		r.SendCtl(a, "", rights(y))
		r.Close(y)
		r.RecvCtl(b, 1, 100, socket.MSG_DONTWAIT)
		r.pollNow(x)
	})
	add("wrong", func(r *unixRun, a, b int) {
		r.SendCtl(a, "x", rights(1<<20))
		r.SendCtl(a, "x", rights(-1))
		r.SendCtl(a, "x", rights(a, 1<<20))
		r.SendCtl(a, "x", rights())
		many := make([]int, 254)
		for i := range many {
			many[i] = a
		}
		r.SendCtl(a, "x", rights(many...))
		r.SendCtl(a, "x", append(rights(many[:200]...), rights(many[:54]...)...))
		ok := rights(a)
		for _, n := range []uint64{0, 15, 16, 17, 19, 20, 21, 24, 25, 1 << 40} {
			bad := bytes.Clone(ok)
			binary.NativeEndian.PutUint64(bad, n)
			r.SendCtl(a, "x", bad)
		}
		for n := range len(ok) {
			r.SendCtl(a, "x", ok[:n])
		}
		for _, typ := range []int{0, 3, 4, 5, 99} {
			r.SendCtl(a, "x", socket.AppendCmsg(nil, socket.SOL_SOCKET, typ, make([]byte, 4)))
		}
		for _, level := range []int{0, 6, 41, 999} {
			r.SendCtl(a, "x", socket.AppendCmsg(nil, level, 1, make([]byte, 4)))
		}
	})
	add("many", func(r *unixRun, a, b int) {
		many := make([]int, 253)
		for i := range many {
			many[i] = a
		}
		r.SendCtl(a, "x", rights(many...))
		fds := r.RecvCtl(b, 1, 2000, 0)
		r.note("%d came", len(fds))
	})
	add("itself", func(r *unixRun, a, b int) {
		r.SendCtl(a, "x", rights(a, b))
		for _, fd := range r.RecvCtl(b, 1, 100, 0) {
			r.Close(fd)
		}
		r.SendCtl(a, "x", rights(a, b))
		r.Close(a)
		r.Close(b)
	})
	add("cloexec and flags", func(r *unixRun, a, b int) {
		x, _ := r.pair(stream)
		must(r.run, 0, r.setnonblock(x, true))
		r.SendCtl(a, "x", rights(x))
		for _, fd := range r.RecvCtl(b, 1, 100, socket.MSG_CMSG_CLOEXEC) {
			r.Recv(fd, 1, 0) // non-blocking goes with the file
		}
	})
	return append(list, unixScenario("rights/to inet", func(r *unixRun) {
		for _, typ := range []int{stream, dgram} {
			var fd int
			if typ == stream {
				fd, _, _ = r.connected(inet4)
			} else {
				fd, _ = r.peers(inet4)
			}
			r.SetInt(fd, socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
			r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_PASSCRED, 4)
			r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
		}
	}))
}

func unixCredScenarios() (list []scenario) {
	on := func(r *unixRun, fd int) { r.SetInt(fd, socket.SOL_SOCKET, socket.SO_PASSCRED, 1) }
	add := func(name string, f func(r *unixRun, a, b int)) {
		for _, typ := range allTypes {
			list = append(list, unixScenario("cred/"+name+"/"+typeNames[typ], func(r *unixRun) {
				a, b := r.pair(typ)
				f(r, a, b)
			}))
		}
	}
	add("asked for", func(r *unixRun, a, b int) {
		r.Send(a, "early", 0)
		on(r, b)
		r.GetOpt(b, socket.SOL_SOCKET, socket.SO_PASSCRED, 4)
		r.Send(a, "late", 0)
		r.RecvCtl(b, 5, 100, socket.MSG_DONTWAIT)
		r.RecvCtl(b, 5, 100, socket.MSG_DONTWAIT)
		r.SetInt(b, socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
		r.Send(a, "off", 0)
		r.RecvCtl(b, 5, 100, socket.MSG_DONTWAIT)
	})
	add("asked for by the sender", func(r *unixRun, a, b int) {
		on(r, a)
		r.Send(a, "x", 0)
		r.SetInt(a, socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
		on(r, b)
		r.RecvCtl(b, 5, 100, 0)
		r.SockName(a)
	})
	add("not glued", func(r *unixRun, a, b int) {
		r.Send(a, "nobody's", 0)
		on(r, b)
		r.Send(a, "one", 0)
		r.Send(a, "two", 0)
		for range 3 {
			r.RecvCtl(b, 50, 100, socket.MSG_DONTWAIT)
		}
	})
	for _, room := range []int{-1, 0, 8, 16, 20, 27, 28, 31, 32, 40, 52, 56} {
		add(fmt.Sprintf("room for %d bytes", room), func(r *unixRun, a, b int) {
			on(r, b)
			r.SendCtl(a, "x", rights(a))
			r.RecvCtl(b, 5, room, 0)
		})
	}
	add("named by the sender", func(r *unixRun, a, b int) {
		on(r, b)
		own := r.sys.(controlSys).cred()
		r.SendCtl(a, "own", credentials(own))
		r.RecvCtl(b, 5, 100, 0)
		bad := own
		bad.Uid = 1<<32 - 1
		r.SendCtl(a, "bad", credentials(bad))
		r.SendCtl(a, "short", socket.AppendCmsg(nil, 1, socket.SCM_CREDENTIALS, make([]byte, 8)))
		r.SendCtl(a, "long", socket.AppendCmsg(nil, 1, socket.SCM_CREDENTIALS, make([]byte, 16)))
		r.SendCtl(a, "both", append(credentials(own), rights(a)...))
		r.RecvCtl(b, 5, 100, 0)
	})
	add("error and empty", func(r *unixRun, a, b int) {
		on(r, b)
		r.RecvCtl(b, 5, 100, socket.MSG_DONTWAIT)
		r.Close(a)
		r.RecvCtl(b, 5, 100, socket.MSG_DONTWAIT)
	})
	peer := func(r *unixRun, fd int) {
		var b [12]byte
		n, err := r.getsockopt(fd, socket.SOL_SOCKET, socket.SO_PEERCRED, b[:])
		r.outcome("SO_PEERCRED", err, n, bytes.Equal(b[:], r.sys.(controlSys).cred().Append(nil)), fmt.Sprintf("%x", b[4:]))
	}
	list = append(list, unixTypes("cred/peer of a connection", connTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		peer(r, l)
		r.Listen(l, 1)
		peer(r, l)
		on(r, l)
		fd := r.open(local, typ)
		peer(r, fd)
		r.Connect(fd, a)
		peer(r, fd)
		s := r.Accept(l, 0)
		peer(r, s)
		r.GetOpt(s, socket.SOL_SOCKET, socket.SO_PASSCRED, 4)
	})...)
	list = append(list, unixTypes("cred/binds", allTypes, func(r *unixRun, typ int) {
		l, a := r.named(typ, "l")
		if typ != dgram {
			r.Listen(l, 1)
		}
		fd := r.open(local, typ)
		on(r, fd)
		r.Connect(fd, r.path("missing"))
		r.SockName(fd)
		r.Connect(fd, a)
		r.SockName(fd)
	})...)
	return append(list, unixScenario("cred/peer of datagrams", func(r *unixRun) {
		a, b := r.pair(dgram)
		peer(r, a)
		peer(r, b)
		c, addr := r.named(dgram, "c")
		peer(r, c)
		r.Connect(r.open(local, dgram), addr)
		peer(r, c)
		d := r.open(local, dgram)
		on(r, d)
		r.SendTo(d, "x", 0, addr)
		r.Recv(c, 1, 0)
	}))
}
