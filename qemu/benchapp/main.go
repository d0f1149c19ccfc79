// Command benchapp is the server that the benchmarks load: on tamanet an appliance, on Linux the init process of the
// guest that it is compared with (init_linux.go), from one source.
//
//	TCP 80   HTTP: / is a short page, /udp the number of datagrams that UDP 9 has taken, /debug/pprof/ as Go has it
//	TCP 9    greets with a line feed, takes all, then answers with the number of bytes as text, and closes
//	TCP 19   sends until the client closes, and takes nothing
//	UDP 7    sends each datagram back
//	UDP 9    takes and counts
//	UDP 19   a datagram with a number sends datagrams of floodSize bytes back, for so many milliseconds
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	_ "github.com/tamanet/tamanet"
)

// page is the answer to a request.
const page = "hello from a machine of its own\n"

// floodSize is the payload, in bytes, of the smallest Ethernet frame, 64 bytes with its FCS.
const floodSize = 18

// taken counts the datagrams of UDP 9.
var taken atomic.Int64

func main() {
	log.SetFlags(0)
	boot()
	serve(":9", discard)
	serve(":19", generate)
	packets(":7", echo)
	packets(":9", func(net.PacketConn, []byte, net.Addr) { taken.Add(1) })
	packets(":19", flood)
	http.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	http.HandleFunc("/udp", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, taken.Load()) })
	web, err := net.Listen("tcp", ":80")
	if err != nil {
		log.Fatal("benchapp: ", err)
	}
	fmt.Println("benchapp: up")
	log.Fatal("benchapp: ", http.Serve(web, nil))
}

// serve has each connection to a TCP port handled by a goroutine. When it returns, the port is open.
func serve(addr string, handle func(net.Conn)) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal("benchapp: ", err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				log.Fatal("benchapp: accept: ", err)
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
}

// bulk is how much is read or written at once, in bytes.
const bulk = 64 << 10

func discard(conn net.Conn) {
	fmt.Fprintln(conn)
	buf := make([]byte, bulk)
	for total := 0; ; {
		n, err := conn.Read(buf)
		total += n
		if err == io.EOF {
			fmt.Fprintln(conn, total)
		}
		if err != nil {
			return
		}
	}
}

func generate(conn net.Conn) {
	for buf := make([]byte, bulk); ; {
		if _, err := conn.Write(buf); err != nil {
			return
		}
	}
}

// packets has each datagram to a UDP port handled, one after another. When it returns, the port is open.
func packets(addr string, handle func(net.PacketConn, []byte, net.Addr)) {
	conn, err := net.ListenPacket("udp4", addr)
	if err != nil {
		log.Fatal("benchapp: ", err)
	}
	go func() {
		for buf := make([]byte, 2048); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				log.Fatal("benchapp: udp: ", err)
			}
			handle(conn, buf[:n], from)
		}
	}()
}

func echo(conn net.PacketConn, b []byte, from net.Addr) { conn.WriteTo(b, from) }

// flood sends as fast as it can. A send that fails is a datagram less.
func flood(conn net.PacketConn, b []byte, from net.Addr) {
	ms, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return
	}
	datagram := make([]byte, floodSize)
	const atOnce = 32 // between two looks at the clock
	for end := time.Now().Add(time.Duration(ms) * time.Millisecond); time.Now().Before(end); {
		for range atOnce {
			conn.WriteTo(datagram, from)
		}
	}
}
