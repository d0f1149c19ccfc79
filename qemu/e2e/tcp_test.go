package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/testapp/pattern"
)

const mib = 1 << 20

// dial connects to a port of the guest. Each operation on the connection is bounded by ctx.
func dial(t *testing.T, ctx context.Context, vm *qemu.VM, network string, port uint16) net.Conn {
	t.Helper()
	addr := vm.Addr(network, port)
	if addr == "" {
		t.Fatalf("port %d/%s of the guest is not forwarded", port, network)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	return conn
}

// hash reads r to its end.
func hash(r io.Reader) (n int64, sum string, err error) {
	h := sha256.New()
	n, err = io.Copy(h, r)
	return n, fmt.Sprintf("%x", h.Sum(nil)), err
}

// TestBulkBothWays sends 64 MiB each way over one connection, in each order of closing the directions.
func TestBulkBothWays(t *testing.T) {
	tests := []struct {
		name string
		size int64
		// transfer sends and receives, and closes the host's direction when it has sent.
		transfer func(send, receive func() error) error
	}{
		{"at once", 64 * mib, func(send, receive func() error) error {
			sent := make(chan error, 1)
			go func() { sent <- send() }()
			return errors.Join(receive(), <-sent)
		}},
		{"the guest closes first", 4 * mib, func(send, receive func() error) error {
			// What the host sends, it sends on a connection that the guest has closed its direction of.
			if err := receive(); err != nil {
				return err
			}
			return send()
		}},
		{"the host closes first", 4 * mib, func(send, receive func() error) error {
			// The guest's data waits for the host's: the window stays shut meanwhile.
			if err := send(); err != nil {
				return err
			}
			return receive()
		}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vm := outbound.machine(t)
			ctx := Context(t, 5*time.Minute)
			conn := dial(t, ctx, vm, "tcp", 9000).(*net.TCPConn)
			id := fmt.Sprintf("bulk%d", i)
			fromGuest, toGuest := byte(2*i), byte(2*i+1)
			if _, err := fmt.Fprintf(conn, "%s %d %d\n", id, tt.size, fromGuest); err != nil {
				t.Fatal(err)
			}
			var gotN int64
			var gotSum string
			begin := time.Now()
			err := tt.transfer(func() error {
				if _, err := io.Copy(conn, pattern.New(toGuest, tt.size)); err != nil {
					return fmt.Errorf("sending: %w", err)
				}
				return conn.CloseWrite()
			}, func() (err error) {
				if gotN, gotSum, err = hash(conn); err != nil {
					return fmt.Errorf("receiving after %d bytes: %w", gotN, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d MiB each way in %.1f s", tt.size/mib, time.Since(begin).Seconds())
			if _, want, _ := hash(pattern.New(fromGuest, tt.size)); gotN != tt.size || gotSum != want {
				t.Errorf("received %d bytes with SHA-256 %s, want %d with %s", gotN, gotSum, tt.size, want)
			}
			checkExchange(t, vm, id, tt.size, toGuest)
		})
	}
}

// checkExchange compares what the guest received with what was sent.
func checkExchange(t *testing.T, vm *qemu.VM, id string, size int64, seed byte) {
	t.Helper()
	var got struct {
		Received      int64
		SHA256, Error string
	}
	ctx := Context(t, Patience)
	url := "http://" + vm.Addr("tcp", 80) + "/exchange?id=" + id
	// The guest knows once it has seen the end of the stream, a moment after the host has sent it.
	for getJSON(ctx, http.DefaultClient, url, &got) != nil {
		if ctx.Err() != nil {
			t.Fatalf("the guest does not see the end of transfer %s", id)
		}
	}
	_, want, _ := hash(pattern.New(seed, size))
	if got.Error != "" || got.Received != size || got.SHA256 != want {
		t.Errorf("the guest received %d bytes with SHA-256 %s and error %q, want %d with %s", got.Received, got.SHA256, got.Error, size, want)
	}
}

// TestFiftyConnectionsAtOnce has them all open, and all echo, before the first is closed.
func TestFiftyConnectionsAtOnce(t *testing.T) {
	vm := status.Machine(t)
	ctx := Context(t, Patience)
	var conns []net.Conn
	for i := range 50 {
		conn := dial(t, ctx, vm, "tcp", 7)
		// QEMU's forward listens with a backlog of 1: a connection has to be through before the next one comes, or
		// the host's kernel drops its SYN, and tries again after a second.
		if err := echoOnce(conn, fmt.Appendf(nil, "connection %d comes;", i)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	results := make(chan error, len(conns))
	for round := range 3 {
		for i, conn := range conns {
			go func() { results <- echoOnce(conn, fmt.Appendf(nil, "round %d, connection %d;", round, i)) }()
		}
		for range conns {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	}
	for _, conn := range conns {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Error(err)
		}
		if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
			t.Errorf("after the last echo came %q, %v; want the end", rest, err)
		}
	}
}

// echoOnce sends some 4 KiB made of text and wants them back.
func echoOnce(conn net.Conn, text []byte) error {
	data := bytes.Repeat(text, 4096/len(text))
	if _, err := conn.Write(data); err != nil {
		return err
	}
	got := make([]byte, len(data))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if !bytes.Equal(got, data) {
		return fmt.Errorf("%q came back as something else", text)
	}
	return nil
}

func TestDiscardTakesAll(t *testing.T) {
	vm := status.Machine(t)
	conn := dial(t, Context(t, Patience), vm, "tcp", 9).(*net.TCPConn)
	if _, err := io.Copy(conn, pattern.New(9, 4*mib)); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
		t.Errorf("discard answered %d bytes, %v", len(got), err)
	}
}

// TestRefusedPort shows that a port where nothing listens is refused at once. The forward itself accepts; what the
// guest refuses, it then closes.
func TestRefusedPort(t *testing.T) {
	vm := status.Machine(t)
	conn := dial(t, Context(t, Patience), vm, "tcp", 4444)
	n, err := conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) || n > 0 {
		t.Fatalf("got %d bytes, %v; want the connection closed", n, err)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want the end or a reset", err)
	}
}
