package q35

import (
	"testing"

	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/kernel/irq"
)

func TestParsePCIEXBAR(t *testing.T) {
	for _, tc := range []struct {
		name string
		v    uint64
		want ecam
		ok   bool
	}{
		{"as SeaBIOS sets it", 0xb000_0001, ecam{0xb000_0000, 256}, true},
		{"128 buses", 0xb800_0003, ecam{0xb800_0000, 128}, true},
		{"64 buses", 0xbc00_0005, ecam{0xbc00_0000, 64}, true},
		{"as after a reset", 0xe000_0000, ecam{0xe000_0000, 256}, false},
		{"a length that is reserved", 0xb000_0007, ecam{0xb000_0000, 0}, false},
		{"where RAM can be", 0x8000_0001, ecam{0x8000_0000, 256}, false},
		{"over the I/O APIC", 0xf000_0001, ecam{0xf000_0000, 256}, false},
		{"above 4 GiB", 0xf_b000_0001, ecam{0xf_b000_0000, 256}, false},
	} {
		got, ok := parsePCIEXBAR(tc.v)
		if ok != tc.ok || got != tc.want {
			t.Errorf("%s: got %+v, %v; want %+v, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestPinLine(t *testing.T) {
	for _, tc := range []struct {
		f    pci.Function
		want irq.Line
		ok   bool
	}{
		{pci.Function{Address: pci.NewAddress(0, 2, 0), Pin: 1}, 22, true},
		{pci.Function{Address: pci.NewAddress(0, 3, 0), Pin: 2}, 20, true},
		{pci.Function{Address: pci.NewAddress(0, 3, 0)}, 0, false},
		{pci.Function{Address: pci.NewAddress(0, 3, 0), Pin: 5}, 0, false},
		{pci.Function{Address: pci.NewAddress(0, 31, 2), Pin: 1}, 0, false},
		{pci.Function{Address: pci.NewAddress(1, 0, 0), Pin: 1}, 0, false},
	} {
		if got, ok := pinLine(&tc.f); got != tc.want || ok != tc.ok {
			t.Errorf("%v pin %d: line %d, %v; want %d, %v", tc.f.Address, tc.f.Pin, got, ok, tc.want, tc.ok)
		}
	}
}
