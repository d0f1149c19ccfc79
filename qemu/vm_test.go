package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// start boots p, or skips the test where QEMU is not installed.
func start(t *testing.T, p program, change func(*Config)) *VM {
	t.Helper()
	cfg := Config{Kernel: p.write(t), Accel: AccelTCG}
	if change != nil {
		change(&cfg)
	}
	v, err := Start(t.Context(), cfg)
	var missing *MissingError
	if errors.As(err, &missing) {
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.Stop()
		if t.Failed() {
			t.Logf("%s\nQEMU said:\n%sconsole:\n%s", v.CommandLine(), v.Messages(), v.Console())
		}
	})
	return v
}

// deadline bounds every wait of these tests.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// gone reports whether no process has that id.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestExitCodesPassThrough(t *testing.T) {
	for _, code := range []byte{0, 1, 2, 42, 127} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			v := start(t, program{}.print("hi\r\n").exit(code), nil)
			got, err := v.Wait(deadline(t))
			if err != nil || got != int(code) {
				t.Errorf("got code %d, %v; want %d", got, err, code)
			}
			if v.Console() != "hi\n" {
				t.Errorf("console is %q", v.Console())
			}
			if !gone(v.Pid()) {
				t.Errorf("process %d is still there", v.Pid())
			}
		})
	}
}

func TestTripleFaultIsAReset(t *testing.T) {
	v := start(t, program{}.stack().print("before\n").fault(), nil)
	_, err := v.Wait(deadline(t))
	if !errors.Is(err, ErrReset) || !strings.Contains(err.Error(), "before") {
		t.Errorf("got %v, want ErrReset with the last line", err)
	}
}

func TestWaitLine(t *testing.T) {
	v := start(t, program{}.print("one\ntwo 22\nthr").halt(), nil)
	line, err := v.WaitLine(deadline(t), `^two \d+$`)
	if err != nil || line != "two 22" {
		t.Fatalf("got %q, %v", line, err)
	}
	if line, err := v.WaitLine(deadline(t), "one"); err != nil || line != "one" {
		t.Errorf("an earlier line gave %q, %v", line, err)
	}
	if _, err := v.WaitLine(deadline(t), "("); err == nil {
		t.Error("a broken pattern gave no error")
	}
	v.Stop()
	if _, err := v.WaitLine(deadline(t), "four"); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
	if line, err := v.WaitLine(deadline(t), "^thr$"); err != nil {
		t.Errorf("the line without newline at the end gave %q, %v", line, err)
	}
}

func TestWaitLineEndsWithTheGuest(t *testing.T) {
	v := start(t, program{}.print("bye\n").exit(3), nil)
	_, err := v.WaitLine(deadline(t), "never")
	if err == nil || !strings.Contains(err.Error(), "code 3") || !strings.Contains(err.Error(), "bye") {
		t.Errorf("got %v, want the exit code and the last line", err)
	}
}

func TestWaitLineEndsWithItsContext(t *testing.T) {
	v := start(t, program{}.print("up\n").halt(), nil)
	if _, err := v.WaitLine(deadline(t), "up"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.WaitLine(ctx, "never"); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitLine: got %v", err)
	}
	if _, err := v.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: got %v", err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	v := start(t, program{}.print("up\n").halt(), nil)
	if _, err := v.WaitLine(deadline(t), "up"); err != nil {
		t.Fatal(err)
	}
	v.Stop()
	v.Stop()
	if !gone(v.Pid()) {
		t.Errorf("process %d is still there", v.Pid())
	}
	if _, err := v.Wait(deadline(t)); !errors.Is(err, ErrStopped) {
		t.Errorf("Wait after Stop gave %v", err)
	}
}

func TestContextEndsTheMachine(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{Kernel: program{}.halt().write(t), Accel: AccelTCG}
	v, err := Start(ctx, cfg)
	if err != nil {
		cancel()
		t.Skip(err)
	}
	cancel()
	if _, err := v.Wait(deadline(t)); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v", err)
	}
	if !gone(v.Pid()) {
		t.Errorf("process %d is still there", v.Pid())
	}
}

// TestKilledParentTakesTheMachineAlong runs this test again in a process of its own, which starts a machine and is
// then killed without a chance to stop it.
func TestKilledParentTakesTheMachineAlong(t *testing.T) {
	if kernel := os.Getenv("QEMU_TEST_PARENT"); kernel != "" {
		v, err := Start(t.Context(), Config{Kernel: kernel, Accel: AccelTCG})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid %d\n", v.Pid())
		v.Wait(context.Background())
		return
	}
	if _, err := boards["microvm"].Find(); err != nil {
		t.Skip(err)
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestKilledParentTakesTheMachineAlong$")
	parent.Env = append(os.Environ(), "QEMU_TEST_PARENT="+program{}.halt().write(t))
	out := newConsole(nil)
	parent.Stdout = out
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, ok := out.wait(deadline(t), regexpPid)
	parent.Process.Kill()
	parent.Wait()
	if !ok {
		t.Fatalf("the parent started no machine:\n%s", out.text())
	}
	var pid int
	fmt.Sscanf(line, "pid %d", &pid)
	for ctx := deadline(t); !gone(pid); {
		// The orphan is reaped by init, of which no event reaches this process.
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d outlived its parent", pid)
		}
	}
}

func TestTakenPortIsAnErrorBeforeBoot(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	ports := []Forward{{Proto: "tcp", Port: port, Guest: 80}}
	for name, err := range map[string]error{
		"CheckPorts": CheckPorts(t.Context(), ports),
		"Start": func() error {
			_, err := Start(t.Context(), Config{Kernel: program{}.halt().write(t), Ports: ports})
			return err
		}(),
	} {
		var missing *MissingError
		if errors.As(err, &missing) {
			t.Skip(missing)
		}
		var taken *PortError
		if !errors.As(err, &taken) || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), fmt.Sprint(port)) {
			t.Errorf("%s: got %v, want a PortError", name, err)
		}
	}
}

func TestFreePortsAreChosen(t *testing.T) {
	v := start(t, program{}.print("up\n").halt(), func(c *Config) {
		c.Ports = []Forward{{Proto: "tcp", Guest: 80}, {Proto: "udp", Guest: 7}, {Proto: "tcp", Guest: 7}}
	})
	if _, err := v.WaitLine(deadline(t), "up"); err != nil {
		t.Fatal(err)
	}
	for _, f := range v.Ports() {
		if f.Port == 0 || v.Addr(f.Proto, f.Guest) != f.Addr() {
			t.Errorf("%v has no port, or another address than %q", f, v.Addr(f.Proto, f.Guest))
		}
	}
	if v.Addr("udp", 80) != "" {
		t.Errorf("a port that is not forwarded has the address %q", v.Addr("udp", 80))
	}
	conn, err := net.Dial("tcp", v.Addr("tcp", 80))
	if err != nil {
		t.Fatalf("QEMU does not listen: %v", err)
	}
	conn.Close()
}

func TestQemuFailureIsNotAnExitCode(t *testing.T) {
	v := start(t, program{}.exit(0), func(c *Config) { c.CPU = "vax" })
	code, err := v.Wait(deadline(t))
	if err == nil || !strings.Contains(err.Error(), "vax") {
		t.Errorf("got code %d, %v; want QEMU's complaint", code, err)
	}
}

func TestMissingKernel(t *testing.T) {
	_, err := Start(t.Context(), Config{Kernel: "no/such.elf"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestMissingQemuSaysHowToGetIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Start(t.Context(), Config{Kernel: program{}.halt().write(t)})
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "apt-get install qemu-system-x86") {
		t.Errorf("got %v", err)
	}
}

// lines gathers what a console copies out.
type lines struct {
	mu  sync.Mutex
	got []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, string(p))
	return len(p), nil
}

func TestConsoleIsCopiedLineByLine(t *testing.T) {
	tee := new(lines)
	v := start(t, program{}.print("a\r\n\nlast").exit(0), func(c *Config) { c.Console = tee })
	if _, err := v.Wait(deadline(t)); err != nil {
		t.Fatal(err)
	}
	tee.mu.Lock()
	defer tee.mu.Unlock()
	if got := strings.Join(tee.got, "|"); got != "a\n|\n|last\n" {
		t.Errorf("got %q", got)
	}
}
