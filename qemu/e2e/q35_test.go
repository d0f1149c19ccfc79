package e2e

import (
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
