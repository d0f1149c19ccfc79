// Package stdtest runs the tests of Go's standard library on GOOS=tamago,
// natively, as Linux processes: package user/linux of
// github.com/usbarmory/tamago is a board whose machine is Linux, and package
// board below adds exceptions and a timer tick to it. Package net has its
// network in the process, as on js (build tag fakenet). A program of
// that board sees no arguments, no environment and no files, so each test program gets an
// extra file, by the go command's overlay, which sets the arguments and writes
// the test data into the port's file system in memory.
package stdtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamanet/tamanet/kernel/toolchain"
)

// Board is the package whose machine the tests run on.
const Board = "github.com/tamanet/tamanet/kernel/toolchain/stdtest/board"

// Options says what Run does. Go is required.
type Options struct {
	// Go is a go command that knows GOOS=tamago.
	Go string

	// Arch is amd64 or arm; arm programs run under qemu-arm. Empty means amd64.
	Arch string

	// Processors is how many processors the machine has, up to 8 on amd64. Zero means 1.
	Processors int

	// Packages are patterns as for go list. None means [Packages] of Arch.
	Packages []string

	// Dir is a folder of tamanet's module. Empty means the current folder.
	Dir string

	// Progress receives a line for each package, and the output of those
	// that fail. Nil discards it.
	Progress io.Writer
}

// A Summary counts what ran. A test with subtests counts each of them.
type Summary struct {
	Packages, Passed, Failed int

	// Skipped tests skip themselves, as they would elsewhere under -short or
	// without a network; Left are tests and packages that this port leaves
	// out, see skips.txt.
	Skipped, Left int

	// FailedPackages are those with a failed test, or that did not build or end.
	FailedPackages []string
}

func (s Summary) String() string {
	return fmt.Sprintf("%d packages, %d tests passed, %d failed, %d skipped themselves, %d left out with a reason",
		s.Packages, s.Passed, s.Failed, s.Skipped, s.Left)
}

// Run builds and runs the tests, until ctx ends. The error says why they could
// not be run; tests that fail are in the Summary.
func Run(ctx context.Context, opt Options) (Summary, error) {
	var sum Summary
	if opt.Progress == nil {
		opt.Progress = io.Discard
	}
	if opt.Arch == "" {
		opt.Arch = "amd64"
	}
	if len(opt.Packages) == 0 {
		opt.Packages = Packages(opt.Arch)
	}
	skips, err := parseSkips(skipsText, opt.Arch)
	if err != nil {
		return sum, err
	}
	pkgs, err := opt.list(ctx)
	if err != nil {
		return sum, err
	}
	pkgs = slices.DeleteFunc(pkgs, func(p pkg) bool {
		s, left := skips[p.ImportPath]
		if left && s.all != "" {
			sum.Left++
			fmt.Fprintf(opt.Progress, "stdtest: left out %s: %s\n", p.ImportPath, s.all)
			return true
		}
		return p.tests() == 0
	})
	tmp, err := os.MkdirTemp("", "tamanet-stdtest")
	if err != nil {
		return sum, fmt.Errorf("stdtest: %w", err)
	}
	defer os.RemoveAll(tmp)
	overlay, err := writeOverlay(tmp, pkgs, skips)
	if err != nil {
		return sum, fmt.Errorf("stdtest: %w", err)
	}
	for _, p := range pkgs {
		for _, t := range skips[p.ImportPath].tests {
			sum.Left++
			fmt.Fprintf(opt.Progress, "stdtest: left out %s %s: %s\n", p.ImportPath, t.name, t.reason)
		}
	}
	return sum, opt.test(ctx, &sum, overlay, pkgs)
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Name, Dir                 string
	TestGoFiles, XTestGoFiles             []string
	TestEmbedPatterns, XTestEmbedPatterns []string
}

func (p *pkg) tests() int { return len(p.TestGoFiles) + len(p.XTestGoFiles) }

func (opt *Options) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, opt.Go, args...)
	cmd.Dir = opt.Dir
	cmd.Env = append(os.Environ(), "GOOS=tamago", "GOARCH="+opt.Arch, "GOARM=7", "GOOSPKG="+toolchain.GOOSPKG,
		"GOOSLINK="+Board, "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "CGO_ENABLED=0")
	return cmd
}

func (opt *Options) list(ctx context.Context) ([]pkg, error) {
	cmd := opt.command(ctx, append([]string{"list", "-json=ImportPath,Name,Dir,TestGoFiles,XTestGoFiles"}, opt.Packages...)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("stdtest: go list: %w\n%s", err, errOut.Bytes())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("stdtest: go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}

// test runs go test -json and adds up what it says.
func (opt *Options) test(ctx context.Context, sum *Summary, overlay string, pkgs []pkg) error {
	args := []string{"test", "-json", "-vet=off", "-short", "-timeout=15m", "-tags=fakenet,timetzdata", "-overlay=" + overlay}
	if opt.Processors > 1 {
		args = append(args, fmt.Sprintf("-ldflags=-X %s.processors=%d", Board, opt.Processors))
	}
	if opt.Arch == "arm" {
		qemu, err := exec.LookPath("qemu-arm-static")
		if err != nil {
			if qemu, err = exec.LookPath("qemu-arm"); err != nil {
				return fmt.Errorf("stdtest: running arm programs needs qemu-arm-static: install qemu-user-static")
			}
		}
		args = append(args, "-exec="+qemu)
	}
	args = append(args, Board)
	for _, p := range pkgs {
		args = append(args, p.ImportPath)
	}
	cmd := opt.command(ctx, args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("stdtest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("stdtest: %w", err)
	}
	c := counter{sum: sum, w: opt.Progress, output: make(map[string][]byte)}
	in := bufio.NewScanner(out)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		c.line(in.Bytes())
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case in.Err() != nil:
		return fmt.Errorf("stdtest: %w", in.Err())
	case err != nil && len(sum.FailedPackages) == 0:
		return fmt.Errorf("stdtest: go test: %w\n%s", err, errOut.Bytes())
	case sum.Packages != len(pkgs):
		return fmt.Errorf("stdtest: of %d packages %d were run\n%s", len(pkgs), sum.Packages, errOut.Bytes())
	}
	return nil
}

// counter adds up the events of go test -json.
type counter struct {
	sum    *Summary
	w      io.Writer
	output map[string][]byte // by package
}

// event is a line of go test -json, see go doc test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
	FailedBuild                               string
}

func (c *counter) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		fmt.Fprintf(c.w, "%s\n", line)
		return
	}
	switch {
	case e.Action == "build-output":
		name, _, _ := strings.Cut(e.ImportPath, " ")
		c.output[name] = append(c.output[name], e.Output...)
	case e.Action == "output":
		const most = 64 << 10
		out := append(c.output[e.Package], e.Output...)
		c.output[e.Package] = out[max(0, len(out)-most):]
	case e.Package == Board:
	case e.Test != "":
		switch e.Action {
		case "pass":
			c.sum.Passed++
		case "fail":
			c.sum.Failed++
		case "skip":
			c.sum.Skipped++
		}
	case e.Action == "pass" || e.Action == "skip":
		c.sum.Packages++
		fmt.Fprintf(c.w, "ok    %-32s %6.1f s\n", e.Package, e.Elapsed)
		delete(c.output, e.Package)
	case e.Action == "fail":
		c.sum.Packages++
		c.sum.FailedPackages = append(c.sum.FailedPackages, e.Package)
		failed, _, _ := strings.Cut(e.FailedBuild, " ")
		fmt.Fprintf(c.w, "FAIL  %-32s %6.1f s\n%s%s\n", e.Package, e.Elapsed, c.output[failed], c.output[e.Package])
		delete(c.output, e.Package)
	}
}

// goroot returns the folder src that a package of the standard library is in.
func (p *pkg) goroot() string {
	return strings.TrimSuffix(p.Dir, string(filepath.Separator)+filepath.FromSlash(p.ImportPath))
}
