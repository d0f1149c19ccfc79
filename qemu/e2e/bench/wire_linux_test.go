package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tamanet/tamanet/qemu/bench"
	"github.com/tamanet/tamanet/qemu/e2e"
	"github.com/tamanet/tamanet/qemu/impair"
)

// inNamespace tells the test binary that it was started again in a network namespace of its own.
const inNamespace = "TAMANET_BENCH_NAMESPACE"

// ownNamespace runs the test once more in a network namespace of its own, unless it is in one, and reports whether it is. It
// prepares the guests before: something may have to be fetched.
func ownNamespace(t *testing.T, ctx context.Context, o bench.Options, kernels int) bool {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("a tap interface in a network namespace of its own needs root")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("no tap interfaces here: ", err)
	}
	_, err := bench.Prepare(ctx, o)
	if errors.Is(err, bench.ErrNoKernel) {
		t.Skip(err)
	}
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	t.Attr("count", fmt.Sprintf("%d kernels booted", kernels))
	return false
}

// TestBothGuestsServeOverAnImpairedWire has the wire lose, delay and reorder: all loads come to their end, on both guests.
func TestBothGuestsServeOverAnImpairedWire(t *testing.T) {
	ctx := e2e.Context(t, 15*time.Minute)
	o := options(t, ctx)
	o.Net, o.Impair = bench.NetWire, impair.Config{Seed: 1, Loss: 0.01, Delay: 2 * time.Millisecond, Reorder: 0.05}
	if !ownNamespace(t, ctx, o, 2) {
		return
	}
	r, err := bench.Run(ctx, o)
	require.NoError(t, err)
	require.Equal(t, "loss=1%,delay=2ms,reorder=5%,seed=1", r.Wire)
	require.Len(t, r.Rows, 18)
	for _, row := range r.Rows {
		require.Len(t, row.Tamanet, 1, row.Name)
		require.Len(t, row.Linux, 1, row.Name)
		require.Positive(t, row.Tamanet[0], row.Name)
		require.Positive(t, row.Linux[0], row.Name)
	}
}

// TestFullBuffersOverAWire has the buffers of a hundred connections full both ways on a machine that could not hold them if each were as
// large as one alone may be. With loss, segments that were sent wait for their acknowledgements too, and segments that came in for
// the ones before them.
func TestFullBuffersOverAWire(t *testing.T) {
	ctx := e2e.Context(t, 15*time.Minute)
	o := options(t, ctx)
	o.Net, o.Mem = bench.NetWire, smallRAM
	if !ownNamespace(t, ctx, o, 2) {
		return
	}
	for _, wire := range []impair.Config{{}, {Seed: 1, Loss: 0.03, Delay: time.Millisecond}} {
		o.Impair = wire
		f, err := bench.FillBuffers(ctx, o, 100)
		require.NoError(t, err, "%v", wire)
		require.Equal(t, "hello from a machine of its own\n", f.Answer)
		require.Positive(t, f.Taken)
		t.Logf("wire %q: %d bytes were taken; a request while buffers were full: %v", wire, f.Taken, f.While)
	}
}
