//go:build tamago && arm

// Command speed serves what the board's speed is measured with: a TCP sink on port 5001, a TCP source on 5002, a
// UDP sink on 5003, a UDP source on 5004, and counters and profiles over HTTP on 6060. With driver=upstream on the
// command line the tamago module's driver takes the place of drivers/enet.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"sync/atomic"
	"time"

	_ "github.com/tamanet/tamanet"
	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/kernel/imx6ul"
)

func main() {
	if driver, _ := boot.Lookup("driver"); driver == "upstream" {
		if err := replaceDriver(); err != nil {
			log.Fatal(err)
		}
	}
	go serve(":5001", func(c net.Conn) { io.Copy(io.Discard, struct{ io.Reader }{c}) })
	go serve(":5002", func(c net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	})
	go sink(":5003")
	go source(":5004")
	http.HandleFunc("/stats", stats)
	http.HandleFunc("/stop", stop)
	log.Fatal(http.ListenAndServe(":6060", nil))
}

// datagrams counts those that the UDP sink has got.
var datagrams atomic.Uint64

// stats prints counters, a line each.
func stats(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "datagrams %d\nidle %d\n", datagrams.Load(), imx6ul.IdleTime())
	c := counters()
	c.Each(func(name string, v uint64) { fmt.Fprintf(w, "%s %d\n", name, v) })
}

// counters returns those of drivers/enet.
func counters() nic.Stats { return board.Current().NICs[0].(nic.Statistics).Stats() }

// stop ends the machine once no frame has come for a while, with the counters on the console.
func stop(http.ResponseWriter, *http.Request) {
	go func() {
		for last := uint64(0); last != counters().RxFrames; time.Sleep(2 * time.Second) {
			last = counters().RxFrames
		}
		fmt.Printf("datagrams %d\n", datagrams.Load())
		c := counters()
		c.Each(func(name string, v uint64) { fmt.Printf("%s %d\n", name, v) })
		os.Exit(0)
	}()
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

// sink counts datagrams.
func sink(addr string) {
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		log.Fatal(err)
	}
	for buf := make([]byte, 2048); ; datagrams.Add(1) {
		if _, _, err := p.ReadFrom(buf); err != nil {
			log.Fatal(err)
		}
	}
}

// source answers a datagram that holds a number n and a size with n datagrams of that size.
func source(addr string) {
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 2048)
	for {
		m, from, err := p.ReadFrom(buf)
		if err != nil {
			log.Fatal(err)
		}
		if m < 8 {
			continue
		}
		n, size := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
		for range n {
			p.WriteTo(buf[:min(int(size), len(buf))], from) // a full ring is the measured loss
		}
	}
}
