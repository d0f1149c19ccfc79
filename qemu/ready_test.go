package qemu

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestAnswerIsAwaited has a server that, as QEMU does for a guest that is not up, accepts and hangs up, then gives
// what is no HTTP, and answers the third probe only.
func TestAnswerIsAwaited(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan int, 1)
	go func() {
		n := 0
		defer func() { served <- n }()
		for ; n < 3; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			switch n {
			case 1:
				conn.Write([]byte("echo?\r\n"))
			case 2:
				http.ReadRequest(bufio.NewReader(conn))
				conn.Write([]byte("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
			}
			conn.Close()
		}
	}()
	err = awaitAnswer(deadline(t), "http://"+l.Addr().String()+"/")
	l.Close()
	if n := <-served; err != nil || n != 3 {
		t.Errorf("got %v after %d probes, want an answer at the third", err, n)
	}
}

func TestNoAnswerEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awaitAnswer(ctx, "http://127.0.0.1:1/"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNoAnswerEndsWithTheMachine(t *testing.T) {
	v := start(t, program{}.print("up\n").exit(5), func(c *Config) { c.Ports = []Forward{{Proto: "tcp", Guest: 80}} })
	err := v.WaitHTTP(deadline(t), "http://"+v.Addr("tcp", 80)+"/")
	if err == nil || !strings.Contains(err.Error(), "machine ended") {
		t.Errorf("got %v", err)
	}
}

// TestSilentGuestIsProbed has a guest that prints nothing: QEMU accepts a probe's connection, so the probe itself is
// seen to end only by its context.
func TestSilentGuestIsProbed(t *testing.T) {
	v := start(t, program{}.halt(), func(c *Config) { c.Ports = []Forward{{Proto: "tcp", Guest: 80}} })
	ctx, cancel := context.WithTimeoutCause(deadline(t), silence+probeEvery, errors.New("enough"))
	defer cancel()
	err := v.WaitHTTP(ctx, "http://"+v.Addr("tcp", 80)+"/")
	if err == nil || !strings.Contains(err.Error(), "enough") || strings.Contains(err.Error(), "last probe: <nil>") {
		t.Errorf("got %v, want the error of a probe", err)
	}
}
