//go:build linux

package oracle

import "github.com/tamanet/tamanet/net/socket"

func fdScenarios() []scenario {
	const closed = 1 << 20 // a number that is never open
	calls := map[string]func(r *run, fd int){
		"bind":        func(r *run, fd int) { r.Bind(fd, lo(inet4, 0)) },
		"listen":      func(r *run, fd int) { r.Listen(fd, 1) },
		"accept":      func(r *run, fd int) { r.Accept(fd, 0) },
		"accept bad":  func(r *run, fd int) { r.Accept(fd, 1) },
		"connect":     func(r *run, fd int) { r.Connect(fd, lo(inet4, 9)) },
		"shutdown":    func(r *run, fd int) { r.Shutdown(fd, 99) },
		"close":       func(r *run, fd int) { r.Close(fd) },
		"getsockname": func(r *run, fd int) { r.SockName(fd) },
		"getpeername": func(r *run, fd int) { r.PeerName(fd) },
		"send":        func(r *run, fd int) { r.Send(fd, "x", 0) },
		"sendto":      func(r *run, fd int) { r.SendTo(fd, "x", 0, lo(inet4, 9)) },
		"sendmsg":     func(r *run, fd int) { r.SendMsg(fd, 0, "x") },
		"recv":        func(r *run, fd int) { r.Recv(fd, 1, 0) },
		"recvmsg":     func(r *run, fd int) { r.RecvMsg(fd, 0, 1) },
		"setsockopt":  func(r *run, fd int) { r.SetInt(fd, 1, 2, 1) },
		"getsockopt":  func(r *run, fd int) { r.GetOpt(fd, 1, 2, 4) },
		"ioctl":       func(r *run, fd int) { r.FionRead(fd) },
		"ioctl FIONBIO": func(r *run, fd int) {
			on := 1
			r.Ioctl(fd, socket.FIONBIO, &on)
		},
		"dup": func(r *run, fd int) {
			_, err := r.dup(fd)
			r.outcome("dup", err)
		},
	}
	var list []scenario
	for name, f := range calls {
		list = append(list, scenario{"fd/closed/" + name, func(r *run) {
			f(r, closed)
			f(r, -1)
		}}, scenario{"fd/no socket/" + name, func(r *run) { f(r, r.epoll()) }})
	}
	return append(list, scenario{"fd/lowest free", func(r *run) {
		// The process may have other descriptors open between.
		var fds [4]int
		for i := range fds {
			fds[i] = r.open(inet4, dgram)
			r.note("higher: %v", i == 0 || fds[i] > fds[i-1])
		}
		r.Close(fds[2])
		r.Close(fds[0])
		r.note("the lowest: %v", r.open(inet4, stream) == fds[0])
		n, err := r.dup(fds[1])
		r.own(must(r, n, err))
		r.note("dup the next: %v", n == fds[2])
		r.note("a new one: %v", r.open(inet4, stream) > fds[3])
	}}, scenario{"fd/dup shares flags", func(r *run) {
		fd, _ := r.bound(inet4, dgram)
		two, err := r.dup(fd)
		r.own(must(r, two, err))
		must(r, 0, r.setnonblock(fd, true))
		r.Recv(two, 1, 0)
	}}, scenario{"fd/nonblock from type", func(r *run) {
		fd := r.Socket(inet4, dgram|socket.SOCK_NONBLOCK, 0)
		r.Recv(fd, 1, 0)
	}})
}
