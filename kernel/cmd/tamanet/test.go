package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/kernel/toolchain"
	"github.com/tamanet/tamanet/qemu"
)

// testGroup is a part of the tests that can be asked for by name.
type testGroup struct {
	name, what string
	// roots are the folders whose packages belong to the group and to no group before it; nil is all that is left.
	roots []string
	// packages are what is run when the group's packages are another group's too.
	packages []string
	// board is the machine that is booted, where it is not the packages' own choice.
	board string
	// cpus is how many CPUs the machine has, where it is not one.
	cpus int
	// run picks the tests, as go test -run does, where it is not all.
	run string
	// boots says that kernels are built and booted: the toolchain and QEMU are needed.
	boots bool
	// perTest prints a line for each test: they are few and long.
	perTest bool
}

// mustBoot is the environment variable that makes tests fail, not skip, for want of what booting takes.
const mustBoot = "TAMANET_MUST_BOOT"

// e2eBoard is the environment variable that names the board of the end-to-end tests (qemu/e2e, BoardEnv).
const e2eBoard = "TAMANET_BOARD"

// e2eCPUs is the environment variable that says how many CPUs its machines have (qemu/e2e, CPUsEnv).
const e2eCPUs = "TAMANET_CPUS"

// smpTests are the end-to-end tests that are run with several CPUs: all but those of what a machine has, says and
// negotiates, in which CPUs have no part.
const smpTests = loadTests + "|PageIsHTML|DiscardTakesAll|RefusedPort|GuestIsRefused|GuestLooksUpNames|GuestDialsByName|PolicyHolds|PanicEnds|Announces|IdleKernel|SeveralCPUs"

// loadTests are those of them with many connections, much data, or goroutines that are always busy.
const loadTests = "Bulk|FiftyConnections|FreshConnections|OneConnection|Datagram|GuestDialsTCP|GuestDialsUDP|PanicWhileServing|BusyKernel"

// testGroups is in the order of running: what fails fast comes first.
var testGroups = []testGroup{
	{name: "vet", what: "gofmt, and go vet for the host and for 32-bit arm"},
	{name: "host", what: "every package's tests on this machine"},
	{name: "toolchain", what: "the toolchain's tests, Go's own standard-library tests on it included", roots: []string{"kernel/toolchain"}, boots: true, perTest: true},
	{name: "e2e", what: "kernels booted in QEMU, end to end", roots: []string{"qemu/e2e"}, boots: true, perTest: true},
	{name: "smp", what: "a part of the same with 2 CPUs", packages: []string{"./qemu/e2e"}, cpus: 2, run: smpTests, boots: true, perTest: true},
	{name: "smpq35", what: "a smaller part with 2 CPUs on q35", packages: []string{"./qemu/e2e"}, board: "q35", cpus: 2, run: loadTests, boots: true, perTest: true},
	{name: "q35", what: "the same on QEMU's q35, over PCI", packages: []string{"./qemu/e2e"}, board: "q35", boots: true, perTest: true},
	{name: "mx6ullevk", what: "the same on QEMU's mcimx6ul-evk, with the image of that board", packages: []string{"./qemu/e2e"}, board: "mx6ullevk", boots: true, perTest: true},
	{name: "usbarmory", what: "the same with the USB armory's image", packages: []string{"./qemu/e2e"}, board: "usbarmory", boots: true, perTest: true},
}

// testTools are the programs that tests need besides the boards' QEMU, and the Debian packages that hold them.
var testTools = []struct{ program, pkg string }{
	{"qemu-arm", "qemu-user"},   // runs standard-library tests of the arm port as Linux processes
	{"mkimage", "u-boot-tools"}, // what our boot images are compared with
}

func testCommand() *cobra.Command {
	var verbose bool
	var run string
	var limit time.Duration
	names, help := make([]string, len(testGroups)), ""
	for i, g := range testGroups {
		names[i] = g.name
		help += fmt.Sprintf("\n  %-10s %s", g.name, g.what)
	}
	cmd := &cobra.Command{
		Use:       "test [group…]",
		Short:     "Run the tests and end in a line that says what was run, booted and skipped",
		Long:      "Run the tests, all groups or those named, and end in a line that says what was run, booted and skipped.\n" + help,
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			groups, err := chooseGroups(args)
			if err != nil {
				return &usageError{err}
			}
			root := build.FindClone()
			if root == "" {
				return errors.New("the tests are part of tamanet's sources; run this in a clone of them")
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), limit, errTimeLimit)
			defer cancel()
			t := &tester{root: root, run: run, report: newReport(cmd.OutOrStdout(), verbose), progress: cmd.ErrOrStderr()}
			return t.test(ctx, groups)
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print what passing tests print, too")
	cmd.Flags().StringVar(&run, "run", "", "run only the tests that match, as go test -run takes it")
	cmd.Flags().DurationVar(&limit, "timeout", 24*time.Minute, "end everything after this long")
	return cmd
}

// chooseGroups returns the groups of those names, in running order; all of them when there is no name.
func chooseGroups(names []string) ([]testGroup, error) {
	var chosen []testGroup
	var all []string
	for _, g := range testGroups {
		all = append(all, g.name)
		if len(names) == 0 || slices.Contains(names, g.name) {
			chosen = append(chosen, g)
		}
	}
	for _, n := range names {
		if !slices.Contains(all, n) {
			return nil, fmt.Errorf("test group is %q; allowed: %s", n, strings.Join(all, ", "))
		}
	}
	return chosen, nil
}

// tester is one run of the tests.
type tester struct {
	root     string // of the sources
	run      string // go test -run
	report   *report
	progress io.Writer
}

// test runs the groups and prints the summary. A failed group does not keep the others from running.
func (t *tester) test(ctx context.Context, groups []testGroup) error {
	begin := time.Now()
	env := os.Environ()
	if slices.ContainsFunc(groups, func(g testGroup) bool { return g.boots }) {
		goCmd, err := t.provide(ctx)
		if err != nil {
			return err
		}
		env = append(env, "TAMAGO="+goCmd, mustBoot+"=1")
	}
	var ran []string
	for _, g := range groups {
		if err := t.group(ctx, g, env); err != nil {
			t.report.fault(g.name, err)
		}
		if ctx.Err() != nil {
			break
		}
		ran = append(ran, g.name)
	}
	t.report.summary(ran, time.Since(begin))
	switch {
	case context.Cause(ctx) == errTimeLimit:
		return &exitError{code: codeTimeout, err: errTimeLimit}
	case ctx.Err() != nil:
		return ctx.Err()
	case t.report.bad():
		return &exitError{code: codeFailure}
	}
	return nil
}

// provide makes sure that everything is there that booting takes, so that no test has to skip for it.
func (t *tester) provide(ctx context.Context) (goCmd string, err error) {
	for _, name := range qemu.BoardNames() {
		board, err := qemu.LookupBoard(name)
		if err != nil {
			return "", err
		}
		if err := board.Install(ctx, t.progress); err != nil {
			return "", err
		}
	}
	for _, tool := range testTools {
		if err := qemu.Install(ctx, tool.program, tool.pkg, t.progress); err != nil {
			return "", err
		}
	}
	return toolchain.Ensure(ctx, toolchain.Options{Progress: t.progress})
}

// group runs one group. The error is one of running it; tests that fail are in the report.
func (t *tester) group(ctx context.Context, g testGroup, env []string) error {
	if g.name == "vet" {
		return t.vet(ctx)
	}
	packages := g.packages
	if packages == nil {
		var err error
		if packages, err = t.packages(ctx, g); err != nil {
			return err
		}
	}
	if g.board != "" {
		env = append(slices.Clip(env), e2eBoard+"="+g.board)
	}
	if g.cpus != 0 {
		env = append(slices.Clip(env), fmt.Sprintf("%s=%d", e2eCPUs, g.cpus))
	}
	if len(packages) == 0 {
		return errors.New("the group has no packages")
	}
	args := []string{"test", "-json", "-timeout", "20m"}
	if g.boots {
		args = append(args, "-count=1") // go's cache of results knows nothing of kernels and QEMU
	}
	if run := cmp.Or(t.run, g.run); run != "" {
		args = append(args, "-run", run)
	}
	cmd := t.command(ctx, "go", append(args, packages...)...)
	cmd.Env = env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := t.report.failures()
	readErr := t.report.read(out, g.perTest)
	err = cmd.Wait()
	if t.report.failures() > failed {
		err = nil // it is said already
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, errs.String())
	}
	return errors.Join(readErr, err)
}

// packages returns the import paths that belong to g.
func (t *tester) packages(ctx context.Context, g testGroup) ([]string, error) {
	cmd := t.command(ctx, "go", "list", "-f", "{{.Dir}}\t{{.ImportPath}}", "./...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	var chosen []string
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		dir, path, _ := strings.Cut(line, "\t")
		rel, err := filepath.Rel(t.root, dir)
		if err == nil && owner(filepath.ToSlash(rel)) == g.name {
			chosen = append(chosen, path)
		}
	}
	return chosen, nil
}

// owner returns the name of the group that the packages of a folder belong to.
func owner(dir string) string {
	for _, g := range testGroups {
		for _, root := range g.roots {
			if dir == root || strings.HasPrefix(dir, root+"/") {
				return g.name
			}
		}
	}
	return "host"
}

// vet runs the static checks.
func (t *tester) vet(ctx context.Context) error {
	goroot, err := t.command(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	// The release's own gofmt: another one may format otherwise.
	out, err := t.command(ctx, filepath.Join(strings.TrimSpace(string(goroot)), "bin", "gofmt"), "-l", ".").CombinedOutput()
	if err == nil && len(out) > 0 {
		err = errors.New("these files are not formatted")
	}
	t.report.check("gofmt -l .", out, err)
	for _, target := range []string{runtime.GOARCH, "arm"} {
		cmd := t.command(ctx, "go", "vet", "./...")
		cmd.Env = append(os.Environ(), "GOARCH="+target, "GOOS="+runtime.GOOS)
		out, err := cmd.CombinedOutput()
		t.report.check("GOARCH="+target+" go vet ./...", out, err)
	}
	return nil
}

// command returns a command that runs in the sources. The end of ctx interrupts it and all that it started, such as
// the tests' own processes; what does not end by that is killed.
func (t *tester) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
