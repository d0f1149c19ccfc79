package main

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// limitListener bounds how many of a listener's connections are open at once,
// in all and from any one address, so that no client can take all memory or
// all of a service. A surplus connection is accepted and closed at once: left
// in the backlog it would keep others from being accepted.
type limitListener struct {
	net.Listener
	total   int // connections open at once
	perPeer int // of those, from one address
	refused atomic.Uint64

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]int
}

// limit wraps ln so that at most n connections are open at once. One address
// may have three quarters of them: a gateway that hides many clients, as
// QEMU's user networking does, gets most of the service but not all of it.
func limit(ln net.Listener, n int) *limitListener {
	return &limitListener{
		Listener: ln,
		total:    n,
		perPeer:  max(1, n*3/4),
		peers:    make(map[netip.Addr]int),
	}
}

// Accept returns the next connection that the limits allow. It waits out
// passing failures, such as a full file table, and fails only with
// [net.ErrClosed] once the listener is closed.
func (l *limitListener) Accept() (net.Conn, error) {
	var wait backoff
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			wait.sleep()
			continue
		}
		wait.reset()
		peer := peerAddr(conn.RemoteAddr())
		if !l.acquire(peer) {
			l.refused.Add(1)
			conn.Close()
			continue
		}
		return &limitConn{Conn: conn, release: sync.OnceFunc(func() { l.release(peer) })}, nil
	}
}

func (l *limitListener) acquire(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || l.peers[peer] >= l.perPeer {
		return false
	}
	l.open++
	l.peers[peer]++
	return true
}

func (l *limitListener) release(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

// limitConn gives its place back when it is closed.
type limitConn struct {
	net.Conn
	release func()
}

func (c *limitConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite ends the sending direction; net/http does so before it closes. It
// fails with [errors.ErrUnsupported] where connections have no half-close, as
// those of the official TamaGo distribution.
func (c *limitConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// peerAddr returns the address without port of a, or the zero Addr for an
// address of another kind than host:port, and for none: a peer may be gone
// before its connection is accepted.
func peerAddr(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// backoff spaces out attempts that keep failing. Its zero value is ready.
type backoff struct{ pause time.Duration }

// sleep pauses for 5 ms, and twice as long each further time up to 1 s.
func (b *backoff) sleep() {
	b.pause = min(max(2*b.pause, 5*time.Millisecond), time.Second)
	time.Sleep(b.pause)
}

func (b *backoff) reset() { b.pause = 0 }
