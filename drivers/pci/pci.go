// Package pci finds the functions of a PCI Express machine and makes them
// usable: configuration space, base address registers, capabilities, bus mastering
// and MSI-X.
//
// Configuration space is read by the enhanced access mechanism (ECAM), where each
// function's 4 KiB are memory. Base address registers (BARs) are taken as the
// firmware has set them; those that it left out, or put where the processor does not
// reach, are given a place in [Bus.Window]. Bridges are followed where the
// firmware has numbered the buses behind them; nothing behind one is moved.
//
// A device is not trusted. Its lists of capabilities may loop, its BARs may be of
// nonsensical sizes and its structures may lie outside of them: each is an error, never a panic
// or an access outside the device's own memory. No search is without bound.
//
// Not there: I/O space, MSI without the X, expansion ROMs, power management, hot plug.
//
// References: PCI Local Bus Specification 3.0; PCI Express Base
// Specification 4.0 §7.2.2 (ECAM) and §7.5 (headers).
//
// # Concurrency
//
// Nothing here is safe for concurrent use on one function, or on one bus
// while a function is being enabled.
package pci

import (
	"errors"
	"fmt"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// Address is where a function is: bus, device and function number (BDF).
type Address uint16

// NewAddress returns the address of a function: bus 0 to 255, device 0 to 31, function
// 0 to 7.
func NewAddress(bus, device, function int) Address {
	return Address(bus&0xff<<8 | device&31<<3 | function&7)
}

// Bus is the bus number.
func (a Address) Bus() int { return int(a >> 8) }

// Device is the number of the device on its bus.
func (a Address) Device() int { return int(a >> 3 & 31) }

// Function is the number of the function in its device.
func (a Address) Function() int { return int(a & 7) }

// String formats the address as lspci does: "00:02.0".
func (a Address) String() string {
	return fmt.Sprintf("%02x:%02x.%x", a.Bus(), a.Device(), a.Function())
}

// Registers of the configuration header, PCI 3.0 §6.1.
const (
	regVendor        mmio.Offset = 0x00
	regDevice        mmio.Offset = 0x02
	regCommand       mmio.Offset = 0x04
	regStatus        mmio.Offset = 0x06
	regRevision      mmio.Offset = 0x08 // class code in the upper three bytes
	regHeaderType    mmio.Offset = 0x0e
	regBAR           mmio.Offset = 0x10
	regSubsystem     mmio.Offset = 0x2e
	regCapabilities  mmio.Offset = 0x34
	regInterruptPin  mmio.Offset = 0x3d
	regPrimaryBus    mmio.Offset = 0x18 // of a bridge, and the two behind it
	regMemoryBase    mmio.Offset = 0x20
	regPrefetchBase  mmio.Offset = 0x24
	regPrefetchUpper mmio.Offset = 0x28
)

const (
	commandIO        = 1 << 0
	commandMemory    = 1 << 1
	commandMaster    = 1 << 2
	commandNoINTx    = 1 << 10
	statusCapability = 1 << 4

	headerMulti  = 0x80
	headerMask   = 0x7f
	headerNormal = 0
	headerBridge = 1

	noVendor = 0xffff

	classBridge = 0x06
)

// ConfigSize is how much of a function's configuration space holds its header and capabilities.
const ConfigSize = 256

var (
	// ErrBAR is wrapped by errors about a base address register that is not there, is
	// none of memory, has no place, or does not hold what a capability says.
	ErrBAR = errors.New("pci: bad base address register")
	// ErrCapability is wrapped by errors about capabilities that are missing or broken.
	ErrCapability = errors.New("pci: bad capability")
)

// Window is a range of addresses, from Start up to and without End.
type Window struct{ Start, End uint64 }

// Bus is a root bus with what hangs off it. Set its fields before Scan.
type Bus struct {
	// Config opens a function's configuration space, of at least ConfigSize bytes; where there is no
	// function it reads as all ones. See [ECAM].
	Config func(Address) mmio.Region
	// Memory opens device memory; on hardware it is mmio.At.
	Memory func(base uintptr, size int) mmio.Region
	// Window is where the processor reaches device memory, and where nothing but
	// devices is.
	Window Window

	functions []*Function
	bridges   []Window // what bridges pass on
}

// ecamSize is the configuration space of one function in ECAM.
const ecamSize = 4096

// ECAM returns a Bus.Config for configuration space that is mapped at base (PCI
// Express 4.0 §7.2.2). open is as in Bus.Memory. Buses from buses on, which the
// mapping does not hold, read as empty.
func ECAM(open func(base uintptr, size int) mmio.Region, base uintptr, buses int) func(Address) mmio.Region {
	return func(a Address) mmio.Region {
		if a.Bus() >= buses {
			return nothing{}
		}
		return open(base+uintptr(a)*ecamSize, ecamSize)
	}
}

// nothing is the configuration space of no function.
type nothing struct{ mmio.Region }

func (nothing) Size() int                 { return ConfigSize }
func (nothing) Read8(mmio.Offset) uint8   { return 0xff }
func (nothing) Read16(mmio.Offset) uint16 { return 0xffff }
func (nothing) Read32(mmio.Offset) uint32 { return 0xffff_ffff }

// Function is one function of a device.
type Function struct {
	Address Address
	// Vendor and Device say what it is, Subsystem further.
	Vendor, Device, Subsystem uint16
	// Class is the class code: base class, subclass and interface, 8 bits each.
	Class uint32
	// Pin is the interrupt pin, 1 to 4 for INTA to INTD, 0 when it has none.
	Pin uint8
	// BARs are its base address registers; those of a bridge are not looked at. The upper half of one with 64 bits counts as
	// one that is not there.
	BARs [6]BAR

	bus *Bus
	cfg mmio.Region
}

// String names the function as lspci does: "00:02.0 1af4:1041".
func (f *Function) String() string {
	return fmt.Sprintf("%v %04x:%04x", f.Address, f.Vendor, f.Device)
}

// Config is the function's configuration space.
func (f *Function) Config() mmio.Region { return f.cfg }

// Enable gives a place to each memory BAR that has none within reach, has the
// function answer there, and lets it access memory by itself (bus mastering). The error wraps
// ErrBAR; the function is then left as it was.
func (f *Function) Enable() error {
	if err := f.assign(); err != nil {
		return fmt.Errorf("%v: %w", f, err)
	}
	f.command(commandMemory|commandMaster, 0)
	return nil
}

// Disable stops the function from accessing memory and raising interrupts.
func (f *Function) Disable() { f.command(commandNoINTx, commandMaster) }

// command sets and clears bits of the command register.
func (f *Function) command(set, clear uint16) {
	f.cfg.Write16(regCommand, f.cfg.Read16(regCommand)&^clear|set)
}
