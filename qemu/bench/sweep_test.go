package bench

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestATransferThatTakesTooLong has neither a connection that is not made in time nor a transfer that does not end be the sweep's end.
func TestATransferThatTakesTooLong(t *testing.T) {
	late := func(context.Context, *machine, int64) error {
		_, err := (&net.Dialer{Deadline: time.Unix(1, 0)}).Dial("tcp", "127.0.0.1:9")
		return err
	}
	stuck := func(context.Context, *machine, int64) error {
		conn, other := net.Pipe()
		defer other.Close()
		defer conn.Close()
		conn.SetDeadline(time.Unix(1, 0))
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	for _, do := range []func(context.Context, *machine, int64) error{late, stuck} {
		took, err := timed(t.Context(), nil, do)
		require.NoError(t, err)
		require.True(t, math.IsInf(took, 1))
	}

	reset := errors.New("connection reset")
	_, err := timed(t.Context(), nil, func(context.Context, *machine, int64) error { return reset })
	require.ErrorIs(t, err, reset)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = timed(ctx, nil, func(context.Context, *machine, int64) error { return os.ErrDeadlineExceeded })
	require.ErrorIs(t, err, context.Canceled, "a sweep that was ended")
}

// TestSweepTable has lines that come one by one stand below each other.
func TestSweepTable(t *testing.T) {
	table := newSweepTable([]string{"", "sysctl.net.ipv4.tcp_sack=0"}, []string{"", "reorder=5%,delay=10ms"})
	var b strings.Builder
	require.NoError(t, table.head(&b, 3))
	require.NoError(t, table.rows(&b, linuxName, [][]float64{{1, 2, 3}, {10, 20, 30}}, [][]float64{{0.0012, 0.001, 0.0034}, {math.Inf(1), 1, math.Inf(1)}}))
	require.NoError(t, table.rows(&b, settingName("sysctl.net.ipv4.tcp_sack=0"), [][]float64{{1}, {2}}, [][]float64{{3}, {4}}))
	require.Equal(t, `seconds for 4 MiB to the guest and from it; medians of 3 seeds, the greatest in brackets

                 perfect          reorder=5%,delay=10ms
Linux       in   2 [3]            20 [30]
            out  0.0012 [0.0034]  >60 [>60]
tcp_sack=0  in   1 [1]            2 [2]
            out  3 [3]            4 [4]
`, b.String())
}
