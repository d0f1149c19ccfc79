package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/tamanet/tamanet/qemu/testapp/pattern"
)

// exchange is what came of one bulk transfer.
type exchange struct {
	Received int64  // bytes
	SHA256   string // of them
	Error    string // what went wrong, "" when nothing did
}

// exchanges keeps the outcomes of bulk transfers by the id that the client gave.
type exchanges struct {
	mu   sync.Mutex
	done map[string]exchange
}

func (x *exchanges) get(id string) (exchange, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, ok := x.done[id]
	return e, ok
}

func (x *exchanges) set(id string, e exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done == nil {
		x.done = make(map[string]exchange)
	}
	x.done[id] = e
}

// serve accepts transfers until l fails.
func (x *exchanges) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Print("testapp: accept: ", err)
			return
		}
		go func() {
			defer conn.Close()
			if err := x.transfer(conn); err != nil {
				log.Print("testapp: transfer: ", err)
			}
		}()
	}
}

// transfer serves one connection. The client's first line is "id bytes seed". From then on the directions have nothing
// to do with each other: this end sends so many bytes of the pattern and closes its direction; the client sends what
// it likes and closes its. What was received is known under the id once both have.
func (x *exchanges) transfer(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, 64<<10)
	line, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("first line: %w", err)
	}
	var id string
	var size int64
	var seed byte
	if f := strings.Fields(line); len(f) == 3 {
		s, err1 := strconv.ParseUint(f[2], 10, 8)
		n, err2 := strconv.ParseInt(f[1], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		id, size, seed = f[0], n, byte(s)
	} else {
		return fmt.Errorf("first line is %q, want: id bytes seed", line)
	}
	sent := make(chan error, 1)
	go func() { sent <- send(conn, pattern.New(seed, size)) }()
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	err = errors.Join(err, <-sent)
	e := exchange{Received: n, SHA256: fmt.Sprintf("%x", sum.Sum(nil))}
	if err != nil {
		e.Error = err.Error()
	}
	x.set(id, e)
	return err
}

// send writes what r holds and closes that direction of conn.
func send(conn net.Conn, r io.Reader) error {
	if _, err := io.Copy(conn, r); err != nil {
		return err
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("a %T cannot close one direction", conn)
	}
	return half.CloseWrite()
}
