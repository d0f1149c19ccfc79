package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func TestEchoHonoursHalfClose(t *testing.T) { onEach(t, echoHonoursHalfClose) }

func echoHonoursHalfClose(t *testing.T, n network) {
	conn := n.connect(t, n.serve(t, 4, echo).Addr())
	sent := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{1}).Read(sent)
	go func() {
		conn.Write(sent)
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn) // ends only if the service closes its direction
	if err != nil {
		t.Fatalf("read after %d of %d bytes: %v", len(got), len(sent), err)
	}
	if sha256.Sum256(got) != sha256.Sum256(sent) {
		t.Errorf("got %d bytes that differ from the %d sent", len(got), len(sent))
	}
}

func TestDiscardAnswersNothingAndHonoursHalfClose(t *testing.T) {
	onEach(t, discardAnswersNothingAndHonoursHalfClose)
}

func discardAnswersNothingAndHonoursHalfClose(t *testing.T, n network) {
	conn := n.connect(t, n.serve(t, 4, discard).Addr())
	if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
		t.Errorf("read %d bytes, %v; want a clean end", len(got), err)
	}
}

func TestManyEchoesAtOnce(t *testing.T) { onEach(t, manyEchoesAtOnce) }

func manyEchoesAtOnce(t *testing.T, n network) {
	addr := n.serve(t, testConns, echo).Addr()
	var all sync.WaitGroup
	for i := range 64 {
		conn := n.connect(t, addr)
		all.Go(func() {
			sent := bytes.Repeat([]byte(fmt.Sprintf("connection %d ", i)), 1000)
			go func() {
				conn.Write(sent)
				conn.CloseWrite()
			}()
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("connection %d: %d of %d bytes, %v", i, len(got), len(sent), err)
			}
		})
	}
	all.Wait()
}

// fillUntilBlocked writes until the path to the service takes no more.
func fillUntilBlocked(conn net.Conn) (n int, err error) {
	for err == nil {
		var m int
		m, err = conn.Write(make([]byte, 1<<20))
		n += m
	}
	return n, err
}

// A connection that is idle, or whose peer never reads, is left by the
// service: the peer sees its end, not its own deadline.
func TestUnresponsiveClientIsLeft(t *testing.T) { onEach(t, unresponsiveClientIsLeft) }

func unresponsiveClientIsLeft(t *testing.T, n network) {
	short := func(handle func(net.Conn, time.Duration)) func(net.Conn, time.Duration) {
		return func(conn net.Conn, _ time.Duration) { handle(conn, 50*time.Millisecond) }
	}
	tests := []struct {
		name   string
		handle func(net.Conn, time.Duration)
		abuse  func(net.Conn) error
	}{
		{"echo idle", echo, func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }},
		{"discard idle", discard, func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }},
		{"echo never reads", echo, func(c net.Conn) error { _, err := fillUntilBlocked(c); return err }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := n.connect(t, n.serve(t, 1, short(test.handle)).Addr())
			if err := test.abuse(conn); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the service kept the connection: %v", err)
			}
		})
	}
}

func TestLimitRefusesSurplusAndReusesPlaces(t *testing.T) {
	onEach(t, limitRefusesSurplusAndReusesPlaces)
}

func limitRefusesSurplusAndReusesPlaces(t *testing.T, n network) {
	ln := n.serve(t, 4, echo) // of which three for one address
	ping := func(conn net.Conn) error {
		if _, err := conn.Write([]byte{1}); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	held := make([]conn, 3)
	for i := range held {
		held[i] = n.connect(t, ln.Addr())
		if err := ping(held[i]); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if err := ping(n.connect(t, ln.Addr())); err == nil {
		t.Fatal("a fourth connection from one address was served")
	}
	if n := ln.refused.Load(); n != 1 {
		t.Errorf("%d refusals counted, want 1", n)
	}

	held[0].CloseWrite()
	io.ReadAll(held[0])
	deadline := time.Now().Add(patience)
	for ping(n.connect(t, ln.Addr())) != nil { // the place is free just after the end is seen
		if time.Now().After(deadline) {
			t.Fatal("the place of a closed connection was not given back")
		}
	}
}

func TestLimitedConnectionsHalfClose(t *testing.T) { onEach(t, limitedConnectionsHalfClose) }

func limitedConnectionsHalfClose(t *testing.T, n network) {
	result := make(chan error, 1)
	ln := n.serve(t, 4, func(conn net.Conn, _ time.Duration) {
		err := conn.(interface{ CloseWrite() error }).CloseWrite()
		got, rerr := io.ReadAll(conn)
		if string(got) != "after the end" {
			rerr = fmt.Errorf("read %q, %v", got, rerr)
		}
		result <- errors.Join(err, rerr)
	})
	conn := n.connect(t, ln.Addr())
	if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
		t.Fatalf("read %d bytes, %v; want a clean end", len(got), err)
	}
	conn.Write([]byte("after the end"))
	conn.CloseWrite()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestLimitCountsPeersApart(t *testing.T) {
	l := limit(nil, 4)
	if got := peerAddr(nil); got.IsValid() {
		t.Errorf("a peer that is gone has the address %v", got)
	}
	a, b := peerAddr(&net.TCPAddr{IP: net.IPv4(10, 0, 2, 2)}), peerAddr(&net.TCPAddr{IP: net.IPv6loopback})
	for range 3 {
		if !l.acquire(a) {
			t.Fatal("a place within the limit was refused")
		}
	}
	if l.acquire(a) {
		t.Error("one address got every place")
	}
	if !l.acquire(b) {
		t.Error("another address got no place")
	}
	if l.acquire(b) {
		t.Error("more places than the total were given")
	}
	l.release(b)
	for range 3 {
		l.release(a)
	}
	if l.open != 0 || len(l.peers) != 0 {
		t.Errorf("after all were released: %d open, peers %v", l.open, l.peers)
	}
}

// flakyListener fails before it accepts, as one with a full file table does.
type flakyListener struct {
	net.Listener
	failures int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptOutlivesPassingFailures(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go serveTCP(limit(&flakyListener{ln, 2}, 1), discard)
	conn := networks[0].connect(t, ln.Addr())
	conn.CloseWrite()
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("not served after failures: %v", err)
	}
}
