package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// boot boots an appliance for this test alone, with its web server forwarded.
func boot(t *testing.T, app string, cfg qemu.Config) *qemu.VM {
	t.Helper()
	if cfg.Kernel == "" {
		cfg.Kernel = Kernel(t, cfg.Board, app)
	}
	cfg.Ports = []qemu.Forward{{Proto: "tcp", Guest: 80}}
	return Boot(t, cfg)
}

// bootStatus boots the demo appliance and returns its report.
func bootStatus(t *testing.T, cfg qemu.Config) (*qemu.VM, report) {
	t.Helper()
	vm := boot(t, statusApp, cfg)
	if err := vm.WaitHTTP(Context(t, Patience), "http://"+vm.Addr("tcp", 80)+"/status.json"); err != nil {
		t.Fatal(err)
	}
	return vm, fetch(t, vm)
}

func TestMemorySizes(t *testing.T) {
	const gib = 1 << 30
	for _, size := range []uint64{64 * mib, 256 * mib, 1 * gib, 4 * gib} {
		t.Run(qemu.FormatSize(size), func(t *testing.T) {
			needs(t, "so much RAM", func(b *qemu.Board) bool { return b.MaxMem >= size })
			if free := hostMemory(t); free < size {
				t.Skipf("the host has %s of memory available", qemu.FormatSize(free/mib*mib))
			}
			_, r := bootStatus(t, qemu.Config{Mem: size})
			// The firmware keeps a little for itself.
			if r.Memory.RAM > size || r.Memory.RAM < size-size/16 {
				t.Errorf("the kernel found %s", qemu.FormatSize(r.Memory.RAM))
			}
			// More than that QEMU puts beyond the hole below 4 GiB.
			low := uint64(3 * gib)
			if Board == "q35" && size > low-gib/4 {
				low = 2 * gib
			}
			want := min(size, low) / 4 * 3
			if r.Memory.Usable < want || r.Memory.Usable > r.Memory.RAM {
				t.Errorf("%d bytes are usable of %d, want at least %d", r.Memory.Usable, r.Memory.RAM, want)
			}
		})
	}
}

// TestAHundredConnectionsInLittleRAM holds a hundred connections open, each with an answered request, in RAM of which the kernel
// takes most.
func TestAHundredConnectionsInLittleRAM(t *testing.T) {
	const little = 20 * mib
	needs(t, "so little RAM", func(b *qemu.Board) bool { return b.MinMem <= little })
	vm := boot(t, "../benchapp", qemu.Config{Mem: little})
	addr := vm.Addr("tcp", 80)
	if err := vm.WaitHTTP(Context(t, Patience), "http://"+addr+"/"); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		conn, err := net.DialTimeout("tcp", addr, Patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(Patience))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: guest\r\n\r\n"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("answer %d: %v, %v", i, resp, err)
		}
	}
}

// hostMemory returns how much memory the host can give away, in bytes (proc(5), MemAvailable).
func hostMemory(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxUint64 // not Linux: try
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return math.MaxUint64
}

func TestCPUModels(t *testing.T) {
	needs(t, "choice of CPUs", func(b *qemu.Board) bool { return b.Arch == "amd64" })
	// Neither qemu64 nor the last one has 1 GiB pages (pdpe1gb).
	for _, model := range []string{"max", "qemu64,+rdrand", "max,-pdpe1gb"} {
		t.Run(model, func(t *testing.T) {
			if _, r := bootStatus(t, qemu.Config{CPU: model}); r.Machine.CPU == "" {
				t.Error("the kernel does not name its CPU")
			}
		})
	}
}

// TestEntropyDevice serves on a CPU without a generator of its own, with the numbers of a device.
func TestEntropyDevice(t *testing.T) {
	device := map[string]string{"microvm": "virtio-rng-device", "q35": "virtio-rng-pci"}[Board]
	needs(t, "virtio-rng device", func(*qemu.Board) bool { return device != "" })
	bootStatus(t, qemu.Config{CPU: "qemu64,-rdrand", Devices: []string{device}})
}

// TestSeveralCPUs has the appliance serve with two processors, and with as many as the README says.
func TestSeveralCPUs(t *testing.T) {
	needs(t, "second CPU", func(b *qemu.Board) bool { return b.MaxCPUs > 1 })
	many := []int{2, 16}
	if Board == "q35" {
		many = many[:1] // QEMU 7.2 itself crashes now and then in the firmware of a q35 with 4 or more
	}
	for _, cpus := range many {
		t.Run(strconv.Itoa(cpus), func(t *testing.T) {
			if _, r := bootStatus(t, qemu.Config{CPUs: cpus}); r.Machine.CPUs != cpus {
				t.Errorf("the runtime uses %d CPUs, want %d", r.Machine.CPUs, cpus)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for _, code := range []int{0, 42} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			vm := boot(t, testApp, qemu.Config{Cmdline: fmt.Sprintf("say=bye exit=%d", code)})
			got, err := vm.Wait(Context(t, Patience))
			if err != nil || got != code {
				t.Errorf("got code %d, %v; want %d", got, err, code)
			}
			if !strings.Contains(vm.Console(), "testapp: bye\n") {
				t.Error("the line before the exit is not on the console")
			}
		})
	}
}

// TestPanicEndsTheMachine shows what a panic leaves: goroutine traces with source lines, and an exit code.
func TestPanicEndsTheMachine(t *testing.T) {
	vm := boot(t, testApp, qemu.Config{Cmdline: "panic=ouch"})
	code, err := vm.Wait(Context(t, Patience))
	if err != nil || code != 2 {
		t.Errorf("got code %d, %v; want 2, as Go's on Linux", code, err)
	}
	for _, want := range []string{"panic: ouch", "goroutine ", "main.obey", "testapp/main.go:"} {
		if !strings.Contains(vm.Console(), want) {
			t.Errorf("%q is not on the console", want)
		}
	}
}

func TestPanicWhileServing(t *testing.T) {
	vm := boot(t, testApp, qemu.Config{})
	base := "http://" + vm.Addr("tcp", 80)
	if err := vm.WaitHTTP(Context(t, Patience), base+"/clock"); err != nil {
		t.Fatal(err)
	}
	get(t, base+"/panic?text=later") // there may be time for an answer
	if code, err := vm.Wait(Context(t, Patience)); err != nil || code != 2 {
		t.Errorf("got code %d, %v; want 2", code, err)
	}
	if !strings.Contains(vm.Console(), "panic: later") {
		t.Error("the panic is not on the console")
	}
}

// get asks for url and returns why there was no answer, if there was none.
func get(t *testing.T, url string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func TestCommandLineReachesTheProgram(t *testing.T) {
	const line = "hostname=gate ip=10.0.2.15/24 gw=10.0.2.2 own=word"
	if _, r := bootStatus(t, qemu.Config{Cmdline: line}); r.Hostname != "gate" || r.Machine.Cmdline != line {
		t.Errorf("hostname %q, command line %q", r.Hostname, r.Machine.Cmdline)
	}
}

// TestBadCommandLineIsSaidAndSurvived shows that each bad value gets a line and the default.
func TestBadCommandLineIsSaidAndSurvived(t *testing.T) {
	vm, r := bootStatus(t, qemu.Config{Cmdline: "ip=banana gw=10.0.2.2.2 dns=nowhere hostname=a_b"})
	for _, word := range []string{"ip=banana", "gw=10.0.2.2.2", "dns=nowhere", "hostname=a_b"} {
		if !strings.Contains(vm.Console(), word) {
			t.Errorf("nothing is said about %s", word)
		}
	}
	if r.Hostname == "a_b" {
		t.Error("the bad host name is used")
	}
}

// TestIdleKernelHaltsTheCPU compares the processor time that QEMU takes with the time that passes: a kernel that
// waits in a loop takes all of it.
func TestIdleKernelHaltsTheCPU(t *testing.T) {
	vm, _ := bootStatus(t, qemu.Config{})
	http.DefaultClient.CloseIdleConnections()
	// What follows a boot (garbage collection, closing of connections) ends.
	window := func() float64 {
		before, begin := CPUTime(t, vm), time.Now()
		select {
		case <-time.After(3 * time.Second):
		case <-vm.Done():
		}
		return (CPUTime(t, vm) - before).Seconds() / time.Since(begin).Seconds()
	}
	lowest := math.Inf(1)
	for range 3 {
		lowest = min(lowest, window())
	}
	t.Logf("an idle kernel takes %.1f%% of a CPU", 100*lowest)
	if lowest > 0.25 {
		t.Errorf("an idle kernel takes %.0f%% of a CPU", 100*lowest)
	}
}

// TestBusyKernelStillServes has goroutines loop for ever beside the web server.
func TestBusyKernelStillServes(t *testing.T) {
	vm := boot(t, testApp, qemu.Config{})
	base := "http://" + vm.Addr("tcp", 80)
	if err := vm.WaitHTTP(Context(t, Patience), base+"/clock"); err != nil {
		t.Fatal(err)
	}
	if r := ask(t, vm, "/spin", "n", "4"); r.Error != "" {
		t.Fatal(r.Error)
	}
	for range 20 {
		if err := get(t, base+"/clock"); err != nil {
			t.Fatal(err)
		}
	}
}
