package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tamanet/tamanet/qemu"
)

// commandDir is where command puts it; TestMain removes it.
var commandDir string

// command builds the tamanet command.
var command = sync.OnceValues(func() (path string, err error) {
	if commandDir, err = os.MkdirTemp("", "tamanet-e2e"); err != nil {
		return "", err
	}
	path = filepath.Join(commandDir, "tamanet")
	out, err := exec.Command("go", "build", "-o", path, "../../kernel/cmd/tamanet").CombinedOutput()
	os.Stderr.Write(out)
	return path, err
})

// running is a tamanet run under way.
type running struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	lines  chan string // of standard output, closed at its end
}

// runCommand starts tamanet run on an appliance, on a free port.
func runCommand(t *testing.T, app string, args ...string) *running {
	t.Helper()
	needs(t, "tests of the command", func(b *qemu.Board) bool { return b.Name == "microvm" })
	Kernel(t, "microvm", statusApp) // skips where kernels cannot be booted
	path, err := command()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"run", "--app", app, "--ports", "0:80", "--accel", "tcg"}, args...)
	r := &running{cmd: exec.CommandContext(Context(t, 2*Patience), path, args...), lines: make(chan string, 1000)}
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Attr(countAttr, "1 kernels booted")
	go func() {
		defer close(r.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			r.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() { r.cmd.Process.Kill() })
	return r
}

var urlLine = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/$`)

// url waits for the line with the URL.
func (r *running) url(t *testing.T) string {
	t.Helper()
	var console []string
	for line := range r.lines {
		if urlLine.MatchString(line) {
			return line
		}
		console = append(console, line)
	}
	r.cmd.Wait()
	t.Fatalf("no URL was printed; console:\n%s\n%s", strings.Join(console, "\n"), &r.stderr)
	return ""
}

// end drains the output and returns the exit code.
func (r *running) end() int {
	for range r.lines {
	}
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// TestRunPrintsAURLThatAnswersAndLeavesNothing is make run, answered at once and ended by Ctrl-C.
func TestRunPrintsAURLThatAnswersAndLeavesNothing(t *testing.T) {
	r := runCommand(t, statusApp)
	url := r.url(t)
	var status report
	if err := getJSON(Context(t, Patience), http.DefaultClient, url+"status.json", &status); err != nil {
		t.Error(err)
	}
	children := childrenOf(t, r.cmd.Process.Pid)
	if len(children) != 1 {
		t.Errorf("processes %v run, want QEMU alone", children)
	}
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := r.end(); code != 130 {
		t.Errorf("exit code %d after Ctrl-C, want 130\n%s", code, &r.stderr)
	}
	for _, pid := range children {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d still runs", pid)
		}
	}
}

// childrenOf returns the processes that a process has started (proc(5)).
func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it is gone
		}
		// The fields are: pid (name) state parent.
		var state string
		var child, parent int
		number, _, _ := strings.Cut(string(text), " ")
		_, rest, _ := strings.Cut(string(text), ") ")
		if _, err := fmt.Sscan(number+" "+rest, &child, &state, &parent); err == nil && parent == pid {
			children = append(children, child)
		}
	}
	return children
}

// TestAnyModulesProgramIsAnAppliance runs a program that was just begun, in a module that does not name tamanet.
func TestAnyModulesProgramIsAnAppliance(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.26\n",
		"main.go": `package main

import (
	"fmt"
	"net/http"
	"os"

	_ "github.com/tamanet/tamanet"
)

func main() {
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	panic(http.ListenAndServe(":80", nil))
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := runCommand(t, dir, "--mem", "64M")
	url := r.url(t)
	if got := body(t, url); got != "hello" {
		t.Errorf("the page is %q", got)
	}
	get(t, url+"exit") // there may be time for an answer
	if code := r.end(); code != 7 {
		t.Errorf("exit code %d, want the guest's, 7\n%s", code, &r.stderr)
	}
}

// body returns what is at url.
func body(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
