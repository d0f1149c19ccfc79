package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	return transfer(n, func(begin time.Time) (int64, error) {
		conn, err := dialTCP(ctx, addr)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		conn.SetDeadline(begin.Add(d + patience))
		for buf := make([]byte, bulkSize); time.Since(begin) < d && ctx.Err() == nil; {
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
	return transfer(n, func(begin time.Time) (total int64, err error) {
		conn, err := dialTCP(ctx, addr)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		conn.SetDeadline(begin.Add(d + patience))
		for buf := make([]byte, 4*bulkSize); time.Since(begin) < d && ctx.Err() == nil; {
			got, err := conn.Read(buf)
			total += int64(got)
			if err != nil {
				return total, err
			}
		}
		return total, nil
	})
}

// transfer runs n transfers at a time and adds up their bytes, which are the operations of the outcome.
func transfer(n int, one func(begin time.Time) (int64, error)) (outcome, error) {
	var total atomic.Int64
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	begin := time.Now()
	for range n {
		all.Go(func() {
			bytes, err := one(begin)
			total.Add(bytes)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	all.Wait()
	return outcome{ops: total.Load(), elapsed: time.Since(begin)}, errors.Join(errs...)
}
