//go:build tamago && amd64

// Package pc has what the boards that are QEMU's PCs have in common.
package pc

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/kernel/amd64" // boots the processor
	"github.com/tamanet/tamanet/kernel/boot"
)

// Register registers the machine of that name, with the network devices that probe finds in it.
func Register(name string, probe func(boot.Config) []nic.Device) {
	cmdline := amd64.Cmdline()
	c := boot.Parse(cmdline)
	for _, w := range c.Warnings {
		Warn("%s", w)
	}
	boot.SetArgs(c.Args)

	if left := amd64.Unusable(); left != 0 {
		Warn("%d MiB of RAM are not used: they do not follow on the kernel's own, which ends at the PCI hole", left>>20)
	}

	board.Register(&board.Machine{
		Name:    name,
		CPU:     amd64.Brand(),
		RAM:     boot.RAM(amd64.Memory()),
		Usable:  amd64.Usable(),
		Cmdline: cmdline,
		NICs:    probe(c),
		Net:     userNetwork(),
	})
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

// Disabled returns the features that virtio_net.disable= names.
func Disabled(c boot.Config) (f virtio.Features) {
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
