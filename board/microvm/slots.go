package microvm

import "github.com/tamanet/tamanet/kernel/boot"

// Where the virtio-mmio slots are, QEMU include/hw/i386/microvm.h.
const (
	slotBase = 0xfeb0_0000
	slotSize = 0x200
)

// slots returns the virtio-mmio slots: those that the command line names, or else
// what this machine has by the options that it was started with (hw/i386/microvm.c
// microvm_devices_init).
func slots(named []boot.Slot, twoIOAPICs, acpi bool) []boot.Slot {
	if len(named) > 0 {
		return named
	}

	n, line := 8, 5
	switch {
	case twoIOAPICs:
		n, line = 24, 24
	case acpi:
		n, line = 8, 16
	}

	all := make([]boot.Slot, n)
	for i := range all {
		all[i] = boot.Slot{Base: slotBase + uint64(i)*slotSize, Size: slotSize, IRQ: uint8(line + i)}
	}
	return all
}
