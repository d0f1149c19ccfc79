package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// ErrStopped is Wait's error for a VM that Stop or the end of Start's context ended.
var ErrStopped = errors.New("qemu: the machine was stopped")

// ErrReset is Wait's error for a guest that reset or powered off its machine without an exit code. A kernel that
// faults before it can handle faults ends so (a triple fault).
var ErrReset = errors.New("qemu: the guest reset or powered off the machine without an exit code")

// stopGrace is how long QEMU has to end on SIGTERM before it is killed.
const stopGrace = 2 * time.Second

// VM is a machine that was started.
type VM struct {
	board   *Board
	ports   []Forward
	line    string
	cmd     *exec.Cmd
	console *console
	errors  *console // what QEMU itself says, on its standard error
	stopped atomic.Bool

	done chan struct{} // closed when the process is gone; code and err are set before
	code int
	err  error
}

// Start boots cfg and returns once QEMU runs; nothing has been said yet about the guest. The machine lives until it
// ends itself, Stop is called, or ctx is done. The errors: a *ConfigError, a *PortError for a port that is taken, a
// *MissingError when QEMU is not installed, and what the system says when QEMU or the kernel file cannot be used.
func Start(ctx context.Context, cfg Config) (*VM, error) {
	board, err := cfg.board()
	if err != nil {
		return nil, err
	}
	if err := cfg.check(board); err != nil {
		return nil, err
	}
	if _, err := os.Stat(cfg.Kernel); err != nil {
		return nil, fmt.Errorf("qemu: the kernel cannot be read: %w", err)
	}
	path, err := board.Find()
	if err != nil {
		return nil, err
	}
	ports, release, err := reservePorts(ctx, cfg.Ports)
	if err != nil {
		release()
		return nil, err
	}
	cfg.Ports = ports
	_, args, err := cfg.Args()
	if err != nil {
		release()
		return nil, err
	}
	v := &VM{
		board: board, ports: ports, line: CommandLine(board.Program, args),
		cmd: exec.Command(path, args...), console: newConsole(cfg.Console), errors: newConsole(nil),
		done: make(chan struct{}),
	}
	v.cmd.Stdout, v.cmd.Stderr = v.console, v.errors
	v.cmd.SysProcAttr = childAttr()
	v.cmd.WaitDelay = stopGrace
	release()
	if err := v.start(); err != nil {
		return nil, fmt.Errorf("qemu: starting %s: %w", path, err)
	}
	go func() {
		select {
		case <-ctx.Done():
			v.Stop()
		case <-v.done:
		}
	}()
	return v, nil
}

// start starts the process and the goroutine that reaps it. The goroutine keeps the thread that started the process:
// Pdeathsig is sent when that thread ends, not when the process of the parent does (prctl(2), PR_SET_PDEATHSIG).
func (v *VM) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := v.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = v.cmd.Wait()
		v.console.close()
		v.errors.close()
		v.code, v.err = v.outcome(err)
		close(v.done)
	}()
	return <-started
}

// outcome turns the end of the process into the guest's exit code.
func (v *VM) outcome(waitErr error) (int, error) {
	state := v.cmd.ProcessState
	if state == nil {
		return 0, fmt.Errorf("qemu: waiting for the process: %w", waitErr)
	}
	status := state.ExitCode()
	if msg := v.failure(); status == 1 && msg != "" {
		// A guest's exit code 0 also makes QEMU end with 1; only QEMU's own failures come with a message.
		return 0, fmt.Errorf("qemu: %s", msg)
	}
	if code, ok := v.board.ExitCode(status); ok && status > 0 {
		return code, nil
	}
	switch {
	case v.stopped.Load():
		return 0, ErrStopped
	case status == 0:
		return 0, v.explain(ErrReset)
	}
	return 0, v.explain(fmt.Errorf("qemu: %s ended with %v", v.board.Program, state))
}

// failure returns the last of QEMU's own messages that is not a warning.
func (v *VM) failure() string {
	lines := strings.Split(v.errors.text(), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		msg, found := strings.CutPrefix(lines[i], v.board.Program+": ")
		if found && !strings.HasPrefix(msg, "warning: ") && !strings.HasPrefix(msg, "terminating on signal") {
			return msg
		}
	}
	return ""
}

// explain adds the last line of the console to err.
func (v *VM) explain(err error) error {
	if last := v.console.last(); last != "" {
		return fmt.Errorf("%w; the console's last line: %q", err, last)
	}
	return fmt.Errorf("%w; the console is empty", err)
}

// Wait blocks until the machine has ended and returns the exit code that the guest chose, 0 to 127. The error is
// ErrStopped, ErrReset, QEMU's own complaint, or ctx's; it may be wrapped.
func (v *VM) Wait(ctx context.Context) (int, error) {
	select {
	case <-v.done:
		return v.code, v.err
	case <-ctx.Done():
		return 0, v.explain(fmt.Errorf("qemu: the machine still runs: %w", context.Cause(ctx)))
	}
}

// Done returns a channel that is closed when the machine has ended.
func (v *VM) Done() <-chan struct{} { return v.done }

// Stop ends the machine and returns when its process is gone. It may be called again, and after the end.
func (v *VM) Stop() {
	select {
	case <-v.done:
		return
	default:
	}
	v.stopped.Store(true)
	v.cmd.Process.Signal(os.Interrupt)
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-v.done:
	case <-timer.C:
		killGroup(v.cmd.Process)
		<-v.done
	}
}

// WaitLine returns the first line of the console that pattern (a regular expression) matches: one that is there
// already, or the first that comes. The error says whether ctx or the machine ended before.
func (v *VM) WaitLine(ctx context.Context, pattern string) (string, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return "", fmt.Errorf("qemu: pattern of the console line: %w", err)
	}
	line, ok := v.console.wait(ctx, match)
	if ok {
		return line, nil
	}
	if ctx.Err() != nil {
		return "", v.explain(fmt.Errorf("qemu: no console line matches %q: %w", pattern, context.Cause(ctx)))
	}
	code, err := v.Wait(ctx) // the console ends just before the process is seen to
	if err != nil {
		return "", fmt.Errorf("qemu: no console line matches %q before the end: %w", pattern, err)
	}
	return "", v.explain(fmt.Errorf("qemu: no console line matches %q before the guest exited with code %d", pattern, code))
}

// Console returns what the guest has printed, up to its last 4 MiB.
func (v *VM) Console() string { return v.console.text() }

// Messages returns what QEMU itself has said, warnings included.
func (v *VM) Messages() string { return v.errors.text() }

// CommandLine returns what was run, as a shell takes it.
func (v *VM) CommandLine() string { return v.line }

// Pid returns the process id of QEMU.
func (v *VM) Pid() int { return v.cmd.Process.Pid }

// Ports returns the forwards, with the ports that Start chose.
func (v *VM) Ports() []Forward { return v.ports }

// Addr returns the address of the host that leads to a port of the guest, for net.Dial. It is empty when the Config
// forwards no such port. proto is "tcp" or "udp".
func (v *VM) Addr(proto string, guest uint16) string {
	for _, f := range v.ports {
		if f.Proto == proto && f.Guest == guest {
			return f.Addr()
		}
	}
	return ""
}
