// Package bench sees that the benchmarks work: both guests boot and take every load. No figure is asserted.
package bench

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/kernel/toolchain"
	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/bench"
	"github.com/tamanet/tamanet/qemu/e2e"
)

// options returns those of a run that is as short as can be, once there is a toolchain.
func options(t *testing.T, ctx context.Context) bench.Options {
	t.Helper()
	if testing.Short() {
		t.Skip("kernels are not built and booted with -short")
	}
	goCmd, err := toolchain.Ensure(ctx, toolchain.Options{Progress: os.Stderr})
	if err != nil {
		if os.Getenv(e2e.MustBoot) != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return bench.Options{Root: build.FindClone(), Go: goCmd, Out: t.TempDir(), Board: "microvm", Net: bench.NetUser,
		Accel: qemu.AccelTCG, Mem: 256 << 20, Rounds: 1, Each: 100 * time.Millisecond, Short: true, Progress: t.Output()}
}

func TestEveryMeasureIsTaken(t *testing.T) {
	ctx := e2e.Context(t, 15*time.Minute)
	r, err := bench.Run(ctx, options(t, ctx))
	if errors.Is(err, bench.ErrNoKernel) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Attr("count", "4 kernels booted")
	require.Len(t, r.Rows, len(bench.Measures)-1, "all but the smallest RAM")
	for _, row := range r.Rows {
		require.Len(t, row.Tamanet, 1, row.Name)
		require.Len(t, row.Linux, 1, row.Name)
		if row.Key != "idle-cpu" {
			require.Positive(t, row.Tamanet[0], row.Name)
			require.Positive(t, row.Linux[0], row.Name)
		}
	}
}

// TestProfile has the guest take its CPU profile under load, and Go's own tool read it.
func TestProfile(t *testing.T) {
	ctx := e2e.Context(t, 10*time.Minute)
	path := filepath.Join(t.TempDir(), "cpu.pgo")
	require.NoError(t, bench.Profile(ctx, options(t, ctx), path))
	t.Attr("count", "1 kernels booted")
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-cum", "-nodecount=0", path).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "Type: cpu")
	for _, function := range []string{"net/http.(*conn).serve", "runtime.mcall", "github.com/tamanet/tamanet/drivers/virtionet.(*pair).poll"} {
		require.Contains(t, string(out), function, "what a loaded server spends its time in")
	}
}

// smallRAM is the least RAM that boards promise to work with.
const smallRAM = 64 << 20

// TestFullBuffers has the buffers of a hundred connections full both ways on a machine that could not hold them if each were as
// large as one alone may be. User networking, once both sides are full, sees nothing of the client's close: to the machine the
// connections live on, and their peer takes nothing any more. It has to serve others nevertheless.
func TestFullBuffers(t *testing.T) {
	ctx := e2e.Context(t, 15*time.Minute)
	o := options(t, ctx)
	o.Mem = smallRAM
	f, err := bench.FillBuffers(ctx, o, 100)
	require.NoError(t, err)
	t.Attr("count", "1 kernels booted")
	require.Equal(t, "hello from a machine of its own\n", f.Answer)
	require.Positive(t, f.Taken)
	t.Logf("%d bytes were taken; a request while buffers were full: %v", f.Taken, f.While)
}
