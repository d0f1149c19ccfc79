// Package toolchain builds a go command that knows GOOS=tamago from a stock Go.
//
// A port of Go to bare metal is needed to compile a kernel. Upstream TamaGo
// distributes one as a fork of Go to be cloned and built; this package makes
// its own from the released Go: it copies the GOROOT of [Release], adds the
// files below _goroot, applies the edits in edits.txt, and builds the go
// command, the compiler, the assembler and the linker with the stock go command.
// An edit whose anchor is not found stops the build, so that a port is never half
// applied. Go checks its releases against the checksum database when it
// downloads them: what is trusted is Go's release and this repository.
//
// The port keeps TamaGo's contract, as package goos of
// github.com/usbarmory/tamago documents it, and adds:
//
//   - an interrupt is a netpoll event: see _goroot/src/runtime/signal_tamago.go;
//   - syscall.Signal has a method Wait, for a goroutine that serves an interrupt line;
//   - Ms are threads that share the processors which goos.Task starts, each once, after
//     runtime.GOMAXPROCS was called with their number: see _goroot/src/runtime/thread_tamago_amd64.go;
//   - a fault of a goroutine can become a Go panic: runtime.sigfault;
//   - GOOSLINK names a package that every program is linked with;
//   - functions that servers are busy with stand first in a program for amd64, those that call one another in one
//     page: see _goroot/src/cmd/link/internal/ld/textorder.go;
//   - a net.Conn from net.SocketFunc may offer more than the interface: CloseRead,
//     CloseWrite, SetNoDelay and others, see _goroot/src/net.
//
// Programs find these at run time, by optional interfaces, and do without on
// another distribution.
package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Release is the Go release that the port applies to. It is the toolchain
// line of go.mod.
const Release = "go1.26.8"

// GOOSPKG is the module whose goos folder the port's runtime is built on.
const GOOSPKG = "github.com/usbarmory/tamago"

// Options says how Ensure works. The zero value builds in the user's cache
// directory and reports nothing.
type Options struct {
	// Progress receives a line for each step of a build, with the time since
	// it began. Nothing is written when the toolchain is there already.
	Progress io.Writer

	// Dir is where toolchains are kept, one folder each. When empty it is
	// "tamanet" in the user's cache directory, see [os.UserCacheDir].
	Dir string

	// Go is the stock go command. When empty it is "go", looked up in PATH.
	Go string

	// Goroot is the stock GOROOT to port. When empty, the Go command is asked
	// for that of Release, which it downloads if it has to.
	Goroot string
}

// Ensure returns the path of a go command that knows GOOS=tamago, and builds it
// first when it is not there: that takes some minutes, once. Several processes may
// call it at once, one builds and the others wait.
//
// When the environment variable TAMAGO is set it names the command to use
// instead, for example that of an official TamaGo distribution; Ensure only
// checks that it knows GOOS=tamago.
//
// It fails when the release cannot be had, when an edit of the port does not
// apply, when the disk is full, when the stock Go cannot build the result, and when ctx ends. A
// failed build leaves nothing behind.
func Ensure(ctx context.Context, opt Options) (string, error) {
	if cmd := os.Getenv("TAMAGO"); cmd != "" {
		return cmd, checkCommand(ctx, cmd)
	}
	p, err := loadPort()
	if err != nil {
		return "", err
	}
	if opt.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("toolchain: no cache directory: %w; set XDG_CACHE_HOME or HOME", err)
		}
		opt.Dir = filepath.Join(cache, "tamanet")
	}
	if opt.Go == "" {
		opt.Go = "go"
	}
	if opt.Progress == nil {
		opt.Progress = io.Discard
	}
	dir := filepath.Join(opt.Dir, Release+"-"+p.key())
	cmd := filepath.Join(dir, "bin", "go")
	if _, err := os.Stat(cmd); err == nil {
		return cmd, nil
	}
	if err := os.MkdirAll(opt.Dir, 0o777); err != nil {
		return "", fmt.Errorf("toolchain: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock", func() {
		fmt.Fprintf(opt.Progress, "toolchain: another process builds %s, waiting for it\n", dir)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(cmd); err == nil {
		return cmd, nil
	}
	b := &builder{Options: opt, port: p, dir: dir, start: time.Now()}
	if err := b.build(ctx); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("toolchain: building GOOS=tamago from %s: %w", Release, err)
	}
	return cmd, nil
}

// checkCommand reports whether cmd is a go command that knows GOOS=tamago.
func checkCommand(ctx context.Context, cmd string) error {
	c := exec.CommandContext(ctx, cmd, "build", "-n", "internal/goarch")
	c.Env = append(os.Environ(), "GOOS=tamago", "GOARCH=amd64", "GOTOOLCHAIN=local", "GOOSPKG="+GOOSPKG)
	out, err := c.CombinedOutput()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("toolchain: TAMAGO=%s is not a command: %w; unset TAMAGO to use tamanet's own toolchain", cmd, err)
	}
	return fmt.Errorf("toolchain: TAMAGO=%s is no go command that knows GOOS=tamago: %w\n%s", cmd, err, strings.TrimSpace(string(out)))
}

// stockGoroot returns the GOROOT of Release, which the stock go command
// downloads when it is another version itself.
func (b *builder) stockGoroot(ctx context.Context) (string, error) {
	goroot := b.Goroot
	if goroot == "" {
		out, err := b.stockGo(ctx, "GOTOOLCHAIN="+Release, "env", "GOROOT")
		if err != nil {
			return "", fmt.Errorf("%s cannot be had: %w; install it, or let Go download it", Release, err)
		}
		goroot = strings.TrimSpace(out)
	}
	data, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return "", fmt.Errorf("%s is not a released Go: %w", goroot, err)
	}
	if v, _, _ := strings.Cut(string(data), "\n"); v != Release {
		return "", fmt.Errorf("%s is %s, the port is for %s", goroot, v, Release)
	}
	if _, err := os.Stat(filepath.Join(goroot, "src", "runtime")); err != nil {
		return "", fmt.Errorf("%s lacks the source of Go: %w; install a full release", goroot, err)
	}
	return goroot, nil
}

// hostPlatform is the name of the folder of GOROOT/pkg/tool.
const hostPlatform = runtime.GOOS + "_" + runtime.GOARCH
