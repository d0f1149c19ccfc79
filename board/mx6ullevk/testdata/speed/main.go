//go:build tamago && arm

// Command speed serves what the board's speed is measured with: a TCP sink on port 5001, a TCP source on 5002, a
// UDP sink on 5003 that tells how many datagrams came, and counters and memory profiles over HTTP on 6060.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"

	_ "github.com/tamanet/tamanet"
	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/imx6ul"
)

func main() {
	go serve(":5001", func(c net.Conn) { io.Copy(io.Discard, struct{ io.Reader }{c}) })
	go serve(":5002", func(c net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	})
	go count(":5003")
	http.HandleFunc("/stats", stats)
	log.Print("ready")
	log.Fatal(http.ListenAndServe(":6060", nil))
}

// stats prints the first network device's counters.
func stats(w http.ResponseWriter, _ *http.Request) {
	s := board.Current().NICs[0].(nic.Statistics).Stats()
	s.Each(func(name string, v uint64) { fmt.Fprintf(w, "%s=%d ", name, v) })
	fmt.Fprintf(w, "idle=%v\n", imx6ul.IdleTime())
}

func serve(addr string, f func(net.Conn)) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			f(c)
		}()
	}
}

// count counts datagrams; one of 4 bytes asks for how many there were since the last.
func count(addr string) {
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		log.Fatal(err)
	}
	buf, n := make([]byte, 2048), uint32(0)
	for {
		m, from, err := p.ReadFrom(buf)
		if err != nil {
			log.Fatal(err)
		}
		if m == 4 {
			p.WriteTo(binary.BigEndian.AppendUint32(nil, n), from)
			n = 0
			continue
		}
		n++
	}
}
