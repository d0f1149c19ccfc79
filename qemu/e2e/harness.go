// Package e2e boots appliances in QEMU for tests, and holds the end-to-end tests of tamanet itself.
//
// A test asks for a kernel (Kernel), boots it for itself (Boot), or shares a machine that was booted once with other
// tests (Shared). What is missing on the host (QEMU, the Go for GOOS=tamago) makes a test skip with that as the
// reason, or fail where TAMANET_MUST_BOOT is set, as `make test` does after providing both. The console of a machine
// is printed when a test that used it fails.
package e2e

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/kernel/imx"
	"github.com/tamanet/tamanet/kernel/imx6ul"
	"github.com/tamanet/tamanet/kernel/toolchain"
	"github.com/tamanet/tamanet/qemu"
)

// MustBoot is the environment variable that makes tests fail, not skip, for want of what booting takes.
const MustBoot = "TAMANET_MUST_BOOT"

// BoardEnv is the environment variable that names the board to test; microvm without it.
const BoardEnv = "TAMANET_BOARD"

// Board is the board to test. A test that names another one itself is of that board alone.
var Board = cmp.Or(os.Getenv(BoardEnv), "microvm")

// CPUsEnv is the environment variable that says how many CPUs the machines have where a test does not say; 1 without it.
const CPUsEnv = "TAMANET_CPUS"

// cpus returns what CPUsEnv says, at most what the board has.
func cpus(t testing.TB, b *qemu.Board) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(CPUsEnv), "1"))
	if err != nil || n < 1 {
		t.Fatalf("%s is %q; allowed: a number from 1", CPUsEnv, os.Getenv(CPUsEnv))
	}
	return min(n, b.MaxCPUs)
}

// CPUTime returns how long a machine's QEMU has run on the host's CPUs. The test is skipped where that is not known.
func CPUTime(t testing.TB, vm *qemu.VM) time.Duration {
	t.Helper()
	d, err := vm.CPUTime()
	if err != nil {
		t.Skip(err)
	}
	return d
}

// needs skips a test on boards that lack something.
func needs(t testing.TB, what string, has func(*qemu.Board) bool) {
	t.Helper()
	b, err := qemu.LookupBoard(Board)
	if err != nil {
		t.Fatal(err)
	}
	if !has(b) {
		t.Skipf("board %s has no %s", Board, what)
	}
}

// countAttr is the key of the test attribute that the summary of `tamanet test` adds up: a number and what it counts.
const countAttr = "count"

// Patience bounds each wait of the tests. It is far more than any takes, on a busy machine too.
const Patience = 2 * time.Minute

// Context returns a context that ends with the test, or after the time given.
func Context(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// lacking ends the test for want of something that the host does not have.
func lacking(t testing.TB, err error) {
	t.Helper()
	if os.Getenv(MustBoot) != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// kernels holds what Kernel has built in this process.
var kernels struct {
	sync.Mutex
	paths map[string]string
}

// Kernel builds the appliance in a folder for a board, "" is Board, once in a process, and returns the path of the kernel, or of
// its image where the board boots such.
func Kernel(t testing.TB, board, app string) string {
	t.Helper()
	board = cmp.Or(board, Board)
	if testing.Short() {
		t.Skip("kernels are not built and booted with -short")
	}
	kernels.Lock()
	defer kernels.Unlock()
	if path := kernels.paths[board+":"+app]; path != "" {
		return path
	}
	ctx := Context(t, 15*time.Minute) // the first one may have the toolchain to build
	goCmd, err := toolchain.Ensure(ctx, toolchain.Options{Progress: os.Stderr})
	if err != nil {
		lacking(t, err)
	}
	a, err := build.Build(ctx, build.Options{App: app, Board: board, Go: goCmd})
	if err != nil {
		t.Fatal(err)
	}
	path := a.Path
	if slices.Contains(imx.Boards(), board) {
		path = image(t, path, board)
	}
	if kernels.paths == nil {
		kernels.paths = make(map[string]string)
	}
	kernels.paths[board+":"+app] = path
	return path
}

// image makes the image of a kernel, as it is flashed, so that just that is what is booted. It returns its path.
func image(t testing.TB, kernel, board string) string {
	t.Helper()
	f, err := os.Open(kernel)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	i, err := imx.FromELF(f, imx6ul.TextStart)
	if err != nil {
		t.Fatal(err)
	}
	if i.DCD, err = imx.DCD(board, 0); err != nil {
		t.Fatal(err)
	}
	b, err := i.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimSuffix(kernel, ".elf") + ".imx"
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Boot starts a machine of the test's own, which ends with the test. cfg.Accel is TCG unless it says otherwise: what
// the tests find must not hang on the host.
func Boot(t testing.TB, cfg qemu.Config) *qemu.VM {
	t.Helper()
	vm := start(t, context.Background(), cfg)
	t.Cleanup(func() {
		vm.Stop()
		show(t, vm)
	})
	return vm
}

// start starts a machine that lives as long as ctx and the process.
func start(t testing.TB, ctx context.Context, cfg qemu.Config) *qemu.VM {
	t.Helper()
	cfg.Board = cmp.Or(cfg.Board, Board)
	if cfg.Accel == "" {
		cfg.Accel = qemu.AccelTCG
	}
	if b, err := qemu.LookupBoard(cfg.Board); err == nil && cfg.CPUs == 0 {
		cfg.CPUs = cpus(t, b)
	}
	vm, err := qemu.Start(ctx, cfg)
	var missing *qemu.MissingError
	if errors.As(err, &missing) {
		lacking(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Attr(countAttr, "1 kernels booted")
	return vm
}

// show prints what a machine has said when the test failed.
func show(t testing.TB, vm *qemu.VM) {
	if !t.Failed() {
		return
	}
	lines := strings.Split(vm.Console(), "\n")
	const last = 200
	if n := len(lines) - last; n > 0 {
		lines = lines[n:]
	}
	t.Logf("%s\nQEMU said:\n%s\nconsole, the last %d lines:\n%s", vm.CommandLine(), vm.Messages(), len(lines), strings.Join(lines, "\n"))
}

// Shared is a machine that several tests use. The zero value with App and Ports is ready.
type Shared struct {
	App   string      // folder of the appliance
	Ports string      // as qemu.ParsePorts takes it; host port 0 is any
	Ready string      // path on guest port 80 that answers once the appliance is up
	Setup qemu.Config // the rest; Kernel and Ports are filled in

	mu     sync.Mutex
	vm     *qemu.VM
	cancel context.CancelFunc
}

// Machine returns the machine, up and answering, and boots it when it is not there, or not any more. A test during
// which it ends has failed.
func (s *Shared) Machine(t testing.TB) *qemu.VM {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vm == nil || ended(s.vm) {
		s.boot(t)
	}
	vm := s.vm
	t.Cleanup(func() {
		if ended(vm) {
			_, err := vm.Wait(context.Background())
			t.Errorf("the machine ended during this test: %v", err)
		}
		show(t, vm)
	})
	return vm
}

// boot starts the machine and waits for its answer.
func (s *Shared) boot(t testing.TB) {
	t.Helper()
	cfg := s.Setup
	cfg.Kernel = Kernel(t, cfg.Board, s.App)
	ports, err := qemu.ParsePorts(s.Ports)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Ports = ports
	ctx, cancel := context.WithCancel(context.Background())
	vm := start(t, ctx, cfg)
	if err := vm.WaitHTTP(Context(t, Patience), "http://"+vm.Addr("tcp", 80)+s.Ready); err != nil {
		cancel()
		<-vm.Done()
		t.Errorf("the appliance does not come up: %v", err)
		show(t, vm)
		t.FailNow()
	}
	s.vm, s.cancel = vm, cancel
}

// Stop ends the machine, if there is one.
func (s *Shared) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vm != nil {
		s.vm.Stop()
		s.cancel()
		s.vm = nil
	}
}

// ended reports whether the machine is gone.
func ended(vm *qemu.VM) bool {
	select {
	case <-vm.Done():
		return true
	default:
		return false
	}
}
