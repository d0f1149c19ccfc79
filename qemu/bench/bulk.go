package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// bulkSize is how much is written or read at once, in bytes.
const bulkSize = 64 << 10

// send sends to the guest over n connections, and returns the bytes that the guest has taken. The time is up to the
// last byte's arrival.
func send(ctx context.Context, addr string, n int, d time.Duration) (outcome, error) {
	return transfer(ctx, addr, n, d, func(conn net.Conn, end time.Time) (int64, error) {
		for buf := make([]byte, bulkSize); time.Now().Before(end) && ctx.Err() == nil; {
			if _, err := conn.Write(buf); err != nil {
				return 0, err
			}
		}
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			return 0, err
		}
		text, err := io.ReadAll(conn)
		if err != nil {
			return 0, err
		}
		got, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the guest says of what it has taken: %q", text)
		}
		return got, nil
	})
}

// receive takes what the guest sends over n connections.
func receive(ctx context.Context, addr string, n int, d time.Duration) (outcome, error) {
	return transfer(ctx, addr, n, d, func(conn net.Conn, end time.Time) (total int64, err error) {
		for buf := make([]byte, 4*bulkSize); time.Now().Before(end) && ctx.Err() == nil; {
			got, err := conn.Read(buf)
			total += int64(got)
			if err != nil {
				return total, err
			}
		}
		return total, nil
	})
}

// transfer runs n transfers at a time and adds up their bytes, which are the operations of the outcome. The connections
// are made one after another, as in drive: each has heard the guest's first byte before the next begins.
func transfer(ctx context.Context, addr string, n int, d time.Duration, one func(conn net.Conn, end time.Time) (int64, error)) (outcome, error) {
	var conns []net.Conn
	for range n {
		conn, err := dialTCP(ctx, addr)
		if err != nil {
			return outcome{}, err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(d + patience))
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			return outcome{}, fmt.Errorf("waiting for the guest's first byte: %w", err)
		}
		conns = append(conns, conn)
	}
	var total atomic.Int64
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	begin := time.Now()
	for _, conn := range conns {
		all.Go(func() {
			bytes, err := one(conn, begin.Add(d))
			total.Add(bytes)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	all.Wait()
	return outcome{ops: total.Load(), elapsed: time.Since(begin)}, errors.Join(errs...)
}
