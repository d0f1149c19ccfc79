//go:build tamago && amd64

// Package pc has what the boards that are QEMU's PCs have in common.
package pc

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtiorng"
	"github.com/tamanet/tamanet/kernel/amd64" // boots the processor
	"github.com/tamanet/tamanet/kernel/boot"
)

// Devices are the VIRTIO devices of a machine.
type Devices struct {
	// Entropy are the transports of entropy devices.
	Entropy []virtio.Transport
	// Net open the network devices, in the machine's own order.
	Net []func(disable virtio.Features) (nic.Device, error)
}

// Register registers the machine of that name, with the devices that probe finds in it. Random numbers are
// there before a network device is opened.
func Register(name string, probe func(boot.Config) Devices) {
	cmdline := amd64.Cmdline()
	c := boot.Parse(cmdline)
	for _, w := range c.Warnings {
		Warn("%s", w)
	}
	boot.SetArgs(c.Args)

	if left := amd64.Unusable(); left != 0 {
		Warn("%d MiB of RAM are not used: they do not follow on the kernel's own, which ends at the PCI hole", left>>20)
	}

	if amd64.Emulated() {
		// Nothing tells the versions of QEMU apart.
		dma.FenceEmulation()
	}
	devices := probe(c)
	seed(devices.Entropy)

	board.Register(&board.Machine{
		Name:    name,
		CPU:     amd64.Brand(),
		RAM:     boot.RAM(amd64.Memory()),
		Usable:  amd64.Usable(),
		Cmdline: cmdline,
		NICs:    open(devices, disabled(c)),
		Net:     userNetwork(),
	})
}

// seed has random numbers come from the first entropy device that works, where the processor has no generator. The machine
// stops when there is none.
func seed(devices []virtio.Transport) {
	if amd64.HasRDRAND() {
		return
	}
	for _, t := range devices {
		d, err := virtiorng.New(virtiorng.Config{Transport: t, Memory: dma.Heap{}})
		if err == nil {
			amd64.SetEntropySource(d)
			return
		}
		Warn("%v", err)
	}
	amd64.SetEntropySource(nil)
}

// open returns the network devices that work.
func open(devices Devices, disable virtio.Features) (nics []nic.Device) {
	for _, open := range devices.Net {
		d, err := open(disable)
		if err != nil {
			Warn("%v", err)
			continue
		}
		nics = append(nics, d)
	}
	return nics
}

// userNetwork is what QEMU's user networking expects of its first guest
// (docs/system/devices/net.rst).
func userNetwork() board.NetDefaults {
	return board.NetDefaults{
		Addr:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 2, 15}), 24),
		Gateway:  netip.AddrFrom4([4]byte{10, 0, 2, 2}),
		DNS:      []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 2, 3}), 53)},
		Hostname: "tamanet",
	}
}

// RxQueue returns the bound of receive rings for virtionet.Config: buffers for 256 descriptors take 512 KiB, which is much
// for a machine of 20 MiB.
func RxQueue() int {
	const scarce, few = 16 << 20, 64
	if amd64.Usable() < scarce {
		return few
	}
	return 0
}

// disabled returns the features that virtio_net.disable= names.
func disabled(c boot.Config) (f virtio.Features) {
	for _, name := range c.NetDisable {
		bits, err := virtionet.ParseFeatures(name)
		if err != nil {
			Warn("command line: virtio_net.disable=%s is not used: %v", name, err)
		}
		f |= bits
	}
	return f
}

// Warn prints what is not as it should be and is done without.
func Warn(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "tamanet: "+format+"\n", args...)
}
