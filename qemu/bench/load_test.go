package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// web starts a server and counts its requests and connections.
func web(t *testing.T, status int) (addr string, requests, conns *atomic.Int64) {
	requests, conns = new(atomic.Int64), new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(status)
		io.WriteString(w, "hello\n")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), requests, conns
}

func TestKeepAliveCountsWhatTheServerDid(t *testing.T) {
	addr, requests, conns := web(t, http.StatusOK)
	o, err := keepAlive(t.Context(), addr, 3, budget{time: time.Minute, ops: 40})
	require.NoError(t, err)
	require.EqualValues(t, 40, o.ops)
	require.EqualValues(t, 43, requests.Load(), "each connection asks once before the load")
	require.EqualValues(t, 3, conns.Load())
	require.Len(t, o.each, 40)
	require.LessOrEqual(t, o.quantile(0.5), o.quantile(0.99))
}

func TestFreshConnectsForEachRequest(t *testing.T) {
	addr, requests, conns := web(t, http.StatusOK)
	o, err := fresh(t.Context(), addr, 2, budget{time: time.Minute, ops: 10})
	require.NoError(t, err)
	require.EqualValues(t, 10, o.ops)
	require.EqualValues(t, 10, requests.Load())
	require.EqualValues(t, 10, conns.Load())
}

func TestAnErrorOfTheServerIsNoOperation(t *testing.T) {
	addr, _, _ := web(t, http.StatusTeapot)
	_, err := keepAlive(t.Context(), addr, 1, budget{time: time.Minute, ops: 1})
	require.ErrorContains(t, err, "418")
	_, err = fresh(t.Context(), addr, 1, budget{time: time.Minute, ops: 1})
	require.ErrorContains(t, err, "418")
}

func TestLoadEndsWithItsContext(t *testing.T) {
	addr, _, _ := web(t, http.StatusOK)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := keepAlive(ctx, addr, 2, budget{time: time.Hour})
	require.ErrorIs(t, err, context.Canceled)
}

// tcpServer has each connection handled.
func tcpServer(t *testing.T, handle func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

func TestSendCountsWhatTheGuestHasTaken(t *testing.T) {
	var taken atomic.Int64
	addr := tcpServer(t, func(conn net.Conn) {
		fmt.Fprintln(conn)
		n, _ := io.Copy(io.Discard, conn)
		taken.Add(n)
		fmt.Fprintln(conn, n)
	})
	o, err := send(t.Context(), addr, 3, 20*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, taken.Load(), o.ops)
	require.Positive(t, o.ops)
}

func TestSendRefusesAGuestThatSaysNothing(t *testing.T) {
	addr := tcpServer(t, func(conn net.Conn) { fmt.Fprintln(conn); io.Copy(io.Discard, conn) })
	_, err := send(t.Context(), addr, 1, time.Millisecond)
	require.ErrorContains(t, err, "the guest says")
}

func TestReceiveCountsBytes(t *testing.T) {
	const size = 100_000
	addr := tcpServer(t, func(conn net.Conn) { io.CopyN(conn, zeros{}, size) })
	o, err := receive(t.Context(), addr, 2, time.Minute)
	require.ErrorIs(t, err, io.EOF, "a guest that ends before the time is up is no good guest")
	require.EqualValues(t, 2*(size-1), o.ops, "the first byte of each is there before the clock starts")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// udpServer has each datagram handled.
func udpServer(t *testing.T, handle func(net.PacketConn, []byte, net.Addr)) string {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 2048); ; {
			n, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			handle(conn, buf[:n], from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func TestRoundTripsSurviveLoss(t *testing.T) {
	var got int
	addr := udpServer(t, func(conn net.PacketConn, b []byte, from net.Addr) {
		if got++; got != 2 {
			conn.WriteTo(b, from)
		}
	})
	o, err := roundTrips(t.Context(), addr, budget{time: time.Minute, ops: 3})
	require.NoError(t, err)
	require.EqualValues(t, 3, o.ops)
	require.GreaterOrEqual(t, o.each[2], lossAfter, "the time of the lost one counts")
}

func TestPourSendsWholeBatches(t *testing.T) {
	var got atomic.Int64
	addr := udpServer(t, func(_ net.PacketConn, b []byte, _ net.Addr) {
		if len(b) == datagramSize {
			got.Add(1)
		}
	})
	require.NoError(t, pour(t.Context(), addr, 20*time.Millisecond))
	require.Eventually(t, func() bool { return got.Load() >= batch }, patience, time.Millisecond)
}

func TestSoakCountsToTheSilence(t *testing.T) {
	addr := udpServer(t, func(conn net.PacketConn, b []byte, from net.Addr) {
		if strings.TrimSpace(string(b)) == "20" {
			for range 7 {
				conn.WriteTo(make([]byte, datagramSize), from)
			}
		}
	})
	o, err := soak(t.Context(), addr, 20*time.Millisecond)
	require.NoError(t, err)
	require.EqualValues(t, 7, o.ops)
}
