package stdnet

import (
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
)

// These are the loads of qemu/bench over a cable, without a device.

// serveHTTP serves a short page on b, and returns what a client on a says to connect.
func serveHTTP(b *testing.B) (connect func() net.Conn) {
	client, server := cabled(b, 0)
	l := listen(b, server, "tcp", syscall.AF_INET, "192.0.2.2")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello from a machine of its own\n") }))
	return func() net.Conn {
		conn, err := dial(b, client, "tcp", syscall.AF_INET, l.Addr())
		if err != nil {
			b.Fatal(err)
		}
		return conn
	}
}

func ask(b *testing.B, conn net.Conn, buf []byte, more string) {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: guest\r\n"+more+"\r\n"); err != nil {
		b.Fatal(err)
	}
	if n, err := conn.Read(buf); err != nil || n < len("HTTP/1.1 200 ") {
		b.Fatalf("%d bytes, %v", n, err)
	}
}

func BenchmarkHTTPKeepAlive(b *testing.B) {
	conn, buf := serveHTTP(b)(), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		ask(b, conn, buf, "")
	}
}

func BenchmarkHTTPFresh(b *testing.B) {
	connect, buf := serveHTTP(b), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		conn := connect()
		ask(b, conn, buf, "Connection: close\r\n")
		conn.Close()
	}
}

func BenchmarkBulk(b *testing.B) {
	client, server := cabled(b, 0)
	l := listen(b, server, "tcp", syscall.AF_INET, "192.0.2.2")
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for buf := make([]byte, 64<<10); err == nil; {
			_, err = conn.Read(buf)
		}
	}()
	conn, err := dial(b, client, "tcp", syscall.AF_INET, l.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDatagramPingPong(b *testing.B) {
	client, server := cabled(b, 0)
	echo := udpConn(b, server, "udp", syscall.AF_INET, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2)}, nil)
	go func() {
		for buf := make([]byte, 2048); ; {
			n, from, err := echo.ReadFrom(buf)
			if err != nil {
				return
			}
			echo.WriteTo(buf[:n], from)
		}
	}()
	conn := udpConn(b, client, "udp", syscall.AF_INET, nil, echo.LocalAddr())
	buf := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(buf[:18]); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
