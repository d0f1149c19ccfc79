//go:build linux

package oracle

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// The benchmarks measure each call on both systems in one run, so that the
// ratio is what counts: go test -bench . ./net/oracle.

// each runs f on Linux and on tamanet.
func each(b *testing.B, f func(b *testing.B, s sys)) {
	b.Run("linux", func(b *testing.B) {
		b.ReportAllocs()
		f(b, linux{})
	})
	b.Run("tamanet", func(b *testing.B) {
		if err := families.Register(); err != nil {
			b.Fatal(err)
		}
		st, err := netdev.New(netdev.Config{})
		if err != nil {
			b.Fatal(err)
		}
		task := socket.NewTask(st)
		defer st.Close()
		defer task.Exit()
		b.ReportAllocs()
		f(b, tamanet{task})
	})
}

// check is in the loops, and so does without b.Helper.
func check(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}

func fresh(b *testing.B, s sys, typ int) int {
	b.Helper()
	fd, err := s.socket(inet4, typ, 0)
	check(b, err)
	b.Cleanup(func() { s.close(fd) })
	return fd
}

func BenchmarkSocketClose(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		for b.Loop() {
			fd, err := s.socket(inet4, stream, 0)
			check(b, err)
			check(b, s.close(fd))
		}
	})
}

func BenchmarkSocketBindClose(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		for b.Loop() {
			fd, err := s.socket(inet4, dgram, 0)
			check(b, err)
			check(b, s.bind(fd, lo(inet4, 0)))
			check(b, s.close(fd))
		}
	})
}

func BenchmarkGetSockOpt(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		fd := fresh(b, s, stream)
		val := make([]byte, 4)
		for b.Loop() {
			_, err := s.getsockopt(fd, socket.SOL_SOCKET, socket.SO_KEEPALIVE, val)
			check(b, err)
		}
	})
}

func BenchmarkSetSockOpt(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		fd := fresh(b, s, stream)
		val := make([]byte, 4)
		for b.Loop() {
			check(b, s.setsockopt(fd, socket.SOL_TCP, 1, val))
		}
	})
}

func BenchmarkPoll(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		fds := []socket.PollFd{{Fd: fresh(b, s, dgram), Events: socket.POLLIN}}
		for b.Loop() {
			_, err := s.poll(fds, 0)
			check(b, err)
		}
	})
}

// BenchmarkPoll1000 polls a thousand sockets of which none is ready.
func BenchmarkPoll1000(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		if layer, ok := s.(tamanet); ok {
			layer.t.SetNoFile(2000)
		}
		fds := make([]socket.PollFd, 1000)
		for i := range fds {
			fds[i] = socket.PollFd{Fd: fresh(b, s, dgram), Events: socket.POLLIN}
		}
		for b.Loop() {
			_, err := s.poll(fds, 0)
			check(b, err)
		}
	})
}

// BenchmarkEpollOf1000 finds the one socket of a thousand that is ready.
func BenchmarkEpollOf1000(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		if layer, ok := s.(tamanet); ok {
			layer.t.SetNoFile(2000)
		}
		e := s.(epollSys)
		ep, err := e.epollCreate(0)
		check(b, err)
		b.Cleanup(func() { s.close(ep) })
		for i := range 1000 {
			events := socket.POLLIN
			if i == 500 {
				events = socket.POLLOUT
			}
			check(b, e.epollCtl(ep, socket.EPOLL_CTL_ADD, fresh(b, s, dgram), &socket.EpollEvent{Events: events}))
		}
		events := make([]socket.EpollEvent, 8)
		for b.Loop() {
			n, err := e.epollWait(ep, events, 0)
			check(b, err)
			if n != 1 {
				b.Fatalf("%d are ready", n)
			}
		}
	})
}

func BenchmarkUDPSendReceive64(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		one, two := fresh(b, s, dgram), fresh(b, s, dgram)
		for _, fd := range []int{one, two} {
			check(b, s.bind(fd, lo(inet4, 0)))
		}
		addr, err := s.getsockname(two)
		check(b, err)
		check(b, s.connect(one, addr))
		buf := make([]byte, 64)
		for b.Loop() {
			_, err := s.send(one, buf, 0)
			check(b, err)
			_, _, err = s.recvfrom(two, buf, 0)
			check(b, err)
		}
	})
}

// tcpPair returns both ends of a connection.
func tcpPair(b *testing.B, s sys) (client, server int) {
	l := fresh(b, s, stream)
	check(b, s.bind(l, lo(inet4, 0)))
	check(b, s.listen(l, 8))
	addr, err := s.getsockname(l)
	check(b, err)
	client = fresh(b, s, stream)
	check(b, s.connect(client, addr))
	server, _, err = s.accept4(l, 0)
	check(b, err)
	b.Cleanup(func() { s.close(server) })
	return client, server
}

func BenchmarkTCPPingPong(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		client, server := tcpPair(b, s)
		one := make([]byte, 4)
		socket.PutInt(one, 1)
		for _, fd := range []int{client, server} {
			check(b, s.setsockopt(fd, socket.SOL_TCP, unix.TCP_NODELAY, one))
		}
		go func() {
			buf := make([]byte, 64)
			for {
				n, _, err := s.recvfrom(server, buf, 0)
				if n <= 0 || err != nil {
					return
				}
				s.send(server, buf[:n], 0)
			}
		}()
		buf := make([]byte, 64)
		for b.Loop() {
			_, err := s.send(client, buf, 0)
			check(b, err)
			_, _, err = s.recvfrom(client, buf, 0)
			check(b, err)
		}
		s.shutdown(client, socket.SHUT_RDWR)
	})
}

func BenchmarkTCPBulk(b *testing.B) {
	const chunk = 64 << 10
	each(b, func(b *testing.B, s sys) {
		client, server := tcpPair(b, s)
		b.SetBytes(chunk)
		done := make(chan error)
		go func() {
			buf := make([]byte, chunk)
			for {
				n, _, err := s.recvfrom(server, buf, 0)
				if n == 0 {
					err = io.EOF
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
		buf := make([]byte, chunk)
		for b.Loop() {
			_, err := s.send(client, buf, 0)
			check(b, err)
		}
		check(b, s.shutdown(client, socket.SHUT_WR))
		<-done
	})
}

func BenchmarkAccept(b *testing.B) {
	each(b, func(b *testing.B, s sys) {
		l := fresh(b, s, stream)
		check(b, s.bind(l, lo(inet4, 0)))
		check(b, s.listen(l, 128))
		addr, err := s.getsockname(l)
		check(b, err)
		reset := linger(1, 0)
		for b.Loop() {
			fd, err := s.socket(inet4, stream, 0)
			check(b, err)
			check(b, s.connect(fd, addr))
			nfd, _, err := s.accept4(l, 0)
			check(b, err)
			// A reset leaves no TIME_WAIT behind.
			check(b, s.setsockopt(fd, socket.SOL_SOCKET, socket.SO_LINGER, reset))
			check(b, s.close(fd))
			check(b, s.close(nfd))
		}
	})
}
