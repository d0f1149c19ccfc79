//go:build linux

package oracle

import (
	"fmt"
	"os"
	"strings"

	"github.com/tamanet/tamanet/net/socket"
)

const (
	local     = socket.AF_UNIX
	seqpacket = socket.SOCK_SEQPACKET
)

// A unixRun is a run with a folder of its own for names.
type unixRun struct {
	*run
	dir string
}

// unixScenario makes a scenario of AF_UNIX sockets.
func unixScenario(name string, f func(r *unixRun)) scenario {
	return scenario{"unix/" + name, func(r *run) {
		dir, err := os.MkdirTemp("", "oracle")
		must(r, 0, err)
		defer os.RemoveAll(dir)
		f(&unixRun{r, dir})
	}}
}

// unixTypes makes a scenario for each of the types.
func unixTypes(name string, types []int, f func(r *unixRun, typ int)) (list []scenario) {
	for _, typ := range types {
		list = append(list, unixScenario(name+"/"+typeNames[typ], func(r *unixRun) { f(r, typ) }))
	}
	return list
}

var (
	typeNames = map[int]string{stream: "stream", dgram: "dgram", seqpacket: "seqpacket"}
	allTypes  = []int{stream, dgram, seqpacket}
	connTypes = []int{stream, seqpacket}
)

// path is a name in the run's folder, abstract one that is no file.
func (r *unixRun) path(name string) socket.Sockaddr { return socket.SockaddrUnix(r.dir + "/" + name) }

func (r *unixRun) abstract(name string) socket.Sockaddr {
	return socket.SockaddrUnix("\x00" + r.dir + "/" + name)
}

// remove unlinks a path.
func (r *unixRun) remove(name string) {
	err := r.sys.(controlSys).unlink(r.dir + "/" + name)
	r.outcome("unlink", err)
}

// unixName writes a name without the folder; those of autobind are alike.
func unixName(a socket.Sockaddr) string {
	name := a.Data[:min(len(a.Data), max(int(a.Len)-2, 0))]
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		kind := "path"
		if name[0] == 0 {
			kind = "abstract"
		}
		return fmt.Sprintf("%s %q", kind, name[at+1:])
	}
	if len(name) == 6 && name[0] == 0 {
		return "autobound"
	}
	return fmt.Sprintf("unix %q length %d", name, a.Len)
}

// pair makes two sockets that are connected with each other.
func (r *unixRun) pair(typ int) (a, b int) {
	fds, err := r.socketpair(local, typ, 0)
	must(r.run, fds, err)
	r.own(fds[0])
	r.own(fds[1])
	return fds[0], fds[1]
}

// named makes a socket with a name.
func (r *unixRun) named(typ int, name string) (int, socket.Sockaddr) {
	fd := r.open(local, typ)
	a := r.path(name)
	must(r.run, 0, r.bind(fd, a))
	return fd, a
}

// connect3 makes a listener and both ends of a connection to it.
func (r *unixRun) connect3(typ int) (client, server, listener int) {
	listener, a := r.named(typ, "listener")
	must(r.run, 0, r.listen(listener, 3))
	client = r.open(local, typ)
	must(r.run, 0, r.connect(client, a))
	server, _, err := r.accept4(listener, 0)
	must(r.run, server, err)
	r.own(server)
	return client, server, listener
}

// pollNow notes the events of fd: nothing here takes time.
func (r *unixRun) pollNow(fd int) {
	p := []socket.PollFd{{Fd: fd, Events: allEvents}}
	_, err := r.poll(p, 0)
	r.outcome("poll", err, fmt.Sprintf("%#x", uint(p[0].Revents)))
}

// outq notes what is charged for messages not yet received.
func (r *unixRun) outq(fd int) {
	n, err := r.sys.(controlSys).siocoutq(fd)
	r.outcome("SIOCOUTQ", err, n)
}

// fill sends until there is no room, and notes how often.
func (r *unixRun) fill(fd, size int) {
	b := make([]byte, size)
	n := 0
	var err error
	for ; err == nil; n++ {
		_, err = r.send(fd, b, socket.MSG_DONTWAIT)
	}
	r.outcome(fmt.Sprintf("after %d sends", n-1), err)
}

func unixScenarios() []scenario {
	var list []scenario
	for _, part := range []func() []scenario{
		unixCreateScenarios, unixNameScenarios, unixConnectScenarios, unixStreamScenarios,
		unixDgramScenarios, unixPeekScenarios, unixUrgentScenarios, unixCloseScenarios, unixRightsScenarios, unixCredScenarios,
	} {
		list = append(list, part()...)
	}
	return list
}

func unixCreateScenarios() (list []scenario) {
	for _, typ := range []int{0, stream, dgram, socket.SOCK_RAW, socket.SOCK_RDM, seqpacket, 6, 10, 11, 15} {
		for _, protocol := range []int{0, 1, 2, 17, -1, 300} {
			list = append(list, unixScenario(fmt.Sprintf("create/type %d protocol %d", typ, protocol), func(r *unixRun) {
				r.Socket(local, typ, protocol)
				fds, err := r.socketpair(local, typ, protocol)
				r.outcome("socketpair", err)
				if err == nil {
					r.own(fds[0])
					r.own(fds[1])
				}
			}))
		}
	}
	return append(list, unixTypes("create/fresh", []int{stream, dgram, seqpacket}, func(r *unixRun, typ int) {
		fd := r.Socket(local, typ, 0)
		r.SockName(fd)
		r.PeerName(fd)
		r.pollNow(fd)
		r.FionRead(fd)
		r.outq(fd)
		for _, name := range []int{
			socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ERROR, socket.SO_ACCEPTCONN,
			socket.SO_SNDBUF, socket.SO_PASSCRED,
		} {
			r.GetOpt(fd, socket.SOL_SOCKET, name, 4)
		}
		for _, n := range []int{0, 4, 12, 20} {
			r.GetOpt(fd, socket.SOL_SOCKET, socket.SO_PEERCRED, n)
		}
		r.SetOpt(fd, socket.SOL_SOCKET, socket.SO_PEERCRED, make([]byte, 12))
		for _, level := range []int{0, 6, 41, 100} {
			r.SetInt(fd, level, 1, 1)
			r.GetOpt(fd, level, 1, 4)
		}
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.Send(fd, "x", 0)
		r.Send(fd, "", 0)
		r.Listen(fd, 1)
		r.Accept(fd, 0)
		for how := -1; how < 4; how++ {
			r.Shutdown(fd, how)
			r.pollNow(fd)
		}
		r.Recv(fd, 1, socket.MSG_DONTWAIT)
		r.Send(fd, "x", 0)
	})...)
}

func unixNameScenarios() (list []scenario) {
	add := func(name string, f func(r *unixRun, typ int)) {
		list = append(list, unixTypes("name/"+name, allTypes, f)...)
	}
	add("path", func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		r.Bind(fd, r.path("a"))
		r.SockName(fd)
		r.Bind(fd, r.path("b"))
		r.Bind(fd, r.path("a"))
		r.Bind(fd, r.abstract("a"))
		r.Bind(fd, cut(r.path("x"), 2))
		r.SockName(fd)
		two := r.open(local, typ)
		r.Bind(two, r.path("a"))
		r.Close(fd)
		r.Bind(two, r.path("a"))
		r.remove("a")
		r.Bind(two, r.path("a"))
		r.SockName(two)
		r.remove("a")
		r.remove("a")
		three := r.open(local, typ)
		r.Bind(three, r.path("a"))
		r.SockName(two)
	})
	add("abstract", func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		r.Bind(fd, r.abstract("a"))
		r.SockName(fd)
		r.Bind(fd, r.abstract("b"))
		two := r.open(local, typ)
		r.Bind(two, r.abstract("a"))
		r.Close(fd)
		r.Bind(two, r.abstract("a"))
		for _, other := range allTypes {
			if other != typ {
				r.Bind(r.open(local, other), r.abstract("a"))
			}
		}
	})
	add("abstract with zeros", func(r *unixRun, typ int) {
		r.Bind(r.open(local, typ), r.abstract("a"))
		r.Bind(r.open(local, typ), r.abstract("a\x00"))
		r.Bind(r.open(local, typ), r.abstract("a\x00\x00"))
		r.Bind(r.open(local, typ), r.abstract("a\x00"))
	})
	add("path with zeros", func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		a := r.path("a\x00\x00b")
		r.Bind(fd, a)
		r.SockName(fd)
		r.Bind(r.open(local, typ), r.path("a"))
	})
	add("path without its zero", func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		a := r.path("abc")
		r.Bind(fd, cut(a, a.Len-1))
		r.SockName(fd)
		r.Bind(r.open(local, typ), cut(a, a.Len-2))
		r.Bind(r.open(local, typ), a)
	})
	add("autobind", func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		r.Bind(fd, socket.SockaddrUnix(""))
		r.SockName(fd)
		r.Bind(fd, socket.SockaddrUnix(""))
		r.Bind(fd, r.path("a"))
		two := r.open(local, typ)
		r.Bind(two, socket.SockaddrUnix(""))
		a, _ := r.getsockname(fd)
		b, _ := r.getsockname(two)
		r.note("names differ: %v", a != b)
	})
	add("lengths", func(r *unixRun, typ int) {
		long := socket.SockaddrUnix("\x00" + strings.Repeat("x", 125))
		for _, n := range []uint16{0, 1, 2, 3, 109, 110, 111, 112, 128} {
			r.note("length %d", n)
			r.Bind(r.open(local, typ), cut(long, n))
			r.Connect(r.open(local, typ), cut(long, n))
		}
	})
	add("longest path", func(r *unixRun, typ int) {
		fd := r.open(local, typ)
		a := r.path("")
		a.Data = a.Data[:len(a.Data)-1] + strings.Repeat("x", 108-len(a.Data)+1)
		a.Len = 110
		r.Bind(fd, a)
		got, err := r.getsockname(fd)
		r.outcome("getsockname", err, got.Len, len(got.Data))
		r.Bind(r.open(local, typ), a)
	})
	add("other family", func(r *unixRun, typ int) {
		a := r.path("a")
		for _, family := range []uint16{0, 2, 10, 77} {
			a.Family = family
			r.Bind(r.open(local, typ), a)
			r.Connect(r.open(local, typ), a)
		}
	})
	return list
}
