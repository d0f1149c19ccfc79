package stdnet

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/netdev"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// newNetwork returns a network of its own with only lo.
func newNetwork(t testing.TB) *Network {
	t.Helper()
	if err := families.Register(); err != nil {
		t.Fatal(err)
	}
	st, err := netdev.New(netdev.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return New(st)
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// listen returns a listener on a free port of the family's loopback.
func listen(t testing.TB, n *Network, network string, family int, ip string) *TCPListener {
	t.Helper()
	l, err := n.SocketFunc(timeout(t), network, family, syscall.SOCK_STREAM, &net.TCPAddr{IP: net.ParseIP(ip)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.(*TCPListener).Close() })
	return l.(*TCPListener)
}

func dial(t testing.TB, n *Network, network string, family int, addr net.Addr) (*TCPConn, error) {
	t.Helper()
	c, err := n.SocketFunc(timeout(t), network, family, syscall.SOCK_STREAM, nil, addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.(*TCPConn).Close() })
	return c.(*TCPConn), nil
}

// pair returns two ends of a TCP connection.
func pair(t testing.TB, n *Network) (client, server *TCPConn) {
	t.Helper()
	l := listen(t, n, "tcp", syscall.AF_INET, "127.0.0.1")
	client, err := dial(t, n, "tcp", syscall.AF_INET, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client, c.(*TCPConn)
}

func TestTCPEcho(t *testing.T) {
	client, server := pair(t, newNetwork(t))
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "hello" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := server.Write(got); err != nil {
		t.Fatal(err)
	}
	server.Close()
	got, err = io.ReadAll(client)
	if err != nil || string(got) != "hello" {
		t.Fatalf("read back %q, %v", got, err)
	}
}

func TestUDPEcho(t *testing.T) {
	n := newNetwork(t)
	s, err := n.SocketFunc(timeout(t), "udp", syscall.AF_INET, syscall.SOCK_DGRAM, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := s.(*UDPConn)
	defer server.Close()
	c, err := n.SocketFunc(timeout(t), "udp", syscall.AF_INET, syscall.SOCK_DGRAM, nil, server.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	client := c.(*UDPConn)
	defer client.Close()
	if _, err := client.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	k, from, err := server.ReadFrom(b)
	if err != nil || string(b[:k]) != "ping" || from.String() != client.LocalAddr().String() {
		t.Fatalf("got %q from %v, %v", b[:k], from, err)
	}
	if _, err := server.WriteTo([]byte("pong"), from); err != nil {
		t.Fatal(err)
	}
	k, err = client.Read(b)
	if err != nil || string(b[:k]) != "pong" {
		t.Fatalf("got %q, %v", b[:k], err)
	}
}

func TestConn(t *testing.T) {
	n := newNetwork(t)
	for _, c := range []struct {
		name, network, ip string
		family            int
	}{
		{"IPv4", "tcp4", "127.0.0.1", syscall.AF_INET},
		{"IPv6", "tcp6", "::1", syscall.AF_INET6},
	} {
		t.Run(c.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				l := listen(t, n, c.network, c.family, c.ip)
				c1, err = dial(t, n, c.network, c.family, l.Addr())
				if err != nil {
					return nil, nil, nil, err
				}
				c2, err = l.Accept()
				stop = func() { c1.Close(); c2.Close(); l.Close() }
				return c1, c2, stop, err
			})
		})
	}
}
