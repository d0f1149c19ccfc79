package virtio

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// Slot is a place of a bus where a device may be.
type Slot struct {
	// Index counts from the bus's first slot; a board derives the interrupt line from it.
	Index int
	// Base is the address of the slot's registers.
	Base uintptr
	// ID is the kind of device, DeviceNone when Err is set.
	ID DeviceID
	// Transport is nil when Err is set.
	Transport *MMIO
	// Err says why the device in this slot cannot be used: it is a legacy one.
	Err error
}

// Probe looks into all n slots of stride bytes from base on and returns those
// with a device in them. Empty slots in between don't end the search: QEMU's
// microvm fills its slots from the last one on. The registers of a slot come from open, which
// on hardware is mmio.At.
func Probe(open func(base uintptr, size int) mmio.Region, base, stride uintptr, n int) []Slot {
	var found []Slot
	for i := range n {
		s := Slot{Index: i, Base: base + uintptr(i)*stride}
		regs := open(s.Base, int(stride))
		if regs.Size() < int(regConfig) || regs.Read32(regMagicValue) != magicValue {
			continue
		}
		if regs.Read32(regDeviceID) == uint32(DeviceNone) {
			continue
		}
		t, err := NewMMIO(regs)
		if err != nil {
			s.Err = fmt.Errorf("slot %d at %#x: %w", i, s.Base, err)
		} else {
			s.Transport, s.ID = t, t.DeviceID()
		}
		found = append(found, s)
	}
	return found
}
