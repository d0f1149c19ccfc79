package bench

import (
	"debug/elf"
	"debug/gosym"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/qemu/bench"
	"github.com/tamanet/tamanet/qemu/e2e"
)

// TestTextOrder has a loaded guest traced: what a server is busy with is named, each function once.
func TestTextOrder(t *testing.T) {
	ctx := e2e.Context(t, 10*time.Minute)
	o := options(t, ctx)
	o.Each = time.Second
	path := filepath.Join(t.TempDir(), "textorder.txt")
	require.NoError(t, bench.TextOrder(ctx, o, path))
	t.Attr("count", "1 kernels booted")
	seen := make(map[string]bool)
	for _, group := range readGroups(t, path) {
		for _, name := range group {
			assert.False(t, seen[name], name)
			seen[name] = true
		}
	}
	for _, function := range []string{"net/http.(*conn).serve", "runtime.findRunnable", "github.com/tamanet/tamanet/drivers/virtionet.(*pair).poll"} {
		assert.True(t, seen[function], function)
	}
}

// TestHotFunctionsShareAPage looks at where the port's linker has put the functions that it has a list of.
func TestHotFunctionsShareAPage(t *testing.T) {
	ctx := e2e.Context(t, 10*time.Minute)
	o := options(t, ctx)
	a, err := build.Build(ctx, build.Options{App: filepath.Join(o.Root, "qemu/benchapp"), Board: o.Board, Go: o.Go, Progress: o.Progress})
	require.NoError(t, err)
	funcs, start := functions(t, a.Path)
	groups := readGroups(t, filepath.Join(o.Root, "kernel/toolchain/_goroot/src/cmd/link/internal/ld/textorder.txt"))
	require.NotEmpty(t, groups)
	var before uint64
	placed, split := 0, []string(nil)
	for _, group := range groups {
		first, end, size := ^uint64(0), uint64(0), uint64(0)
		for _, name := range group {
			f, ok := funcs[name]
			if !ok || strings.HasPrefix(name, "crypto/internal/fips140") {
				continue // another version of the program had it, or it stays with others whose sum is checked
			}
			placed++
			first, end, size = min(first, f.Entry), max(end, f.End), size+f.End-f.Entry
		}
		if end == 0 {
			continue
		}
		assert.GreaterOrEqual(t, first, max(before, start), "%s follows the group before it", group[0])
		before = end
		if size <= 4096 && first/4096 != (end-1)/4096 {
			split = append(split, group[0])
		}
	}
	assert.LessOrEqual(t, len(split), len(groups)/20, "groups that are in two pages, as the alignment of a function in assembly may have it: %s", split)
	assert.Greater(t, placed, 500, "functions of the list are in the kernel")
}

func readGroups(t *testing.T, path string) (groups [][]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		groups = append(groups, strings.Split(strings.TrimSpace(line), "\t"))
	}
	return groups
}

// functions returns those of a kernel by name, and where the first one is. Of an assembly function and what adapts it to Go's
// calls, which have one name, it is that which is first.
func functions(t *testing.T, kernel string) (map[string]gosym.Func, uint64) {
	t.Helper()
	f, err := elf.Open(kernel)
	require.NoError(t, err)
	defer f.Close()
	text := f.Section(".text")
	data, err := f.Section(".gopclntab").Data()
	require.NoError(t, err)
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	require.NoError(t, err)
	funcs := make(map[string]gosym.Func)
	for _, fn := range table.Funcs {
		if f, ok := funcs[fn.Name]; !ok || fn.Entry < f.Entry {
			funcs[fn.Name] = fn
		}
	}
	return funcs, text.Addr
}
