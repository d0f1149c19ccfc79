// Package board tells which machine the program runs on and what is in it. The
// package of a machine, as board/microvm, registers it while the program is initialised;
// the rest of the program asks here and need not know which one it is. On an
// ordinary operating system there is none.
package board

import (
	"net/netip"
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/kernel/boot"
)

// Machine describes the machine that was booted. It does not change once it is registered.
type Machine struct {
	Name    string // of the board's package, as "microvm"
	CPU     string // the processor's name as it gives it, "" when it gives none
	RAM     uint64 // bytes of RAM in the machine
	Usable  uint64 // bytes of RAM that the Go heap can have
	Cmdline string // kernel command line

	// NICs are the network devices, in the order of the machine's own names for
	// them, not started yet. They belong to whoever starts them.
	NICs []nic.Device

	// Net is how the first network device is set up when the command
	// line does not say otherwise.
	Net NetDefaults
}

// NetDefaults is a network configuration. A field's zero value is none.
type NetDefaults struct {
	Addr     netip.Prefix // with the host part
	Gateway  netip.Addr
	DNS      []netip.AddrPort
	Hostname string
}

// Config returns what the command line says, filled in with m.Net where it
// says nothing. A default gateway that the configured address cannot reach is
// left out.
func (m *Machine) Config() boot.Config {
	c := boot.Parse(m.Cmdline)
	if !c.Addr.IsValid() {
		c.Addr = m.Net.Addr
	}
	if !c.Gateway.IsValid() && c.Addr.Masked().Contains(m.Net.Gateway) {
		c.Gateway = m.Net.Gateway
	}
	if len(c.DNS) == 0 {
		c.DNS = m.Net.DNS
	}
	if c.Hostname == "" {
		c.Hostname = m.Net.Hostname
	}
	return c
}

var current atomic.Pointer[Machine]

// Register makes m what [Current] returns. A board's package calls it once.
func Register(m *Machine) { current.Store(m) }

// Current returns the machine, or nil on an ordinary operating system. The
// caller must not change it.
func Current() *Machine { return current.Load() }
