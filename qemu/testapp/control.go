package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/tamanet/tamanet/net/netfilter"
)

// began is the start of the monotonic clock that /clock tells.
var began = time.Now()

// control is the HTTP side of the appliance. Each answer is JSON.
//
//	/clock               monotonic and wall clock
//	/dial?network=&addr=&send=   connect, send, close that direction (TCP), read all (UDP: one datagram)
//	/lookup?host=        addresses of a name;  /lookup?addr= names of an address;  /lookup?txt= its texts
//	/exchange?id=        what came of a bulk transfer
//	/exit?code=          exit with that code
//	/panic?text=         panic in a goroutine of its own
//	/spin?n=             start n goroutines that loop for ever, calling functions
//	/group?addr=&do=     join or leave a multicast group, and tell what has come to it (see group.go)
//	/policy              the policy's rules with their counts
func control(x *exchanges, rules *netfilter.Policy) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/clock", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"Monotonic": time.Since(began).Seconds(), "Wall": time.Now().UTC()})
	})
	mux.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) { answer(w, dial(r)) })
	mux.HandleFunc("/lookup", func(w http.ResponseWriter, r *http.Request) { answer(w, lookup(r)) })
	mux.HandleFunc("/exchange", func(w http.ResponseWriter, r *http.Request) {
		e, ok := x.get(r.FormValue("id"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		answer(w, e)
	})
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.FormValue("code"))
		if err == nil {
			os.Exit(code)
		}
	})
	mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) { go panic(r.FormValue("text")) })
	mux.HandleFunc("/spin", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		for range n {
			go spin()
		}
		answer(w, map[string]any{"Spinning": n, "Error": text(err)})
	})
	mux.HandleFunc("/group", new(groups).serve)
	mux.HandleFunc("/policy", func(w http.ResponseWriter, _ *http.Request) {
		if rules == nil {
			http.Error(w, "no policy", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, rules)
	})
	return mux
}

// result is the outcome of a call that the guest made.
type result struct {
	Reply string   // bytes received
	Names []string // of a look-up
	Error string   // "" when there is none
	Kind  string   // which of the errors that programs ask for it is
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// text returns the text of err, "" of nil.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// kind classifies err by what a portable program would ask.
func kind(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &dns) && dns.IsNotFound:
		return "not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "other"
}

// dial makes an outbound connection.
func dial(r *http.Request) (res result) {
	reply, err := exchangeWith(r.Context(), r.FormValue("network"), r.FormValue("addr"), r.FormValue("send"))
	return result{Reply: reply, Error: text(err), Kind: kind(err)}
}

func exchangeWith(ctx context.Context, network, addr, send string) (string, error) {
	d := net.Dialer{Timeout: 20 * time.Second}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, send); err != nil {
		return "", err
	}
	if _, packet := conn.(net.PacketConn); packet {
		buf := make([]byte, 64<<10)
		n, err := conn.Read(buf)
		return string(buf[:n]), err
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return "", err
		}
	}
	reply, err := io.ReadAll(conn)
	return string(reply), err
}

// lookup asks the name server.
func lookup(r *http.Request) result {
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	var names []string
	var err error
	switch {
	case r.FormValue("host") != "":
		names, err = net.DefaultResolver.LookupHost(ctx, r.FormValue("host"))
	case r.FormValue("addr") != "":
		names, err = net.DefaultResolver.LookupAddr(ctx, r.FormValue("addr"))
	case r.FormValue("txt") != "":
		names, err = net.DefaultResolver.LookupTXT(ctx, r.FormValue("txt"))
	}
	return result{Names: names, Error: text(err), Kind: kind(err)}
}

// spin is a goroutine that never blocks. It calls, so that the scheduler can have it yield.
func spin() {
	for n := uint64(1); ; n++ {
		step(n)
	}
}

//go:noinline
func step(n uint64) uint64 {
	if n == 0 {
		return step(n + 1)
	}
	return n * n
}
