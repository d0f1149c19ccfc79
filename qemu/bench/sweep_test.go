package bench

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
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
