package stdtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tamanet/tamanet/kernel/toolchain"
)

// The standard library works on GOOS=tamago as its own tests say, save for
// what skips.txt names. TAMANET_STDTEST may hold patterns of packages, to run
// the tests of those only.
func TestStandardLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the tests of the standard library")
	}
	goCmd, err := toolchain.Ensure(t.Context(), toolchain.Options{Progress: os.Stderr})
	require.NoError(t, err)
	for _, m := range []struct {
		name, arch string
		processors int
		packages   []string
	}{
		{"amd64", "amd64", 1, Packages("amd64")},
		{"amd64, 2 processors", "amd64", 2, Concurrent()},
		{"arm", "arm", 1, Packages("arm")},
	} {
		t.Run(m.name, func(t *testing.T) {
			ctx := t.Context()
			if end, ok := t.Deadline(); ok {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, end.Add(-5*time.Second))
				defer cancel()
			}
			var log strings.Builder
			packages := m.packages
			if named := strings.Fields(os.Getenv("TAMANET_STDTEST")); len(named) > 0 {
				packages = named
			}
			sum, err := Run(ctx, Options{
				Go: goCmd, Arch: m.arch, Processors: m.processors, Packages: packages, Progress: &log,
			})
			t.Log("\n" + log.String())
			require.NoError(t, err)
			assert.Empty(t, sum.FailedPackages)
			assert.Zero(t, sum.Failed)
			assert.NotZero(t, sum.Passed)
			t.Logf("standard library on tamago/%s: %v", m.name, sum)
			t.Attr("count", fmt.Sprintf("%d standard-library tests on %s", sum.Passed, m.name))
		})
	}
}

// A test that fails must be seen to fail.
func TestFailuresAreCounted(t *testing.T) {
	var sum Summary
	var log strings.Builder
	c := counter{sum: &sum, w: &log, output: make(map[string][]byte)}
	for _, line := range []string{
		`{"ImportPath":"c [c.test]","Action":"build-output","Output":"c.go:1: syntax error\n"}`,
		`{"Action":"run","Package":"a","Test":"TestX"}`,
		`{"Action":"output","Package":"a","Test":"TestX","Output":"x was 3\n"}`,
		`{"Action":"fail","Package":"a","Test":"TestX","Elapsed":0.1}`,
		`{"Action":"pass","Package":"a","Test":"TestY"}`,
		`{"Action":"skip","Package":"a","Test":"TestZ"}`,
		`{"Action":"fail","Package":"a","Elapsed":0.2}`,
		`{"Action":"pass","Package":"b","Elapsed":0.2}`,
		`{"Action":"fail","Package":"c","FailedBuild":"c [c.test]"}`,
		`{"Action":"skip","Package":"` + Board + `"}`,
	} {
		c.line([]byte(line))
	}
	assert.Equal(t, Summary{Packages: 3, Passed: 1, Failed: 1, Skipped: 1, FailedPackages: []string{"a", "c"}}, sum)
	assert.Contains(t, log.String(), "x was 3")
	assert.Contains(t, log.String(), "c.go:1: syntax error")
}

func TestParseSkips(t *testing.T) {
	const text = "# why\na TestX needs a disk\na TestY needs a net\nb@arm * slow\n"
	amd64, err := parseSkips(text, "amd64")
	require.NoError(t, err)
	assert.Equal(t, map[string]skip{"a": {tests: []skippedTest{{"TestX", "needs a disk"}, {"TestY", "needs a net"}}}}, amd64)
	assert.Equal(t, "^(TestX|TestY)$", amd64["a"].pattern())
	arm, err := parseSkips(text, "arm")
	require.NoError(t, err)
	assert.Equal(t, "slow", arm["b"].all)
	_, err = parseSkips("a TestX\n", "arm")
	assert.ErrorContains(t, err, "skips.txt:1: want a package, a test and a reason")
	_, err = parseSkips(skipsText, "amd64")
	assert.NoError(t, err)
}
