//go:build tamago

package microvm

import (
	"net/netip"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/kernel/amd64" // boots the processor
	"github.com/tamanet/tamanet/kernel/boot"
)

// init finds out what is in the machine and registers it.
func init() {
	cmdline := amd64.Cmdline()
	c := boot.Parse(cmdline)
	for _, w := range c.Warnings {
		warn("%s", w)
	}
	boot.SetArgs(c.Args)

	if left := amd64.Unusable(); left != 0 {
		warn("%d MiB of RAM are not used: they do not follow on the kernel's own, which ends at the PCI hole", left>>20)
	}

	board.Register(&board.Machine{
		Name:    "microvm",
		CPU:     amd64.Brand(),
		RAM:     boot.RAM(amd64.Memory()),
		Usable:  amd64.Usable(),
		Cmdline: cmdline,
		NICs:    probe(c.Slots, disabled(c.NetDisable)),
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
