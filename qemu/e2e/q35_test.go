package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/qemu"
)

// TestPCIDevices has network devices that interrupt by MSI-X and by their pin, directly on the root bus and behind
// a port.
func TestPCIDevices(t *testing.T) {
	needs(t, "PCI", func(b *qemu.Board) bool { return b.Name == "q35" })
	vm, _ := bootStatus(t, qemu.Config{Devices: []string{
		"virtio-net-pci,addr=5,vectors=0,romfile=", // transitional
		"pcie-root-port,id=root1,chassis=1,addr=6",
		"virtio-net-pci,bus=root1,romfile=",
	}})
	var report struct {
		Interrupts []struct {
			Name  string
			Count uint64
		}
		Interfaces []struct{ Name string }
	}
	if err := getJSON(Context(t, Patience), http.DefaultClient, "http://"+vm.Addr("tcp", 80)+"/status.json", &report); err != nil {
		t.Fatal(err)
	}
	count := map[string]uint64{}
	for _, i := range report.Interrupts {
		count[i.Name] = i.Count
	}
	for _, name := range []string{"virtio-net 00:01.0 configuration", "virtio-net 00:05.0", "virtio-net 01:00.0 configuration", "virtio-net 01:00.0 queues 0"} {
		if _, ok := count[name]; !ok {
			t.Errorf("there is no interrupt of %s among %v", name, count)
		}
	}
	if count["virtio-net 00:01.0 queues 0"] == 0 {
		t.Errorf("the first device's queues have never interrupted: %v", count)
	}
	ethernet := 0
	for _, i := range report.Interfaces {
		if strings.HasPrefix(i.Name, "eth") {
			ethernet++
		}
	}
	if ethernet != 3 {
		t.Errorf("interfaces are %v, want three network devices", report.Interfaces)
	}
}

// TestInterruptLinesRunOut has more devices than there are lines for messages: 40 on q35, of which each device takes one for
// its configuration and one for each processor, but the second, whose table has no more than two. The last to come by have
// fewer, and then that of their pin.
func TestInterruptLinesRunOut(t *testing.T) {
	needs(t, "PCI", func(b *qemu.Board) bool { return b.Name == "q35" })
	cfg := qemu.Config{CPUs: 2, Mem: 256 << 20, More: []string{"-global", "virtio-net-pci.vectors=8"}}
	want := map[string]int{"00:01.0": 3, "00:02.0": 2, "00:0e.0": 2, "00:0f.0": -1}
	for slot := 2; slot <= 15; slot++ { // the board's own is in slot 1
		d := fmt.Sprintf("virtio-net-pci,addr=%#x,romfile=", slot)
		if slot == 2 {
			d += ",vectors=2"
		}
		cfg.Devices = append(cfg.Devices, d)
		if name := fmt.Sprintf("00:%02x.0", slot); want[name] == 0 {
			want[name] = 3
		}
	}
	vm, _ := bootStatus(t, cfg)
	var report struct {
		Interrupts []struct{ Name string }
		Interfaces []struct{ Name string }
	}
	if err := getJSON(Context(t, Patience), http.DefaultClient, "http://"+vm.Addr("tcp", 80)+"/status.json", &report); err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for _, i := range report.Interrupts {
		if device, _, ok := strings.Cut(strings.TrimPrefix(i.Name, "virtio-net "), " "); strings.HasPrefix(i.Name, "virtio-net ") {
			if lines[device]++; !ok {
				lines[device] = -1 // the pin's
			}
		}
	}
	if !maps.Equal(lines, want) {
		t.Errorf("lines of devices are %v, want %v", lines, want)
	}
	ethernet := 0
	for _, i := range report.Interfaces {
		if strings.HasPrefix(i.Name, "eth") {
			ethernet++
		}
	}
	if ethernet != len(want) {
		t.Errorf("%d network devices are in use, want %d: %v", ethernet, len(want), report.Interfaces)
	}
	if says := "interrupt lines are left for 1 pairs of queues, not for 2"; !strings.Contains(vm.Console(), says) {
		t.Errorf("console does not say %q", says)
	}
}

// TestPinInterrupt serves without MSI-X.
func TestPinInterrupt(t *testing.T) {
	needs(t, "PCI", func(b *qemu.Board) bool { return b.Name == "q35" })
	bootStatus(t, qemu.Config{More: []string{"-global", "virtio-net-pci.vectors=0"}})
}

// TestFirmwareThatAssignsNothing boots by QEMU's qboot, which gives devices no place in memory and does not map
// configuration space.
func TestFirmwareThatAssignsNothing(t *testing.T) {
	needs(t, "PCI", func(b *qemu.Board) bool { return b.Name == "q35" })
	bootStatus(t, qemu.Config{More: []string{"-bios", "qboot.rom"}})
}
