package pci

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// CapabilityID is the kind of a capability, PCI Code and ID Assignment Specification.
type CapabilityID uint8

// Kinds of capabilities.
const (
	CapabilityVendor CapabilityID = 0x09
	CapabilityMSIX   CapabilityID = 0x11
)

// Capability is an entry of a function's list of capabilities.
type Capability struct {
	ID CapabilityID
	// Offset is where it begins in configuration space, from 0x40 on and a multiple of 4.
	Offset mmio.Offset
}

// Where capabilities can be: behind the header, 4 bytes or more each.
const (
	firstCapability = 0x40
	maxCapabilities = (ConfigSize - firstCapability) / 4
)

// Capabilities returns the list of capabilities (PCI 3.0 §6.7). The error wraps
// ErrCapability and says that the list loops or leaves its place; what was
// found before that is returned with it.
func (f *Function) Capabilities() ([]Capability, error) {
	if f.cfg.Read16(regStatus)&statusCapability == 0 {
		return nil, nil
	}
	var all []Capability
	for next := f.cfg.Read8(regCapabilities) &^ 3; next != 0; {
		if next < firstCapability {
			return all, fmt.Errorf("%w: the list of %v goes on at %#x, in the header", ErrCapability, f, next)
		}
		// Longer than there is room for it, it is in a circle.
		if len(all) == maxCapabilities {
			return all, fmt.Errorf("%w: the list of %v does not end", ErrCapability, f)
		}
		c := Capability{CapabilityID(f.cfg.Read8(mmio.Offset(next))), mmio.Offset(next)}
		all = append(all, c)
		next = f.cfg.Read8(c.Offset+1) &^ 3
	}
	return all, nil
}

// holds reports whether n bytes from the beginning of c on are in configuration space.
func (c Capability) holds(n int) bool { return int(c.Offset)+n <= ConfigSize }

// Read8 reads a byte of a capability, at an offset from its beginning; 0 past
// the end of configuration space.
func (f *Function) Read8(c Capability, off mmio.Offset) uint8 {
	if !c.holds(int(off) + 1) {
		return 0
	}
	return f.cfg.Read8(c.Offset + off)
}

// Read32 reads four bytes of a capability as Read8 does. off is a multiple of 4.
func (f *Function) Read32(c Capability, off mmio.Offset) uint32 {
	if !c.holds(int(off) + 4) {
		return 0
	}
	return f.cfg.Read32(c.Offset + off)
}
