//go:build tamago && arm

// Package imx6 has what the boards with an i.MX6UL have in common.
package imx6

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/kernel/imx6ul"
	"github.com/tamanet/tamanet/kernel/irq"
)

// ENET describes an Ethernet interface: a MAC, 1 or 2, and its PHY on RMII, which
// takes the 50 MHz clock from the processor.
type ENET struct {
	N    int
	PHY  int // its address, or phy.ScanAddr
	Pads []imx6ul.Pad
}

// Open makes a network device of e. The error is one line for the console.
func (e ENET) Open() (nic.Device, error) {
	name := fmt.Sprintf("ENET%d", e.N)
	imx6ul.Configure(e.Pads)
	if !imx6ul.EnableRMIIClock(e.N) {
		return nil, fmt.Errorf("%s: the PLL for its clock does not lock", name)
	}
	base, line := uintptr(imx6ul.ENET1), irq.Line(imx6ul.LineENET1)
	if e.N == 2 {
		base, line = imx6ul.ENET2, imx6ul.LineENET2
	}
	d, err := enet.New(enet.Config{
		Regs:      mmio.At(base, enet.RegionSize),
		Memory:    imx6ul.Memory,
		Interrupt: imx6ul.Interrupt{Line: line},
		MAC:       MAC(e.N),
		Clock:     imx6ul.IPG,
		RMII:      true,
		PHY:       phy.Config{Addr: e.PHY, RefClock50: true},
		// QEMU checks nothing that it receives.
		TrustChecksums: imx6ul.Native(),
		Name:           name,
	})
	if err != nil {
		return nil, err
	}
	line.SetName(name)
	return d, nil
}

// MAC returns an interface's address: locally administered, and the same each time,
// by the processor's identifier. In QEMU it is zero, for the one that QEMU gives.
func MAC(n int) (m nic.MAC) {
	if !imx6ul.Native() {
		return m
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%016x/%d", imx6ul.UniqueID(), n)
	sum := h.Sum64()
	for i := range m {
		m[i] = byte(sum >> (8 * i))
	}
	m[0] = m[0]&^1 | 2
	return m
}

// Register registers the machine, once its network devices are there.
func Register(name string, nics ...nic.Device) {
	cmdline := imx6ul.Cmdline()
	c := boot.Parse(cmdline)
	for _, w := range c.Warnings {
		Warn("%s", w)
	}
	boot.SetArgs(c.Args)
	ram, usable := imx6ul.RAM()
	board.Register(&board.Machine{
		Name:    name,
		CPU:     imx6ul.Model(),
		RAM:     ram,
		Usable:  usable,
		Cmdline: cmdline,
		NICs:    nics,
		Net:     network(),
	})
}

// network returns how the first interface is set up: on QEMU's user networking as that
// expects it (docs/system/devices/net.rst), on a board as the USB armory's host side is
// commonly set up.
func network() board.NetDefaults {
	n := board.NetDefaults{Hostname: "tamanet"}
	if imx6ul.Native() {
		n.Addr = netip.MustParsePrefix("10.0.0.1/24")
		n.Gateway = netip.MustParseAddr("10.0.0.2")
		return n
	}
	n.Addr = netip.MustParsePrefix("10.0.2.15/24")
	n.Gateway = netip.MustParseAddr("10.0.2.2")
	n.DNS = []netip.AddrPort{netip.MustParseAddrPort("10.0.2.3:53")}
	return n
}

// Warn prints what is not as it should be and is done without.
func Warn(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "tamanet: "+format+"\n", args...)
}
