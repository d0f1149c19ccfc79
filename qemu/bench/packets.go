package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/ipv4"
)

const (
	// datagramSize is the payload of the smallest Ethernet frame, 64 bytes with its FCS.
	datagramSize = 18
	// lossAfter is when an echo is given up.
	lossAfter = time.Second
	// offered is how many datagrams a second the guest is sent. It is more than any guest takes in under emulation.
	offered = 100_000
	// quiet is the silence after which no more is to come.
	quiet = 300 * time.Millisecond
	// batch is how many datagrams go through one system call.
	batch = 64
)

func dialUDP(addr string) (*net.UDPConn, error) {
	to, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(8 << 20) // as far as the host lets it be: the generator is not what loses
	return conn, nil
}

// roundTrips sends a datagram, waits for its echo, and so on. One that does not come back counts nothing.
func roundTrips(ctx context.Context, addr string, b budget) (outcome, error) {
	return drive(ctx, 1, b, func(context.Context) (func() error, func(), error) {
		conn, err := dialUDP(addr)
		if err != nil {
			return nil, nil, err
		}
		buf := make([]byte, 2048)
		op := func() error {
			for lost := 0; ; lost++ {
				if _, err := conn.Write(buf[:datagramSize]); err != nil {
					return err
				}
				conn.SetReadDeadline(time.Now().Add(lossAfter))
				_, err := conn.Read(buf)
				if !errors.Is(err, os.ErrDeadlineExceeded) || lost > 5 {
					return err
				}
			}
		}
		return op, func() { conn.Close() }, nil
	})
}

// pour sends datagrams at the rate of offered.
func pour(ctx context.Context, addr string, d time.Duration) error {
	conn, err := dialUDP(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	messages := make([]ipv4.Message, batch)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, datagramSize)}
	}
	const pause = time.Second * batch / offered
	begin := time.Now()
	for next := begin; next.Sub(begin) < d && ctx.Err() == nil; next = next.Add(pause) {
		time.Sleep(time.Until(next))
		if _, err := ipv4.NewPacketConn(conn).WriteBatch(messages, 0); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// soak has the guest send datagrams for a while and counts those that arrive.
func soak(ctx context.Context, addr string, d time.Duration) (outcome, error) {
	conn, err := dialUDP(addr)
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, d.Milliseconds()); err != nil {
		return outcome{}, err
	}
	messages := make([]ipv4.Message, batch)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	var o outcome
	var first, last time.Time
	conn.SetReadDeadline(time.Now().Add(patience))
	for ctx.Err() == nil {
		n, err := ipv4.NewPacketConn(conn).ReadBatch(messages, 0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return o, err
		}
		last = time.Now()
		if o.ops == 0 {
			first = last
		}
		o.ops += int64(n)
		conn.SetReadDeadline(last.Add(quiet))
	}
	if o.ops == 0 {
		return o, errors.Join(errors.New("no datagram of the guest's flood arrived"), context.Cause(ctx))
	}
	o.elapsed = max(last.Sub(first), time.Millisecond)
	return o, nil
}
