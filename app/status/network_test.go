package main

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/stdnet"
)

// patience bounds every wait of the tests; none of them needs it.
const patience = 30 * time.Second

// conn is a connection that half-closes, as those of every network here.
type conn interface {
	net.Conn
	CloseWrite() error
}

// network is where the services run: the operating system's network, and
// tamanet's own.
type network struct {
	name   string
	listen func() (net.Listener, error)
	dial   func(net.Addr) (net.Conn, error)
	packet func() (net.PacketConn, error)
}

var networks = []network{
	{
		name:   "os",
		listen: func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		dial: func(to net.Addr) (net.Conn, error) {
			return net.DialTimeout(to.Network(), to.String(), patience)
		},
		packet: func() (net.PacketConn, error) { return net.ListenPacket("udp", "127.0.0.1:0") },
	},
	{
		name: "tamanet",
		listen: func() (net.Listener, error) {
			return ownSocket[net.Listener](syscall.SOCK_STREAM, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
		},
		dial: func(to net.Addr) (net.Conn, error) {
			if to.Network() == "udp" {
				return ownSocket[net.Conn](syscall.SOCK_DGRAM, nil, to)
			}
			return ownSocket[net.Conn](syscall.SOCK_STREAM, nil, to)
		},
		packet: func() (net.PacketConn, error) {
			return ownSocket[net.PacketConn](syscall.SOCK_DGRAM, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
		},
	},
}

// ownStack is tamanet's network in this process, with only its loopback.
var ownStack = sync.OnceValues(func() (*netdev.Stack, error) {
	st, err := netdev.New(netdev.Config{})
	if err != nil {
		return nil, err
	}
	return st, stdnet.Setup(st)
})

// ownSocket makes a connection, listener or packet connection of tamanet's, as
// package net does on a board.
func ownSocket[T any](sotype int, local, remote net.Addr) (made T, err error) {
	if _, err := ownStack(); err != nil {
		return made, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := map[int]string{syscall.SOCK_STREAM: "tcp", syscall.SOCK_DGRAM: "udp"}[sotype]
	s, err := stdnet.SocketFunc(ctx, name, syscall.AF_INET, sotype, local, remote)
	if err != nil {
		return made, err
	}
	return s.(T), nil
}

// onEach runs a test on each of the networks.
func onEach(t *testing.T, test func(*testing.T, network)) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) { test(t, n) })
	}
}

// serve runs a TCP test service of so many places on loopback and returns its
// listener. The listener is closed, and the service gone, when the test ends.
func (n network) serve(t *testing.T, places int, handle func(net.Conn, time.Duration)) *limitListener {
	t.Helper()
	ln, err := n.listen()
	if err != nil {
		t.Fatal(err)
	}
	limited := limit(ln, places)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		serveTCP(limited, handle)
	}()
	t.Cleanup(func() {
		ln.Close()
		<-gone
	})
	return limited
}

func (n network) connect(t *testing.T, to net.Addr) conn {
	t.Helper()
	c, err := n.dial(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(conn)
}
