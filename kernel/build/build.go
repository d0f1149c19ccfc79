// Package build makes kernels: it compiles an appliance, any folder with a main package that imports tamanet, with a
// go command that knows GOOS=tamago, and links it where a board wants it.
//
// Compiled packages stay in Go's build cache, and a kernel that is up to date is not linked again.
package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/tamanet/tamanet/kernel/pack"
)

// Options says what to build. App is required.
type Options struct {
	App      string    // folder of a main package, or an import path of the module in the current folder
	Board    string    // name of a Target; "" is microvm
	Out      string    // file to write, or a folder that exists or ends in a slash; "" is a file in the user's cache
	Tags     []string  // further build tags
	Cmdline  string    // kernel command line to compile in, for boards that no loader gives one
	Compress bool      // write the kernel in its self-extracting form (package pack); amd64 boards only
	Go       string    // path of a go command that knows GOOS=tamago
	Progress io.Writer // told what is done, a line each; nil is nobody
}

// Artifact is a kernel.
type Artifact struct {
	Path    string // absolute path of the ELF file
	Package string // import path of the main package
	Board   string
	Size    int64 // of the file, in bytes
}

// CompileError is what the go command had to say about a program that it could not build.
type CompileError struct {
	Package string
	Output  string
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("%s does not build:\n%s", e.Package, strings.TrimRight(e.Output, "\n"))
}

// Build builds an appliance. It blocks until the kernel stands or ctx is done. The errors: a *CompileError with the
// compiler's own words; and plain ones for an unknown board, a folder that holds no program, a program that does not
// import tamanet, and a go command that cannot be run.
func Build(ctx context.Context, o Options) (Artifact, error) {
	b, err := newBuilder(o)
	if err != nil {
		return Artifact{}, err
	}
	if o.Go == "" {
		return Artifact{}, errors.New("no go command that knows GOOS=tamago was given")
	}
	return b.build(ctx)
}

// newBuilder resolves the defaults of o.
func newBuilder(o Options) (*builder, error) {
	if o.Board == "" {
		o.Board = "microvm"
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	t, err := LookupTarget(o.Board)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("kernels are kept in the user's cache: %w", err)
	}
	if err := t.checkCmdline(o.Cmdline); err != nil {
		return nil, err
	}
	if o.Compress && t.GOARCH != "amd64" {
		return nil, fmt.Errorf("kernels of board %s cannot be compressed, only those of amd64 boards", t.Board)
	}
	return &builder{Options: o, target: t, env: t.environ(), cache: filepath.Join(cache, "tamanet")}, nil
}

// builder is one Build.
type builder struct {
	Options
	target Target
	env    []string // added to the environment
	dir    string   // folder that the go command runs in
	cache  string   // folder for kernels and workspaces
}

func (b *builder) build(ctx context.Context) (Artifact, error) {
	pkg, err := b.locate(ctx)
	if err != nil {
		return Artifact{}, err
	}
	out, err := b.output()
	if err != nil {
		return Artifact{}, err
	}
	if b.Compress {
		return b.compressed(ctx, out)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return Artifact{}, fmt.Errorf("the kernel's folder: %w", err)
	}
	profile, err := b.profile(pkg.Dir)
	if err != nil {
		return Artifact{}, err
	}
	fmt.Fprintf(b.Progress, "building %s for %s\n", pkg.ImportPath, b.target.Board)
	begin := time.Now()
	args := []string{"build", "-trimpath", "-buildvcs=" + b.stamp(ctx, pkg.Dir), "-tags", b.target.tags(b.Tags), "-pgo", profile,
		"-ldflags", b.target.ldflags(b.Cmdline), "-o", out, pkg.pattern}
	said, err := b.run(ctx, args...)
	if !pkg.onBoard && ctx.Err() == nil && !sourceLine.MatchString(said) {
		// Nothing is wrong with the source itself; the linker's words would be obscure.
		return Artifact{}, fmt.Errorf("%s does not import tamanet, so it has no machine to run on; add this line to it: import _ %q",
			pkg.ImportPath, module)
	}
	if err != nil {
		return Artifact{}, b.failure(ctx, pkg.ImportPath, said, err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return Artifact{}, fmt.Errorf("the kernel was built, but cannot be read: %w", err)
	}
	fmt.Fprintf(b.Progress, "kernel ready in %.1f s: %s, %.1f MB\n", time.Since(begin).Seconds(), out, float64(info.Size())/1e6)
	return Artifact{Path: out, Package: pkg.ImportPath, Board: b.target.Board, Size: info.Size()}, nil
}

// compressed builds the kernel as it is linked into the cache, and packs it into out.
func (b *builder) compressed(ctx context.Context, out string) (Artifact, error) {
	plain := *b
	plain.Compress, plain.Out = false, ""
	a, err := plain.build(ctx)
	if err != nil {
		return a, err
	}
	kernel, err := os.ReadFile(a.Path)
	if err != nil {
		return a, fmt.Errorf("the kernel was built, but cannot be read: %w", err)
	}
	begin := time.Now()
	packed, err := pack.Pack(kernel)
	if err != nil {
		return a, err
	}
	if err := writeFile(out, packed); err != nil {
		return a, fmt.Errorf("the compressed kernel: %w", err)
	}
	a.Path, a.Size = out, int64(len(packed))
	fmt.Fprintf(b.Progress, "compressed in %.1f s: %s, %.1f MB\n", time.Since(begin).Seconds(), out, float64(a.Size)/1e6)
	return a, nil
}

// writeFile writes a file, and its folder where there is none. A machine that runs from the file's predecessor keeps that.
func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o755), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// sourceLine is how the compiler begins an error.
var sourceLine = regexp.MustCompile(`\.go:[0-9]+`)

// failure tells a program that does not build from a go command that does not run.
func (b *builder) failure(ctx context.Context, pkg, said string, err error) error {
	var exit *exec.ExitError
	if ctx.Err() == nil && errors.As(err, &exit) && said != "" {
		return &CompileError{Package: pkg, Output: said}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("building %s with %s: %w", pkg, b.Go, err)
}

// run runs the go command and returns its standard output, and when it fails its standard error as well.
func (b *builder) run(ctx context.Context, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, b.Go, args...)
	cmd.Dir = b.dir
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(cleanEnviron(os.Environ()), b.env...)
	// The compilers that go started hold the pipes a moment longer than go itself.
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return out.String() + errs.String(), err
	}
	return out.String(), nil
}

// cleanEnviron returns env without what would send the go command elsewhere: a surrounding go command exports its
// GOROOT, a shell may target another machine, and GOTOOLCHAIN would replace the go command by a release, which does
// not know GOOS=tamago.
func cleanEnviron(env []string) []string {
	clean := make([]string, 0, len(env)+1)
	for _, kv := range env {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "GOROOT", "GOTOOLDIR", "GOTOOLCHAIN", "GOTOOLCHAIN_INTERNAL_SWITCH_VERSION", "GOTOOLCHAIN_INTERNAL_SWITCH_COUNT",
			"GOOS", "GOARCH", "GOARM", "GOAMD64", "GOOSPKG", "CGO_ENABLED", "GOBIN", "GOEXPERIMENT":
		default:
			clean = append(clean, kv)
		}
	}
	return append(clean, "GOTOOLCHAIN=local")
}

// stamp says whether the go command can stamp the commit into the kernel: it fails the whole build where git does not
// answer, as in a folder that belongs to another user.
func (b *builder) stamp(ctx context.Context, dir string) string {
	git := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "--verify", "HEAD")
	return fmt.Sprint(git.Run() == nil)
}

// Output returns the absolute path of the file that Build writes for o. It builds nothing and makes no folder.
func Output(o Options) (string, error) {
	b, err := newBuilder(o)
	if err != nil {
		return "", err
	}
	return b.output()
}

// output is Output.
func (b *builder) output() (string, error) {
	app := b.App
	if info, err := os.Stat(app); err == nil && info.IsDir() {
		if app, err = filepath.Abs(app); err != nil {
			return "", fmt.Errorf("the appliance's folder: %w", err)
		}
	}
	name := filepath.Base(app) + "-" + b.target.Board
	if b.Compress {
		name += "-compressed"
	}
	path := b.Out
	if path == "" {
		// Appliances of the same name in two folders, or of one folder built otherwise, are two kernels.
		sum := sha256.Sum256([]byte(app + "\x00" + strings.Join(b.Tags, ",") + "\x00" + b.Cmdline))
		path = filepath.Join(b.cache, "kernels", fmt.Sprintf("%s-%x.elf", name, sum[:6]))
	} else if info, err := os.Stat(path); err == nil && info.IsDir() || strings.HasSuffix(path, "/") {
		path = filepath.Join(path, name+".elf")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("the kernel's path: %w", err)
	}
	return path, nil
}
