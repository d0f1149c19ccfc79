package main

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// The test services: echo of RFC 862 and discard of RFC 863, over TCP and UDP.
const (
	// pageConns is how many connections the page has open at once.
	pageConns = 512

	// testConns is how many connections each TCP test service has open at once.
	testConns = 128

	// idleTime is how long a test connection may stay without a byte moving.
	idleTime = 30 * time.Second

	// chunk is the buffer of one connection, in bytes.
	chunk = 16 << 10

	// maxDatagram is the longest UDP payload, in bytes (RFC 768).
	maxDatagram = 65535
)

// serveTCP calls handle for each connection of ln, in a goroutine of its own,
// and closes the connection when handle returns. It returns when ln is closed.
func serveTCP(ln net.Listener, handle func(net.Conn, time.Duration)) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			handle(conn, idleTime)
		}()
	}
}

// echo sends back what it receives until the peer closes its direction
// (RFC 862); all is sent by then, and closing the connection closes the other.
// For a peer that does not read it holds one chunk, and leaves it after the
// time of idle.
func echo(conn net.Conn, idle time.Duration) {
	buf := make([]byte, chunk)
	for {
		conn.SetDeadline(time.Now().Add(idle))
		n, err := conn.Read(buf)
		if n > 0 {
			if _, werr := conn.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// discard reads and forgets until the peer closes its direction or is idle
// for too long (RFC 863).
func discard(conn net.Conn, idle time.Duration) {
	buf := make([]byte, chunk)
	for err := error(nil); err == nil; {
		conn.SetReadDeadline(time.Now().Add(idle))
		_, err = conn.Read(buf)
	}
}

// serveUDP calls handle for each datagram that pc receives. It returns when
// pc is closed. The payload is valid until handle returns.
func serveUDP(pc net.PacketConn, handle func(pc net.PacketConn, payload []byte, from net.Addr)) {
	buf := make([]byte, maxDatagram)
	var wait backoff
	for {
		n, from, err := pc.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			wait.sleep() // an ICMP error of an earlier answer, or no memory
		default:
			wait.reset()
			handle(pc, buf[:n], from)
		}
	}
}

// echoDatagram sends a datagram back. One from a reserved port is dropped: the
// source address may be forged, and two echo services that are made to talk to
// each other never stop.
func echoDatagram(pc net.PacketConn, payload []byte, from net.Addr) {
	if port, ok := sourcePort(from); !ok || port < 1024 {
		return
	}
	pc.WriteTo(payload, from) // best effort, as UDP is
}

func discardDatagram(net.PacketConn, []byte, net.Addr) {}

func sourcePort(a net.Addr) (port uint16, ok bool) {
	if u, isUDP := a.(*net.UDPAddr); isUDP {
		return uint16(u.Port), true // without the cost of parsing
	}
	ap, err := netip.ParseAddrPort(a.String())
	return ap.Port(), err == nil
}
