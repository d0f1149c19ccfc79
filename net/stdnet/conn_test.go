package stdnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

var past = time.Unix(1, 0)

func udpConn(t testing.TB, n *Network, network string, family int, laddr, raddr net.Addr) *UDPConn {
	t.Helper()
	c, err := n.SocketFunc(timeout(t), network, family, syscall.SOCK_DGRAM, laddr, raddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.(*UDPConn).Close() })
	return c.(*UDPConn)
}

// TestErrorsAreOpErrors holds what a program finds in the errors, as package
// net promises it.
func TestErrorsAreOpErrors(t *testing.T) {
	client, server := pair(t, newNetwork(t))
	client.SetReadDeadline(past)
	_, err := client.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "read" || op.Net != "tcp" || op.Addr.String() != server.LocalAddr().String() {
		t.Errorf("read: %#v", err)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || !op.Timeout() {
		t.Errorf("read past the deadline: %v", err)
	}
	client.SetReadDeadline(time.Time{})
	server.SetLinger(0)
	server.Close()
	_, err = client.Read(make([]byte, 1))
	if !errors.Is(err, syscall.ECONNRESET) || err.Error() == "" {
		t.Errorf("read after a reset: %v", err)
	}
	_, err = client.Write([]byte("x"))
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write after a reset: %v", err)
	}
	client.Close()
	for name, err := range map[string]error{
		"read":        second(client.Read(make([]byte, 1))),
		"write":       second(client.Write([]byte("x"))),
		"close":       client.Close(),
		"deadline":    client.SetDeadline(past),
		"option":      client.SetNoDelay(true),
		"linger":      client.SetLinger(1),
		"close write": client.CloseWrite(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s of a closed connection: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDialErrors(t *testing.T) {
	n := newNetwork(t)
	l := listen(t, n, "tcp", syscall.AF_INET, "127.0.0.1")
	refused := l.Addr()
	l.Close()
	for _, c := range []struct {
		name   string
		family int
		laddr  net.Addr
		raddr  net.Addr
		want   error
	}{
		{"refused", syscall.AF_INET, nil, refused, syscall.ECONNREFUSED},
		{"no route", syscall.AF_INET, nil, &net.TCPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 80}, syscall.ENETUNREACH},
		{"not our address", syscall.AF_INET, &net.TCPAddr{IP: net.IPv4(203, 0, 113, 1)}, refused, syscall.EADDRNOTAVAIL},
	} {
		_, err := n.SocketFunc(timeout(t), "tcp", c.family, syscall.SOCK_STREAM, c.laddr, c.raddr)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	var ae *net.AddrError
	for name, addr := range map[string]net.Addr{
		"IPv6 on AF_INET": &net.TCPAddr{IP: net.IPv6loopback, Port: 80},
		"bad IP":          &net.TCPAddr{IP: net.IP{1, 2, 3}, Port: 80},
		"bad port":        &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 70000},
		"unix":            &net.UnixAddr{Name: "x"},
	} {
		if _, err := n.SocketFunc(timeout(t), "tcp", syscall.AF_INET, syscall.SOCK_STREAM, nil, addr); !errors.As(err, &ae) {
			t.Errorf("%s: %v, want an AddrError", name, err)
		}
	}
	if _, err := n.SocketFunc(timeout(t), "tcp", syscall.AF_INET, 77, nil, refused); !errors.Is(err, errno.EINVAL) {
		t.Errorf("unknown type: %v", err)
	}
	if socket.Count() != 0 {
		t.Errorf("%d sockets are left", socket.Count())
	}
}

// TestDialEndsWithItsContext dials into a link that answers nothing.
func TestDialEndsWithItsContext(t *testing.T) {
	n := newNetwork(t)
	link := channel.New(64, 1500, tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01"))
	defer link.Close()
	_, err := n.task.Net.AddInterface(netdev.InterfaceConfig{
		Name: "eth0", Link: link, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")},
	})
	if err != nil {
		t.Fatal(err)
	}
	nobody := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 80}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = n.SocketFunc(ctx, "tcp", syscall.AF_INET, syscall.SOCK_STREAM, nil, nobody)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = n.SocketFunc(ctx, "tcp", syscall.AF_INET, syscall.SOCK_STREAM, nil, nobody)
	var ne net.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("timed out: %v", err)
	}
	if socket.Count() != 0 {
		t.Errorf("%d sockets are left", socket.Count())
	}
	link.Drain()
}

func TestCloseEndsAccept(t *testing.T) {
	l := listen(t, newNetwork(t), "tcp", syscall.AF_INET, "127.0.0.1")
	got := make(chan error, 1)
	go func() { got <- second(l.Accept()) }()
	l.Close()
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

func TestAcceptDeadline(t *testing.T) {
	l := listen(t, newNetwork(t), "tcp", syscall.AF_INET, "127.0.0.1")
	l.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("accept: %v", err)
	}
}

// TestDeadlineMovesWhileWaitedFor moves the deadline of a read that waits.
func TestDeadlineMovesWhileWaitedFor(t *testing.T) {
	client, _ := pair(t, newNetwork(t))
	client.SetReadDeadline(time.Now().Add(time.Hour))
	got := make(chan error, 1)
	go func() { got <- second(client.Read(make([]byte, 1))) }()
	client.SetReadDeadline(past)
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

func TestDualStack(t *testing.T) {
	n := newNetwork(t)
	l := listen(t, n, "tcp", syscall.AF_INET6, "")
	port := l.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		network string
		family  int
		ip      net.IP
	}{
		{"tcp4", syscall.AF_INET, net.IPv4(127, 0, 0, 1)},
		{"tcp6", syscall.AF_INET6, net.IPv6loopback},
		{"tcp", syscall.AF_INET6, net.IPv4(127, 0, 0, 1)},
	} {
		client, err := dial(t, n, c.network, c.family, &net.TCPAddr{IP: c.ip, Port: port})
		if err != nil {
			t.Errorf("%s to %v: %v", c.network, c.ip, err)
			continue
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := server.RemoteAddr().(*net.TCPAddr); !got.IP.Equal(c.ip) || got.Port != client.LocalAddr().(*net.TCPAddr).Port {
			t.Errorf("%s: peer %v, client at %v", c.network, got, client.LocalAddr())
		}
		server.Close()
	}
	// "tcp6" is IPv6 alone.
	only, err := n.SocketFunc(timeout(t), "tcp6", syscall.AF_INET6, syscall.SOCK_STREAM, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer only.(*TCPListener).Close()
	port = only.(*TCPListener).Addr().(*net.TCPAddr).Port
	if _, err := dial(t, n, "tcp4", syscall.AF_INET, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("IPv4 to a tcp6 listener: %v", err)
	}
}

// TestBulk sends both ways at once and compares sums.
func TestBulk(t *testing.T) {
	client, server := pair(t, newNetwork(t))
	const size = 16 << 20
	data := make([]byte, size)
	rand.New(rand.NewSource(1)).Read(data)
	want := sha256.Sum256(data)
	errs := make(chan error, 4)
	for _, c := range []*TCPConn{client, server} {
		go func() {
			_, err := c.Write(data)
			if err == nil {
				err = c.CloseWrite()
			}
			errs <- err
		}()
		go func() {
			h := sha256.New()
			n, err := io.Copy(h, c)
			if err == nil && (n != size || !bytes.Equal(h.Sum(nil), want[:])) {
				err = errors.New("the data differs")
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestUDPConnected(t *testing.T) {
	n := newNetwork(t)
	lo := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	server := udpConn(t, n, "udp", syscall.AF_INET, lo, nil)
	client := udpConn(t, n, "udp", syscall.AF_INET, nil, server.LocalAddr())
	if client.RemoteAddr().String() != server.LocalAddr().String() || server.RemoteAddr() != nil {
		t.Errorf("peers %v and %v", client.RemoteAddr(), server.RemoteAddr())
	}
	if _, err := client.WriteTo([]byte("x"), server.LocalAddr()); !errors.Is(err, net.ErrWriteToConnected) {
		t.Errorf("WriteTo with a peer: %v", err)
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EDESTADDRREQ) {
		t.Errorf("Write without a peer: %v", err)
	}
	if _, err := server.WriteTo([]byte("x"), (*net.UDPAddr)(nil)); err == nil {
		t.Error("WriteTo nowhere succeeded")
	}
	if _, err := server.WriteTo([]byte("x"), &net.TCPAddr{}); err == nil {
		t.Error("WriteTo a TCP address succeeded")
	}
	gone := udpConn(t, n, "udp", syscall.AF_INET, lo, nil)
	client = udpConn(t, n, "udp", syscall.AF_INET, nil, gone.LocalAddr())
	gone.Close()
	client.Write([]byte("x"))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("read from a closed port: %v", err)
	}
}

func TestUDPDualStack(t *testing.T) {
	n := newNetwork(t)
	server := udpConn(t, n, "udp", syscall.AF_INET6, &net.UDPAddr{}, nil)
	port := server.LocalAddr().(*net.UDPAddr).Port
	client := udpConn(t, n, "udp4", syscall.AF_INET, nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	client.Write([]byte("four"))
	b := make([]byte, 10)
	k, from, err := server.ReadFrom(b)
	if err != nil || string(b[:k]) != "four" || from.String() != client.LocalAddr().String() {
		t.Fatalf("%q from %v, %v", b[:k], from, err)
	}
	if _, err := server.WriteTo([]byte("back"), from); err != nil {
		t.Fatal(err)
	}
	if k, err = client.Read(b); string(b[:k]) != "back" {
		t.Errorf("%q, %v", b[:k], err)
	}
}

func TestOptionsReachTheSocket(t *testing.T) {
	client, _ := pair(t, newNetwork(t))
	if v, _ := client.Socket().GetSockOptInt(socket.SOL_TCP, 1); v != 1 {
		t.Error("TCP_NODELAY is off at first")
	}
	if v, _ := client.Socket().GetSockOptInt(socket.SOL_TCP, 4); v != 15 {
		t.Errorf("keep-alive after %d s, want package net's 15", v)
	}
	if err := client.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 90 * time.Second, Interval: -1, Count: 3}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[int]int{4: 90, 5: 15, 6: 3} {
		if v, _ := client.Socket().GetSockOptInt(socket.SOL_TCP, name); v != want {
			t.Errorf("TCP option %d is %d, want %d", name, v, want)
		}
	}
	if err := client.SetReadBuffer(20000); err != nil {
		t.Fatal(err)
	}
	if v, _ := client.Socket().GetSockOptInt(socket.SOL_SOCKET, socket.SO_RCVBUF); v != 40000 {
		t.Errorf("SO_RCVBUF is %d", v)
	}
}
