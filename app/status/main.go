// Command status is tamanet's demo appliance: a web page and JSON of what the
// kernel knows, and echo and discard services for tests. It is an ordinary Go
// program; the import of tamanet makes it a kernel when it is built as one.
//
//	make run APP=./app/status CMDLINE='http=:80'    a machine of its own
//	go run ./app/status -http 127.0.0.1:8080        a process
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	_ "github.com/tamanet/tamanet"
)

func main() {
	page := flag.String("http", standard(":80", "127.0.0.1:8080"), "`address` of the page")
	echoes := flag.String("echo", standard(":7", "127.0.0.1:7007"), "`address` of echo over TCP and UDP, empty for none")
	discards := flag.String("discard", standard(":9", "127.0.0.1:7009"), "`address` of discard over TCP and UDP, empty for none")
	parseFlags()

	if *echoes != "" {
		go serveTCP(limit(listen(*echoes), testConns), echo)
		go serveUDP(listenPacket(*echoes), echoDatagram)
	}
	if *discards != "" {
		go serveTCP(limit(listen(*discards), testConns), discard)
		go serveUDP(listenPacket(*discards), discardDatagram)
	}

	server := http.Server{
		Handler:           newHandler(collect),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	ln := limit(listen(*page), pageConns)
	log.Printf("serving http://%v/", ln.Addr())
	log.Fatal(server.Serve(ln))
}

func listen(addr string) net.Listener {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	return ln
}

func listenPacket(addr string) net.PacketConn {
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		log.Fatal(err)
	}
	return pc
}
