package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReleaseIsTheToolchainLineOfGoMod(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^toolchain (\S+)$`).FindSubmatch(mod)
	require.NotNil(t, line, "go.mod has no toolchain line")
	assert.Equal(t, Release, string(line[1]))
}

// stockRoot returns the GOROOT of Release on this machine.
func stockRoot(t *testing.T) string {
	t.Helper()
	root, err := (&builder{Options: Options{Go: "go"}}).stockGoroot(context.Background())
	require.NoError(t, err)
	return root
}

// Two processes that need the toolchain at the same time get one that is
// whole, built once, and what they get does not depend on where or when it was
// built.
func TestEnsureBuildsOnceAndReproducibly(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a toolchain")
	}
	t.Setenv("TAMAGO", "")
	dir := t.TempDir()
	ctx := t.Context()

	var wg sync.WaitGroup
	var cmds [2]string
	var errs [2]error
	var logs [2]bytes.Buffer
	for i := range cmds {
		wg.Go(func() { cmds[i], errs[i] = Ensure(ctx, Options{Dir: dir, Progress: &logs[i]}) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	assert.Equal(t, cmds[0], cmds[1])
	both := logs[0].String() + logs[1].String()
	assert.Equal(t, 1, strings.Count(both, "done: "), both)
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	var quiet bytes.Buffer
	again, err := Ensure(ctx, Options{Dir: dir, Progress: &quiet})
	require.NoError(t, err)
	assert.Equal(t, cmds[0], again)
	assert.Empty(t, quiet.String(), "a toolchain that is there was built again")

	other, err := Ensure(ctx, Options{Progress: os.Stderr})
	require.NoError(t, err)
	assert.Equal(t, treeSum(t, other), treeSum(t, cmds[0]), "two builds of the same input differ")

	t.Setenv("TAMAGO", cmds[0])
	got, err := Ensure(ctx, Options{Dir: t.TempDir(), Progress: io.Discard})
	require.NoError(t, err)
	assert.Equal(t, cmds[0], got)
}

// treeSum hashes all files of the toolchain that has the go command cmd.
func treeSum(t *testing.T, cmd string) string {
	t.Helper()
	h := sha256.New()
	root := filepath.Dir(filepath.Dir(cmd))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %x\n", strings.TrimPrefix(path, root), sha256.Sum256(data))
		return err
	})
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

func TestEnsureLeavesNothingWhenItIsStopped(t *testing.T) {
	t.Setenv("TAMAGO", "")
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	stop := writerFunc(func(line []byte) {
		if bytes.Contains(line, []byte("building")) {
			cancel()
		}
	})
	_, err := Ensure(ctx, Options{Dir: dir, Progress: stop})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, entries(t, dir))
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// entries lists what is in dir besides lock files.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range all {
		if filepath.Ext(e.Name()) != ".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestEnsureRefusesAnotherGo(t *testing.T) {
	t.Setenv("TAMAGO", "")
	for name, tc := range map[string]struct{ version, want string }{
		"another release": {"go1.25.3\ntime 2025-10-13T16:08:43Z\n", "is go1.25.3, the port is for " + Release},
		"no release":      {"", "is not a released Go"},
		"without source":  {Release + "\n", "lacks the source of Go"},
	} {
		t.Run(name, func(t *testing.T) {
			goroot, dir := t.TempDir(), t.TempDir()
			if tc.version != "" {
				require.NoError(t, os.WriteFile(filepath.Join(goroot, "VERSION"), []byte(tc.version), 0o666))
			}
			_, err := Ensure(t.Context(), Options{Dir: dir, Goroot: goroot})
			require.ErrorContains(t, err, tc.want)
			assert.Empty(t, entries(t, dir))
		})
	}
}

func TestTAMAGOMustKnowTamago(t *testing.T) {
	stock, err := exec.LookPath("go")
	require.NoError(t, err)
	for name, tc := range map[string]struct{ cmd, want string }{
		"a stock go":   {stock, "is no go command that knows GOOS=tamago"},
		"no such file": {filepath.Join(t.TempDir(), "go"), "is not a command"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TAMAGO", tc.cmd)
			_, err := Ensure(t.Context(), Options{Dir: t.TempDir()})
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// A change of Go that touches an anchor must be noticed, for each anchor.
func TestEachEditNeedsItsAnchor(t *testing.T) {
	p, err := loadPort()
	require.NoError(t, err)
	root := stockRoot(t)
	for _, e := range p.edits {
		t.Run(fmt.Sprintf("edits.txt:%d", e.line), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, filepath.FromSlash(e.file))
			stock := e.file
			for _, c := range p.copies {
				if c.to == e.file {
					stock = c.from
				}
			}
			require.NoError(t, copyFile(path, filepath.Join(root, filepath.FromSlash(stock))))
			require.NoError(t, e.apply(dir))
			first, err := os.ReadFile(path)
			require.NoError(t, err)

			changed := bytes.Replace(first, []byte(e.new), nil, 1)
			require.NoError(t, os.WriteFile(path, changed, 0o666))
			assert.ErrorContains(t, e.apply(dir), "the anchor stands in "+e.file+" 0 times")

			double := bytes.Replace(first, []byte(e.new), []byte(e.old+e.old), 1)
			require.NoError(t, os.WriteFile(path, double, 0o666))
			assert.ErrorContains(t, e.apply(dir), "2 times")
		})
	}
}

func TestAddedFilesMustBeNew(t *testing.T) {
	p, err := loadPort()
	require.NoError(t, err)
	root := stockRoot(t)
	for file, content := range p.added {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(file)))
		assert.ErrorIs(t, err, fs.ErrNotExist, file)
		// A stock go command, which builds the tools, does not take
		// _tamago in a file's name for a constraint.
		if strings.Contains(filepath.Base(file), "_tamago") {
			assert.Regexp(t, `(?m)^//go:build .*\btamago\b`, content, file)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o666))
	clash := &port{added: map[string]string{"a": "x"}}
	assert.ErrorContains(t, clash.apply(dir), "the port adds it")
}

func TestParseEdits(t *testing.T) {
	copies, edits, err := parseEdits("# why\n--- a/b.go\n x\n-y\n+z\n@@\n-q\n\n--- b.go > c.go\n-1\n+2\n\n--- d.go > e.go\n")
	require.NoError(t, err)
	assert.Equal(t, []fileCopy{{9, "b.go", "c.go"}, {13, "d.go", "e.go"}}, copies)
	assert.Equal(t, []edit{
		{"a/b.go", 3, "x\ny\n", "x\nz\n"},
		{"a/b.go", 7, "q\n", ""},
		{"c.go", 10, "1\n", "2\n"},
	}, edits)

	for text, want := range map[string]string{
		"+x\n":               "edits.txt:1: an edit needs a line",
		"--- a.go\n+x\n":     "edits.txt:2: an edit of a.go has no anchor",
		"--- a.go\n-x\n*y\n": "edits.txt:3: a line of an edit begins with",
		"--- ../a.go\n-x\n":  `"../a.go" is not below GOROOT`,
		"--- a.go > /b.go\n": `"/b.go" is not below GOROOT`,
	} {
		_, _, err := parseEdits(text)
		assert.ErrorContains(t, err, want, "%q", text)
	}
}

func FuzzParseEdits(f *testing.F) {
	f.Add("# why\n--- a/b.go\n x\n-y\n+z\n@@\n-q\n\n--- c.go\n-1\n+2\n")
	f.Add("--- a.go\n\n@@\n-")
	f.Fuzz(func(t *testing.T, text string) {
		_, edits, err := parseEdits(text)
		for _, e := range edits {
			if err == nil && (e.old == "" || !filepath.IsLocal(e.file)) {
				t.Errorf("parsed %+v", e)
			}
		}
	})
}
