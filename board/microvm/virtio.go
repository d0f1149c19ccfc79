//go:build tamago && amd64

package microvm

import (
	"fmt"
	"slices"

	"github.com/tamanet/tamanet/board/internal/pc"
	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/kernel/amd64"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/kernel/irq"
)

// Where the interrupt controllers are, QEMU include/hw/i386/microvm.h.
const (
	ioapic0Base  = 0xfec0_0000
	ioapic0First = 0
	ioapic1Base  = 0xfec1_0000
	ioapic1First = 24
)

// probe returns the devices. QEMU puts its first device into the last
// slot, so they are in the order of its command line.
func probe(c boot.Config) (devices pc.Devices) {
	amd64.AddIOAPIC(ioapic0Base, ioapic0First)
	two := amd64.AddIOAPIC(ioapic1Base, ioapic1First) != 0

	for _, s := range slices.Backward(slots(c.Slots, two, amd64.HasACPI())) {
		for _, found := range virtio.Probe(mmio.At, uintptr(s.Base), uintptr(s.Size), 1) {
			switch {
			case found.Err != nil:
				pc.Warn("%v", found.Err)
			case found.ID == virtio.DeviceEntropy:
				devices.Entropy = append(devices.Entropy, found.Transport)
			case found.ID == virtio.DeviceNet:
				devices.Net = append(devices.Net, func(disable virtio.Features) (nic.Device, error) {
					return open(found, irq.Line(s.IRQ), disable)
				})
			}
		}
	}
	return devices
}

// open makes a network device of what is in a slot.
func open(s virtio.Slot, line irq.Line, disable virtio.Features) (nic.Device, error) {
	name := fmt.Sprintf("virtio-net %#x", s.Base)
	d, err := virtionet.New(virtionet.Config{
		Transport: s.Transport,
		Memory:    dma.Heap{},
		Interrupt: line,
		Name:      name,
		RxQueue:   pc.RxQueue(),
		Disable:   disable,
	})
	if err != nil {
		return nil, err
	}
	if err := amd64.EnableLine(line); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	line.SetName(name)
	return d, nil
}
