package stdnet

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/tcp"
)

// TestNoFamilyNoListener takes AF_INET out of the family table.
func TestNoFamilyNoListener(t *testing.T) {
	n := newNetwork(t)
	if err := inet.Unregister(); err != nil {
		t.Fatal(err)
	}
	_, err := n.SocketFunc(context.Background(), "tcp", syscall.AF_INET, syscall.SOCK_STREAM, &net.TCPAddr{}, nil)
	if !errors.Is(err, errno.EAFNOSUPPORT) || !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("listen: %v, want EAFNOSUPPORT", err)
	}
	if err := families.Register(); err != nil {
		t.Fatal(err)
	}
	listen(t, n, "tcp", syscall.AF_INET, "127.0.0.1")
}

// watched is TCP that counts what passes.
type watched struct {
	*tcp.Proto
	connects, accepts, sent, received atomic.Int64
}

func (p *watched) Connect(sk *socket.Sock, addr socket.Sockaddr) error {
	p.connects.Add(1)
	return p.Proto.Connect(sk, addr)
}

func (p *watched) Accept(sk *socket.Sock) (*socket.Sock, error) {
	child, err := p.Proto.Accept(sk)
	if err == nil {
		p.accepts.Add(1)
	}
	return child, err
}

func (p *watched) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	n, err := p.Proto.SendMsg(sk, m, flags)
	p.sent.Add(int64(n))
	return n, err
}

func (p *watched) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	n, err := p.Proto.RecvMsg(sk, m, flags)
	p.received.Add(int64(n))
	return n, err
}

// TestReplacedProtoSWSeesTheTraffic registers AF_INET with another protocol
// in the place of TCP.
func TestReplacedProtoSWSeesTheTraffic(t *testing.T) {
	n := newNetwork(t)
	if err := inet.Unregister(); err != nil {
		t.Fatal(err)
	}
	spy := &watched{Proto: tcp.Prot}
	table := families.InetSW()
	for _, sw := range table {
		if sw.Protocol == socket.IPPROTO_TCP {
			sw.Prot = spy
		}
	}
	if err := inet.Register(table); err != nil {
		t.Fatal(err)
	}
	// Runs after the connections are closed, which then use the usual table.
	t.Cleanup(func() {
		if err := inet.Unregister(); err != nil {
			t.Error(err)
		}
		if err := families.Register(); err != nil {
			t.Error(err)
		}
	})
	client, server := pair(t, n)
	if _, err := client.Write([]byte("seven b")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if _, err := server.Read(b); err != nil {
		t.Fatal(err)
	}
	if spy.connects.Load() == 0 || spy.accepts.Load() != 1 || spy.sent.Load() != 7 || spy.received.Load() != 7 {
		t.Errorf("connects %d, accepts %d, sent %d, received %d",
			spy.connects.Load(), spy.accepts.Load(), spy.sent.Load(), spy.received.Load())
	}
}

func TestSetup(t *testing.T) {
	ctx := context.Background()
	if _, err := SocketFunc(ctx, "tcp", syscall.AF_INET, syscall.SOCK_STREAM, nil, nil); !errors.Is(err, errno.ENETDOWN) {
		t.Errorf("before Setup: %v, want ENETDOWN", err)
	}
	st, err := netdev.New(netdev.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := Setup(st); err != nil {
		t.Fatal(err)
	}
	defer current.Store(nil)
	if netdev.Default() != st {
		t.Error("the stack is not the default")
	}
	l, err := SocketFunc(ctx, "tcp", syscall.AF_INET, syscall.SOCK_STREAM, (*net.TCPAddr)(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.(net.Listener).Close()
}
