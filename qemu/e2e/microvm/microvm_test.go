// Package microvm tests the board microvm with a small kernel that needs no
// network.
package microvm

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/board/microvm/testdata/digest"
	"github.com/tamanet/tamanet/kernel/pack"
	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/e2e"
)

// boardKernel is the small kernel that the board's tests boot. It does what its
// command line says.
const boardKernel = "../../../board/microvm/testdata/kernel"

// bootBoard boots the board's kernel to do something.
func bootBoard(t *testing.T, do string, cfg qemu.Config) (context.Context, *qemu.VM) {
	t.Helper()
	if cfg.Kernel == "" {
		cfg.Kernel = e2e.Kernel(t, "microvm", boardKernel)
	}
	cfg.Cmdline = strings.TrimSpace("do=" + do + " " + cfg.Cmdline)
	return e2e.Context(t, e2e.Patience), e2e.Boot(t, cfg)
}

// runBoard boots the board's kernel and returns its console once it has ended
// with the wanted code.
func runBoard(t *testing.T, do string, wantCode int, cfg qemu.Config) string {
	t.Helper()
	ctx, vm := bootBoard(t, do, cfg)
	code, err := vm.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// With TAMAGO= the kernel may be built by another toolchain than tamanet's.
	if _, why, ok := strings.Cut(vm.Console(), "unsupported: "); ok {
		t.Skip(strings.TrimSpace(why))
	}
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	return vm.Console()
}

// value returns what follows key and a colon on a line of the console.
func value(t *testing.T, console, key string) string {
	t.Helper()
	for line := range strings.Lines(console) {
		if v, ok := strings.CutPrefix(line, key+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no line %q on the console", key+": …")
	return ""
}

// number is value for a number.
func number(t *testing.T, console, key string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(value(t, console, key), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const megabyte, gigabyte = 1 << 20, 1 << 30

func TestRAM(t *testing.T) {
	for _, tt := range []struct {
		mem    uint64
		usable float64 // at least this part of mem
		fill   int     // percent of what is usable
	}{
		{64 * megabyte, 0.85, 80},
		{128 * megabyte, 0.90, 80},
		{512 * megabyte, 0.95, 80},
		{1 * gigabyte, 0.95, 50},
		{3 * gigabyte, 0.95, 50},
		{4 * gigabyte, 0.74, 50}, // the PCI hole ends it at 3 GiB
	} {
		t.Run(qemu.FormatSize(tt.mem), func(t *testing.T) {
			console := runBoard(t, "info", 0, qemu.Config{Mem: tt.mem})
			if ram := number(t, console, "ram"); math.Abs(float64(ram)-float64(tt.mem)) > megabyte {
				t.Errorf("%d bytes of RAM found", ram)
			}
			if usable := number(t, console, "usable"); float64(usable) < tt.usable*float64(tt.mem) {
				t.Errorf("%d bytes usable, want at least %.0f%%", usable, tt.usable*100)
			}
			left := strings.Contains(console, "MiB of RAM are not used")
			if left != (tt.mem > 3*gigabyte) {
				t.Errorf("RAM left out: said %v", left)
			}
			console = runBoard(t, fmt.Sprintf("memory:%d", tt.fill), 0, qemu.Config{Mem: tt.mem})
			value(t, console, "memory")
		})
	}
}

// TestCompressedKernel has the heap use the memory that the compressed kernel was in.
func TestCompressedKernel(t *testing.T) {
	kernel, err := os.ReadFile(e2e.Kernel(t, "microvm", boardKernel))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := pack.Pack(kernel)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kernel.elf")
	if err := os.WriteFile(path, packed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cpu := range []string{"max", "qemu64,+rdrand"} {
		console := runBoard(t, "memory:80", 0, qemu.Config{Kernel: path, Mem: 64 * megabyte, CPU: cpu})
		value(t, console, "memory")
	}
}

func TestCPUModels(t *testing.T) {
	for _, cpu := range []string{"max", "qemu64,+rdrand", "max,-pdpe1gb", "Nehalem,+rdrand"} {
		t.Run(cpu, func(t *testing.T) {
			console := runBoard(t, "info", 0, qemu.Config{CPU: cpu})
			if got := value(t, console, "name"); got != "microvm" {
				t.Errorf("board %q", got)
			}
			if value(t, console, "cpu") == "" {
				t.Error("no CPU name")
			}
			if got := value(t, console, "emulated"); got != "true" {
				t.Errorf("emulated is %s under TCG", got)
			}
			runBoard(t, "random", 0, qemu.Config{CPU: cpu})
		})
	}
}

func TestWithoutRDRANDSaysSoAndStops(t *testing.T) {
	console := runBoard(t, "info", 1, qemu.Config{CPU: "qemu64"})
	lines := strings.Split(strings.TrimSpace(console), "\n")
	if len(lines) != 1 || !strings.Contains(lines[0], "RDRAND") {
		t.Errorf("console %q, want one line about RDRAND", lines)
	}
}

func TestEntropyDevice(t *testing.T) {
	var last string
	for range 2 {
		console := runBoard(t, "random", 0, qemu.Config{CPU: "qemu64", Devices: []string{"virtio-rng-device"}})
		// How long it took follows.
		if n, _, _ := strings.Cut(value(t, console, "random"), " "); n == last {
			t.Errorf("two boots give the same: %s", n)
		} else {
			last = n
		}
	}
}

// TestEntropyDeviceThatRunsDry has a device with one byte for as long as the test runs.
func TestEntropyDeviceThatRunsDry(t *testing.T) {
	console := runBoard(t, "random", 1, qemu.Config{CPU: "qemu64", Devices: []string{"virtio-rng-device,max-bytes=1,period=3600000"}})
	lines := strings.Split(strings.TrimSpace(console), "\n")
	if len(lines) != 1 || !strings.Contains(lines[0], "delivers no random numbers") {
		t.Errorf("console %q, want one line about random numbers", lines)
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		do   string
		code int
	}{
		{"exit:0", 0}, {"exit:1", 1}, {"exit:42", 42}, {"exit:127", 127},
		{"exit:128", 127}, {"exit:-1", 127}, // do not fit through the device
	} {
		t.Run(tt.do, func(t *testing.T) { runBoard(t, tt.do, tt.code, qemu.Config{}) })
	}
}

func TestPanic(t *testing.T) {
	console := runBoard(t, "panic", 2, qemu.Config{})
	for _, want := range []string{"panic: as told", "goroutine 1 [running]:", "main.main()"} {
		if !strings.Contains(console, want) {
			t.Errorf("no %q on the console", want)
		}
	}
}

func TestFaultsArePanics(t *testing.T) {
	console := runBoard(t, "fault", 0, qemu.Config{})
	if !strings.Contains(console, "fault: all recovered") {
		t.Error("not all faults became panics that can be recovered")
	}
}

func TestFatalExceptionsAreReported(t *testing.T) {
	for _, tt := range []struct {
		do    string
		wants []string
	}{
		{"fatal:nil", []string{"main.fatal("}},
		{"fatal:wild", []string{"0x10000000000", "mmio", "main.fatal("}},
		{"fatal:opcode", []string{"exception: invalid opcode", "main.invalidOpcode", "main.fatal("}},
		{"fatal:int3", []string{"exception: breakpoint", "main.breakpoint", "main.fatal("}},
		{"fatal:smash", []string{"exception: page fault", "rsp 0x10000000000", "while that was handled"}},
	} {
		t.Run(tt.do, func(t *testing.T) {
			console := runBoard(t, tt.do, 2, qemu.Config{})
			for _, want := range tt.wants {
				if !strings.Contains(console, want) {
					t.Errorf("no %q on the console", want)
				}
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	console := runBoard(t, "info", 0, qemu.Config{
		Cmdline: `ip=192.0.2.7/25 gw=192.0.2.1 dns=192.0.2.2,192.0.2.3:5353 hostname=node-1 verbose greeting="hello world"`,
	})
	for key, want := range map[string]string{
		"addr": "192.0.2.7/25", "gateway": "192.0.2.1", "dns": "[192.0.2.2:53 192.0.2.3:5353]",
		"hostname": "node-1", "args": `["do=info" "verbose" "greeting=hello world"]`,
	} {
		if got := value(t, console, key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestBadCommandLine(t *testing.T) {
	console := runBoard(t, "info", 0, qemu.Config{Cmdline: "ip=192.0.2.7 gw=router dns=, hostname=a_b"})
	if n := strings.Count(console, "tamanet: command line: "); n != 4 {
		t.Errorf("%d warnings, want 4", n)
	}
	for key, want := range map[string]string{
		"addr": "10.0.2.15/24", "gateway": "10.0.2.2", "dns": "[10.0.2.3:53]", "hostname": "tamanet",
	} {
		if got := value(t, console, key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestLongCommandLine(t *testing.T) {
	// The kernel keeps 4095 bytes of a longer one.
	console := runBoard(t, "info", 0, qemu.Config{Cmdline: strings.Repeat("a", 5000)})
	if got := value(t, console, "cmdline"); len(got) != 4095 {
		t.Errorf("%d bytes, want 4095", len(got))
	}
}

func TestFindsNetworkDevices(t *testing.T) {
	console := runBoard(t, "info", 0, qemu.Config{Devices: []string{"virtio-net-device,mac=52:54:00:00:00:02"}})
	if n := number(t, console, "nics"); n != 2 {
		t.Errorf("%d network devices, want 2", n)
	}
	if got := value(t, console, "nic"); got != "virtio-net 0xfeb02e00 52:54:00:12:34:56" {
		t.Errorf("the first one is %s", got)
	}
	if !strings.Contains(console, "nic: virtio-net 0xfeb02c00 52:54:00:00:00:02") {
		t.Error("the second one is missing")
	}
}

func TestWallClock(t *testing.T) {
	console := runBoard(t, "info", 0, qemu.Config{})
	if off := time.Now().Unix() - number(t, console, "time"); off < -5 || off > 60 {
		t.Errorf("the guest's clock is %d seconds behind", off)
	}
}

func TestMonotonicClock(t *testing.T) {
	const span = 10 * time.Second

	stamps := &stampWriter{}
	ctx, vm := bootBoard(t, "clock:"+span.String(), qemu.Config{Console: stamps})
	if _, err := vm.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	took := stamps.at("clock: end").Sub(stamps.at("clock: start"))
	dev := float64(took)/float64(span) - 1
	t.Logf("%v of the guest took %v of the host: %.3f%% off", span, took, dev*100)
	if math.Abs(dev) > 0.01 {
		t.Error("more than 1% off")
	}
}

// stampWriter notes when each line was written.
type stampWriter struct {
	mu    sync.Mutex
	lines map[string]time.Time
}

var _ io.Writer = (*stampWriter)(nil)

func (w *stampWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines == nil {
		w.lines = make(map[string]time.Time)
	}
	w.lines[strings.TrimSpace(string(p))] = time.Now()
	return len(p), nil
}

func (w *stampWriter) at(line string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines[line]
}

func TestIdleHalts(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d CPUs", cpus), func(t *testing.T) { idleHalts(t, cpus) })
	}
}

func idleHalts(t *testing.T, cpus int) {
	console := runBoard(t, "idle:2s", 0, qemu.Config{CPUs: cpus})
	m := regexp.MustCompile(`(\d+)% halted, (\d+) timer`).FindStringSubmatch(value(t, console, "idle"))
	if m == nil {
		t.Fatal("no numbers on the console")
	}
	if halted, _ := strconv.Atoi(m[1]); halted < 90 {
		t.Errorf("the processor was halted for %d%% of the time that it slept", halted)
	}
	if fired, _ := strconv.Atoi(m[2]); fired > 10*cpus {
		t.Errorf("%d timer interrupts for one sleep", fired)
	}
}

func TestVectorUnit(t *testing.T) {
	want := fmt.Sprintf("%x", digest.Sum())
	for _, cpu := range []string{"max", "max,-avx2", "max,-xsave", "qemu64,+rdrand"} {
		t.Run(cpu, func(t *testing.T) {
			console := runBoard(t, "vector", 0, qemu.Config{CPU: cpu})
			if got := value(t, console, "vector"); got != want {
				t.Errorf("digest %s, want %s as on the host", got, want)
			}
		})
	}
}

func TestPreemptsBusyGoroutines(t *testing.T) {
	console := runBoard(t, "busy", 0, qemu.Config{})
	if !strings.Contains(console, "busy: done") {
		t.Error("goroutines that never stop kept another one from running")
	}
}

func TestLosesNoInterrupt(t *testing.T) {
	t.Run("1 CPUs", func(t *testing.T) { losesNoInterrupt(t, 1, 1_000_000) })
	t.Run("2 CPUs", func(t *testing.T) { losesNoInterrupt(t, 2, 200_000) })
}

func losesNoInterrupt(t *testing.T, cpus, raises int) {
	console := runBoard(t, fmt.Sprintf("flood:%d", raises), 0, qemu.Config{CPUs: cpus})
	m := regexp.MustCompile(`(?m)^flood: (\d+) raised, (\d+) seen, 0 lost$`).FindStringSubmatch(console)
	if m == nil || m[1] != m[2] {
		t.Fatal("interrupts were lost")
	}
	if n, _ := strconv.Atoi(m[1]); n < raises {
		t.Errorf("%d interrupts, want at least %d", n, raises)
	}
	t.Log(m[0])
}

func TestSleepsThroughNoInterrupt(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d CPUs", cpus), func(t *testing.T) {
			console := runBoard(t, "oneshot:50000", 0, qemu.Config{CPUs: cpus})
			if got := value(t, console, "oneshot"); got != "50000 of 50000" {
				t.Errorf("%s interrupts", got)
			}
			// Each sleep and wake-up takes much less than the 10 ms of a tick, which goes on meanwhile.
			if n := number(t, console, "timer sets"); n > 50000/2 {
				t.Errorf("the timer was set %d times for 50000 sleeps", n)
			}
		})
	}
}

func TestStrayInterruptsAreCounted(t *testing.T) {
	console := runBoard(t, "stray", 0, qemu.Config{})
	if got := value(t, console, "stray"); got != "2 stray, 1 spurious" {
		t.Errorf("counted %s", got)
	}
}
