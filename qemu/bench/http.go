package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// patience bounds each single exchange with a guest.
const patience = 20 * time.Second

// A budget ends a load: after a time, or after a number of operations when that is not 0.
type budget struct {
	time time.Duration
	ops  int64
}

// An outcome is what came of a load.
type outcome struct {
	ops     int64
	elapsed time.Duration
	each    []time.Duration // of the operations, sorted
}

func (o outcome) rate() float64 { return float64(o.ops) / o.elapsed.Seconds() }

// quantile returns the time below which a share q of the operations took, in seconds.
func (o outcome) quantile(q float64) float64 {
	if len(o.each) == 0 {
		return 0
	}
	return o.each[min(len(o.each)-1, int(q*float64(len(o.each))))].Seconds()
}

// drive has n workers do one operation after another until the budget is spent. prepare makes the operation of a
// worker, and what ends it; it is called for one worker after another, since user networking listens with a backlog of
// one (libslirp src/socket.c, tcp_listen): the host drops what comes at once, and tries again seconds later.
func drive(ctx context.Context, n int, b budget, prepare func(context.Context) (op func() error, end func(), err error)) (outcome, error) {
	var done atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var errs []error
	var workers sync.WaitGroup
	start := make(chan time.Time)
	for range n {
		op, end, err := prepare(ctx)
		workers.Go(func() {
			begin := <-start
			var each []time.Duration
			for err == nil && time.Since(begin) < b.time && ctx.Err() == nil {
				if b.ops != 0 && done.Add(1) > b.ops {
					break
				}
				from := time.Now()
				if err = op(); err == nil {
					each = append(each, time.Since(from))
				}
			}
			if end != nil {
				end()
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, each...)
			errs = append(errs, err)
		})
	}
	begin := time.Now()
	for range n {
		start <- begin
	}
	workers.Wait()
	o := outcome{ops: int64(len(all)), elapsed: time.Since(begin), each: all}
	slices.Sort(o.each)
	return o, errors.Join(append(errs, context.Cause(ctx))...)
}

func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	return d.DialContext(ctx, "tcp", addr)
}

// keepAlive asks for the page again and again over n connections.
func keepAlive(ctx context.Context, addr string, n int, b budget) (outcome, error) {
	return drive(ctx, n, b, func(ctx context.Context) (func() error, func(), error) {
		conn, err := dialTCP(ctx, addr)
		if err != nil {
			return nil, nil, err
		}
		client, err := newClient(conn)
		return client.get, func() { conn.Close() }, err
	})
}

// A client asks for one page over one connection. It knows how long an answer is from the first one: the generator
// shares the host's CPUs with the guest, and what it does not do is the guest's to have.
type client struct {
	conn   net.Conn
	answer []byte
}

var (
	request = []byte("GET / HTTP/1.1\r\nHost: guest\r\n\r\n")
	okay    = []byte("HTTP/1.1 200 ")
)

func newClient(conn net.Conn) (*client, error) {
	c := &client{conn: conn}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(request); err != nil {
		return c, err
	}
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return c, fmt.Errorf("first answer: %w", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return c, fmt.Errorf("first answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK || resp.ContentLength < 0 {
		return c, fmt.Errorf("first answer: %s, length %d", resp.Status, resp.ContentLength)
	}
	c.answer = make([]byte, raw.Len())
	return c, nil
}

// get asks once, and reads the answer.
func (c *client) get() error {
	c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, c.answer); err != nil {
		return err
	}
	if !bytes.HasPrefix(c.answer, okay) {
		return fmt.Errorf("answer begins %.40q", c.answer)
	}
	return nil
}

var lastRequest = []byte("GET / HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n")

// fresh makes a connection for each request, n at a time.
func fresh(ctx context.Context, addr string, n int, b budget) (outcome, error) {
	return drive(ctx, n, b, func(ctx context.Context) (func() error, func(), error) {
		buf := make([]byte, 4096)
		return func() error { return getOnce(ctx, addr, buf) }, nil, nil
	})
}

// getOnce connects, asks, and reads to the end.
func getOnce(ctx context.Context, addr string, buf []byte) error {
	conn, err := dialTCP(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(lastRequest); err != nil {
		return err
	}
	n, err := io.ReadFull(conn, buf)
	if err != io.ErrUnexpectedEOF || !bytes.HasPrefix(buf, okay) {
		return fmt.Errorf("answer of %d bytes begins %.40q: %w", n, buf[:min(n, 40)], err)
	}
	return nil
}

// together asks over n connections that are all open at the same time, once over each.
func together(ctx context.Context, addr string, n int) error {
	_, err := keepAlive(ctx, addr, n, budget{time: patience, ops: int64(n)})
	return err
}
