package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tools are the commands that know of a GOOS. The rest of a toolchain, such as
// vet, is built by the go command when it is asked for.
var tools = []string{"asm", "compile", "link"}

type builder struct {
	Options
	port  *port
	dir   string // of the finished toolchain
	tmp   string // where it is made
	start time.Time
}

func (b *builder) progress(format string, args ...any) {
	fmt.Fprintf(b.Progress, "toolchain: %4.0f s  %s\n", time.Since(b.start).Seconds(), fmt.Sprintf(format, args...))
}

// build makes the toolchain beside its place and moves it there when it is
// whole: what stands in b.dir is always complete.
func (b *builder) build(ctx context.Context) (err error) {
	b.progress("making a Go for GOOS=tamago, once: about two minutes on two cores")
	if old, _ := filepath.Glob(b.dir + ".tmp*"); old != nil {
		for _, dir := range old { // of a build that was killed; we hold the lock
			os.RemoveAll(dir)
		}
	}
	b.tmp, err = os.MkdirTemp(filepath.Split(b.dir + ".tmp"))
	if err != nil {
		return err
	}
	defer func() {
		os.RemoveAll(b.tmp)
		if errors.Is(err, syscall.ENOSPC) || err != nil && strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
			err = fmt.Errorf("%w; the toolchain takes about 400 MB in %s: make room there or set XDG_CACHE_HOME", err, filepath.Dir(b.dir))
		}
	}()

	goroot, err := b.stockGoroot(ctx)
	if err != nil {
		return err
	}
	// Not the command that found it: one that switches releases does not
	// keep GOROOT.
	b.Go = filepath.Join(goroot, "bin", "go")
	b.progress("copying %s", goroot)
	if err := copyGoroot(ctx, b.tmp, goroot); err != nil {
		return err
	}
	b.progress("applying the port: %d files added, %d edits", len(b.port.added), len(b.port.edits))
	if err := b.port.apply(b.tmp); err != nil {
		return err
	}
	if err := b.stampVersion(); err != nil {
		return err
	}
	if err := b.compile(ctx); err != nil {
		return err
	}
	if err := os.Rename(b.tmp, b.dir); err != nil {
		return err
	}
	b.progress("done: %s", b.dir)
	return nil
}

// copyGoroot copies what compiling and testing needs of a GOROOT.
func copyGoroot(ctx context.Context, dst, src string) error {
	for _, name := range []string{"VERSION", "go.env", "LICENSE", "src", "lib/time", "pkg/include", "pkg/tool/" + hostPlatform} {
		root := filepath.Join(src, filepath.FromSlash(name))
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			rel, err := filepath.Rel(src, path)
			if err != nil {
				return err
			}
			to := filepath.Join(dst, rel)
			switch {
			case d.IsDir() && d.Name() == "testdata" && strings.HasPrefix(filepath.ToSlash(rel), "src/cmd/"):
				return filepath.SkipDir
			case d.IsDir():
				return os.MkdirAll(to, 0o777)
			}
			return copyFile(to, path)
		})
		if err != nil && !(name == "pkg/tool/"+hostPlatform && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

func copyFile(dst, src string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
		return err
	}
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, st.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// stampVersion makes the tools call themselves by a version of their own. The
// go command takes that for their identity: without it, its build cache would mix
// up what different ports compiled.
func (b *builder) stampVersion() error {
	path := filepath.Join(b.tmp, "src", "internal", "buildcfg", "zbootstrap.go")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	stock := []byte("const version = `" + Release + "`")
	if bytes.Count(data, stock) != 1 {
		return fmt.Errorf("%s does not say %q", path, stock)
	}
	own := []byte("const version = `" + Release + "-tamanet." + b.port.key() + "`")
	return os.WriteFile(path, bytes.Replace(data, stock, own, 1), 0o666)
}

// compile builds the tools and the go command of b.tmp with the stock ones,
// all before any takes its place: a stock tool must not meet a new one.
func (b *builder) compile(ctx context.Context) error {
	type binary struct{ pkg, dst string }
	var all []binary
	for _, t := range tools {
		all = append(all, binary{"cmd/" + t, filepath.Join(b.tmp, "pkg", "tool", hostPlatform, t)})
	}
	all = append(all, binary{"cmd/go", filepath.Join(b.tmp, "bin", "go")})
	for _, bin := range all {
		b.progress("building %s", bin.pkg)
		_, err := b.stockGo(ctx, "GOROOT="+b.tmp, "build", "-trimpath", "-o", bin.dst+".new", bin.pkg)
		if err != nil {
			return err
		}
	}
	for _, bin := range all {
		if err := os.Rename(bin.dst+".new", bin.dst); err != nil {
			return err
		}
	}
	return nil
}

// stockGo runs the stock go command for the host, whatever the environment
// says of cross-compiling and of flags, and returns what it printed.
func (b *builder) stockGo(ctx context.Context, env string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.Go, args...)
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GO111MODULE=",
		"CGO_ENABLED=0", "GOTOOLCHAIN=local", env)
	cmd.Dir = os.TempDir()
	if b.tmp != "" && args[0] == "build" {
		cmd.Dir = filepath.Join(b.tmp, "src")
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", b.Go, strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}
