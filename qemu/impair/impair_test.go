package impair

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFatesFollowFromTheSeed(t *testing.T) {
	list := func(c Config) (all []fate) {
		next := c.fates()
		for range 10_000 {
			all = append(all, next())
		}
		return all
	}
	bad := Config{Seed: 1, Loss: 0.1, Duplicate: 0.05, Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Reorder: 0.2}
	require.Equal(t, list(bad), list(bad))
	other := bad
	other.Seed = 2
	require.NotEqual(t, list(bad), list(other))

	var lost, doubled, ahead int
	for _, f := range list(bad) {
		switch {
		case f.copies == 0:
			lost++
		case f.copies == 2:
			doubled++
		}
		if f.delay == 0 {
			ahead++
		} else {
			require.InDelta(t, float64(bad.Delay), float64(f.delay), float64(bad.Jitter))
		}
	}
	require.InDelta(t, 1000, lost, 150)
	require.InDelta(t, 450, doubled, 100)
	require.InDelta(t, 2000, ahead, 250)

	// Who loses does not hang on what else is set.
	only := list(Config{Seed: 1, Loss: 0.1})
	for i, f := range list(bad) {
		require.Equal(t, f.copies == 0, only[i].copies == 0, "frame %d", i)
	}
}

// joined returns the far ends of a wire, and what Join returns.
func joined(t *testing.T, toB, toA Config) (a, b End, done <-chan error) {
	t.Helper()
	nearA, farA := net.Pipe()
	nearB, farB := net.Pipe()
	result := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	go func() {
		_, err := Join(ctx, Stream(nearA), Stream(nearB), toB, toA)
		result <- err
	}()
	t.Cleanup(func() { cancel(); farA.Close(); farB.Close() })
	return Stream(farA), Stream(farB), result
}

func TestAGoodWireCarriesAllInOrderBothWays(t *testing.T) {
	a, b, done := joined(t, Config{}, Config{})
	const n = 300
	for _, way := range []struct{ from, to End }{{a, b}, {b, a}} {
		go func() {
			for i := range n {
				way.from.Send(fmt.Appendf(nil, "frame %d", i))
			}
		}()
		buf := make([]byte, MaxFrame)
		for i := range n {
			got, err := way.to.Receive(buf)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("frame %d", i), string(buf[:got]))
		}
	}
	require.NoError(t, a.Close())
	require.NoError(t, <-done, "the close of an end is no error")
	_, err := b.Receive(make([]byte, MaxFrame))
	require.Error(t, err, "the other end is closed too")
}

func TestTheFramesThatTheSeedLosesAreLost(t *testing.T) {
	c := Config{Seed: 5, Loss: 0.5}
	a, b, _ := joined(t, c, Config{})
	next := c.fates()
	const n = 200
	go func() {
		for i := range n {
			a.Send(fmt.Append(nil, i))
		}
	}()
	buf := make([]byte, MaxFrame)
	for i := range n {
		if next().copies == 0 {
			continue
		}
		got, err := b.Receive(buf)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(buf[:got]))
	}
}

func TestABurstLosesFramesInARow(t *testing.T) {
	next := Config{Seed: 3, Loss: 0.01, Burst: 20}.fates()
	run, runs, lost := 0, 0, 0
	for range 100_000 {
		if next().copies == 0 {
			run++
			lost++
			continue
		}
		if run > 0 {
			require.Zero(t, run%20, "whole bursts, more than one where they meet")
			runs++
		}
		run = 0
	}
	require.InDelta(t, 16_500, lost, 2500) // 0.01·20 / (1 + 0.01·20)
	require.Positive(t, runs)
}

func TestAWireChangesWhileItRuns(t *testing.T) {
	nearA, farA := net.Pipe()
	nearB, farB := net.Pipe()
	w := NewWire(Stream(nearA), Stream(nearB))
	done := make(chan [2]Stats, 1)
	go func() {
		stats, _ := w.Run(t.Context())
		done <- stats
	}()
	a, b := Stream(farA), Stream(farB)
	buf := make([]byte, MaxFrame)
	exchange := func(from, to End, text string) {
		go from.Send([]byte(text))
		n, err := to.Receive(buf)
		require.NoError(t, err)
		require.Equal(t, text, string(buf[:n]))
	}
	exchange(a, b, "before")
	require.NoError(t, w.Set(Config{Loss: 1}, Config{}))
	require.Error(t, w.Set(Config{Loss: 2}, Config{}))
	require.NoError(t, a.Send([]byte("lost")))
	require.Eventually(t, func() bool {
		w.ways[0].mu.Lock()
		defer w.ways[0].mu.Unlock()
		return w.ways[0].stats.Lost == 1
	}, time.Minute, time.Millisecond)
	exchange(b, a, "the other way")
	require.NoError(t, w.Set(Config{}, Config{}))
	exchange(a, b, "after")
	require.NoError(t, farA.Close())
	stats := <-done
	require.Equal(t, [2]Stats{{Received: 3, Lost: 1, Sent: 2}, {Received: 1, Sent: 1}}, stats)
	farB.Close()
}

func TestDelayAndOvertaking(t *testing.T) {
	d := newDirection(nil, nil, Config{})
	now := time.Now()
	d.enqueue([]byte("slow"), fate{copies: 1, delay: time.Second}, now)
	d.enqueue([]byte("fast"), fate{copies: 2}, now)
	d.enqueue([]byte("lost"), fate{}, now)
	d.enqueue([]byte("last"), fate{copies: 1, delay: time.Second}, now)
	var got []string
	for at := now; len(got) < 4; {
		frame, wait := d.due(at)
		if frame == nil {
			require.Equal(t, time.Second, wait)
			at = at.Add(wait)
			continue
		}
		got = append(got, string(frame))
	}
	require.Equal(t, []string{"fast", "fast", "slow", "last"}, got)
	require.Equal(t, Stats{Received: 4, Lost: 1, Sent: 4}, d.stats)
}

func TestAFullWireLosesTheNewest(t *testing.T) {
	d := newDirection(nil, nil, Config{Limit: 2})
	for range 5 {
		d.enqueue([]byte("x"), fate{copies: 1}, time.Now())
	}
	require.Equal(t, Stats{Received: 5, Overflowed: 3}, d.stats)
}

func TestALengthThatNoFrameHasEndsTheWire(t *testing.T) {
	for _, length := range []uint32{0, MaxFrame + 1, math.MaxUint32} {
		near, far := net.Pipe()
		other, peer := net.Pipe()
		go far.Write(binary.BigEndian.AppendUint32(nil, length))
		_, err := Join(t.Context(), Stream(near), Stream(other), Config{}, Config{})
		require.ErrorContains(t, err, fmt.Sprintf("a frame of %d bytes", length))
		far.Close()
		peer.Close()
	}
}

func TestParse(t *testing.T) {
	c, err := Parse("loss=1%,burst=3, delay=20ms,jitter=2ms,reorder=5%,duplicate=0.5%,seed=7,limit=9")
	require.NoError(t, err)
	require.Equal(t, Config{Seed: 7, Loss: 0.01, Burst: 3, Duplicate: 0.005, Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Reorder: 0.05, Limit: 9}, c)
	require.Equal(t, "loss=1%,burst=3,delay=20ms,jitter=2ms,reorder=5%,duplicate=0.5%,seed=7,limit=9", c.String())
	require.Empty(t, Config{}.String())
	for _, bad := range []string{"loss=1", "loss=101%", "loss=NaN%", "delay=-1s", "jitter=1s", "reorder=1%", "frob=1", "seed=x", "limit=-1", "burst=-1", "burst=many"} {
		_, err := Parse(bad)
		require.Error(t, err, bad)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 'h', 'i', 0, 0, 0, 1, '!'})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, wire []byte) {
		in := &stream{}
		in.in = bufio.NewReader(bytes.NewReader(wire))
		buf := make([]byte, MaxFrame)
		var again []byte
		for {
			n, err := in.Receive(buf)
			if err != nil {
				break
			}
			again = append(binary.BigEndian.AppendUint32(again, uint32(n)), buf[:n]...)
		}
		if !bytes.HasPrefix(wire, again) {
			t.Errorf("%x was read as %x", wire, again)
		}
	})
}
