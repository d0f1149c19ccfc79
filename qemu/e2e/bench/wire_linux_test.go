package bench

import (
	"errors"
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

// TestBothGuestsServeOverAnImpairedWire has the wire lose, delay and reorder: all loads come to their end, on both guests.
func TestBothGuestsServeOverAnImpairedWire(t *testing.T) {
	ctx := e2e.Context(t, 15*time.Minute)
	o := options(t, ctx)
	o.Net, o.Impair = bench.NetWire, impair.Config{Seed: 1, Loss: 0.01, Delay: 2 * time.Millisecond, Reorder: 0.05}
	if os.Getenv(inNamespace) == "" {
		if os.Geteuid() != 0 {
			t.Skip("a tap interface in a network namespace of its own needs root")
		}
		if _, err := os.Stat("/dev/net/tun"); err != nil {
			t.Skip("no tap interfaces here: ", err)
		}
		// While there is a network, if something has to be fetched.
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
		t.Attr("count", "2 kernels booted")
		return
	}
	r, err := bench.Run(ctx, o)
	require.NoError(t, err)
	require.Equal(t, "loss=1%,delay=2ms,reorder=5%,seed=1", r.Wire)
	require.Len(t, r.Rows, 17)
	for _, row := range r.Rows {
		require.Len(t, row.Tamanet, 1, row.Name)
		require.Len(t, row.Linux, 1, row.Name)
		require.Positive(t, row.Tamanet[0], row.Name)
		require.Positive(t, row.Linux[0], row.Name)
	}
}
