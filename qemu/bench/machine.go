package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

const mib = 1 << 20

// guestAddr is the guest's address on either netdev.
const guestAddr = "10.0.2.15"

// ports are those of qemu/benchapp.
const ports = "0:80,0:9,0:19,0:7/udp,0:9/udp,0:19/udp"

// A machine is a guest that runs.
type machine struct {
	*qemu.VM
	mem  uint64
	net  string
	wire *wire // of NetWire
}

// Stop ends the machine and its wire.
func (m *machine) Stop() {
	m.VM.Stop()
	if m.wire != nil {
		<-m.wire.done
	}
}

// boot starts a guest, which lives as long as ctx, and returns once its server says that it is up. Where it does not
// get there within limit, the error tells what the console said last.
func (b *bench) boot(ctx context.Context, limit time.Duration, g *Guest, mem uint64, more ...string) (*machine, error) {
	cfg := g.Config
	cfg.Board, cfg.Accel, cfg.Mem, cfg.More = b.Board, b.Accel, mem, more
	if g.Name == "Linux" && b.Board == "microvm" && b.Accel != qemu.AccelKVM {
		// On microvm without KVM, Linux has nothing to find the TSC's rate by: under ACPI with reduced hardware it
		// leaves the PIT alone.
		rate := tscKHz()
		if len(more) > 0 {
			rate = 1e6 // CountInstructions
		}
		cfg.Cmdline += fmt.Sprintf(" tsc=reliable tsc_early_khz=%d", rate)
	}
	vm, wire, err := b.start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	m := &machine{VM: vm, mem: mem, net: b.Net, wire: wire}
	booting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if _, err := vm.WaitLine(booting, `^benchapp: up`); err != nil {
		m.Stop()
		return nil, err
	}
	return m, nil
}

// start starts QEMU on the netdev of the options.
func (b *bench) start(ctx context.Context, cfg qemu.Config) (vm *qemu.VM, w *wire, err error) {
	switch b.Net {
	case NetTap:
		cfg.Netdev = "tap,ifname=" + tapName + ",script=no,downscript=no"
	case NetUser:
		if cfg.Ports, err = qemu.ParsePorts(ports); err != nil {
			return nil, nil, err
		}
	case NetWire:
		if w, cfg.Netdev, err = layWire(ctx, b.dir); err != nil {
			return nil, nil, err
		}
	}
	vm, err = qemu.Start(ctx, cfg)
	if w == nil {
		return vm, nil, err
	}
	if err != nil {
		w.close()
		return nil, nil, err
	}
	if err := w.join(ctx, vm, b.Impair); err != nil {
		vm.Stop()
		return nil, nil, err
	}
	return vm, w, nil
}

// addr returns where a port of the guest is reached.
func (m *machine) addr(proto string, port uint16) string {
	if m.net != NetUser {
		return fmt.Sprintf("%s:%d", guestAddr, port)
	}
	return m.Addr(proto, port)
}

// get returns what the guest has at a path.
func (m *machine) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.addr("tcp", 80)+path, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return string(body), err
}

// taken returns how many datagrams the guest's port 9 has counted.
func (m *machine) taken(ctx context.Context) (int64, error) {
	text, err := m.get(ctx, "/udp")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
}

// resident returns how many bytes of the guest's RAM the host holds, and how many of QEMU as a whole. The guest's RAM
// is the mapping that has its size (proc_pid_smaps(5)).
func (m *machine) resident() (ram, whole int64, err error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.Pid()), "smaps"))
	if err != nil {
		return 0, 0, err
	}
	var size int64
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		switch f[0] {
		case "Size:":
			size = n << 10
		case "Rss:":
			whole += n << 10
			if size == int64(m.mem) {
				ram = max(ram, n<<10)
			}
		}
	}
	if ram == 0 {
		err = fmt.Errorf("no mapping of QEMU has the size of the guest's RAM, %s", qemu.FormatSize(m.mem))
	}
	return ram, whole, err
}
