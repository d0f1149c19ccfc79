// Command testapp is the appliance of the end-to-end tests: a guest that does what it is told. It is told by words of
// the kernel command line
//
//	exit=3       exit with that code at once
//	panic=text   panic at once, in a goroutine of its own
//	say=text     print a line at once
//	policy=rules put that policy of package net/netfilter into force
//
// and, once it is up, by HTTP on port 80 (see control.go) and by bulk transfers on port 9000 (see bulk.go).
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	_ "github.com/tamanet/tamanet"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/netfilter"
)

func main() {
	log.SetFlags(0)
	obey()
	rules := enforce()
	bulk, err := net.Listen("tcp", ":9000")
	if err != nil {
		log.Fatal("testapp: ", err)
	}
	web, err := net.Listen("tcp", ":80")
	if err != nil {
		log.Fatal("testapp: ", err)
	}
	var x exchanges
	go x.serve(bulk)
	fmt.Println("testapp: up")
	log.Fatal("testapp: ", http.Serve(web, control(&x, rules)))
}

// enforce puts the policy of the command line into force, and returns it, or nil. A machine that was to be guarded
// and is not does not start.
func enforce() *netfilter.Policy {
	text, ok := boot.Lookup("policy")
	if !ok {
		return nil
	}
	p, err := netfilter.ParsePolicy(text)
	if err != nil {
		log.Fatal("testapp: policy: ", err)
	}
	p.Install(netdev.Default())
	return p
}

// obey does what the command line says.
func obey() {
	if text, ok := boot.Lookup("say"); ok {
		fmt.Println("testapp:", text)
	}
	if text, ok := boot.Lookup("panic"); ok {
		go panic(text)
		select {}
	}
	if text, ok := boot.Lookup("exit"); ok {
		code, err := strconv.Atoi(text)
		if err != nil {
			log.Fatal("testapp: exit=", text, " is no number")
		}
		os.Exit(code)
	}
}
