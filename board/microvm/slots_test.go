package microvm

import (
	"testing"

	"github.com/tamanet/tamanet/kernel/boot"
)

func TestSlots(t *testing.T) {
	named := []boot.Slot{{Base: 0xd000_0000, Size: 4096, IRQ: 5}}

	for _, tt := range []struct {
		name             string
		named            []boot.Slot
		twoIOAPICs, acpi bool
		n                int
		last             boot.Slot
	}{
		{"default", nil, true, true, 24, boot.Slot{Base: 0xfeb0_2e00, Size: 0x200, IRQ: 47}},
		{"one I/O APIC", nil, false, true, 8, boot.Slot{Base: 0xfeb0_0e00, Size: 0x200, IRQ: 23}},
		{"acpi=off", nil, false, false, 8, boot.Slot{Base: 0xfeb0_0e00, Size: 0x200, IRQ: 12}},
		{"named on the command line", named, true, true, 1, named[0]},
	} {
		got := slots(tt.named, tt.twoIOAPICs, tt.acpi)
		if len(got) != tt.n || got[len(got)-1] != tt.last {
			t.Errorf("%s: %d slots, last %+v; want %d, %+v", tt.name, len(got), got[len(got)-1], tt.n, tt.last)
		}
	}
}
