package pci_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/drivers/pci/pcitest"
)

func TestCapabilities(t *testing.T) {
	f := pcitest.New(1, 2)
	f.AddCapability(0x10, make([]byte, 10))
	f.AddCapability(pci.CapabilityVendor, []byte{16, 1})
	got, err := scanOne(t, f).Capabilities()
	if err != nil || len(got) != 2 || got[0] != (pci.Capability{ID: 0x10, Offset: 0x40}) || got[1] != (pci.Capability{ID: 9, Offset: 0x4c}) {
		t.Errorf("got %+v, %v", got, err)
	}
	f.Bytes[6] = 0 // the status says that there is no list
	if got, err := scanOne(t, f).Capabilities(); err != nil || got != nil {
		t.Errorf("without a list: %+v, %v", got, err)
	}
}

func TestCapabilitiesHostile(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*pcitest.Function)
		found int // at least
	}{
		{"points at itself", func(f *pcitest.Function) { f.Bytes[0x41] = 0x40 }, 1},
		{"in a circle of two", func(f *pcitest.Function) { f.Bytes[0x41], f.Bytes[0x51] = 0x50, 0x40 }, 2},
		{"into the header", func(f *pcitest.Function) { f.Bytes[0x41] = 0x10 }, 1},
		{"begins in the header", func(f *pcitest.Function) { f.Bytes[0x34] = 0x3c }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := pcitest.New(1, 2)
			f.AddCapability(0x10, nil)
			tc.spoil(f)
			got, err := scanOne(t, f).Capabilities()
			if !errors.Is(err, pci.ErrCapability) || len(got) < tc.found {
				t.Errorf("got %+v, %v; want ErrCapability and at least %d", got, err, tc.found)
			}
		})
	}
	t.Run("at the end", func(t *testing.T) {
		f := pcitest.New(1, 2)
		f.Bytes[6], f.Bytes[0x34], f.Bytes[0xfc] = 0x10, 0xff, byte(pci.CapabilityMSIX)
		g := scanOne(t, f)
		if c, err := g.Capabilities(); err != nil || len(c) != 1 || g.Read32(c[0], 4) != 0 || g.Read8(c[0], 4) != 0 {
			t.Errorf("got %+v, %v", c, err)
		}
		if _, err := g.MSIX(); !errors.Is(err, pci.ErrCapability) {
			t.Errorf("MSIX says %v, want ErrCapability", err)
		}
	})
}

// msixFunction is a function with a table of n entries at off in a BAR of 4 KiB.
func msixFunction(n int, off uint32) (*pcitest.Function, *mmio.Fake) {
	f, regs := pcitest.New(1, 2), mmio.NewFake(4096)
	f.AddBAR(1, 0xfd00_1000, regs)
	f.AddMSIX(n, 1, off)
	return f, regs
}

func TestMSIX(t *testing.T) {
	f, regs := msixFunction(3, 0x800)
	g := scanOne(t, f)
	if err := g.Enable(); err != nil {
		t.Fatal(err)
	}
	m, err := g.MSIX()
	if err != nil {
		t.Fatal(err)
	}
	if m.Size() != 3 {
		t.Errorf("Size is %d, want 3", m.Size())
	}
	for i := range mmio.Offset(3) {
		if regs.Peek(0x80c+16*i, 4) != 1 {
			t.Errorf("entry %d is not masked", i)
		}
	}
	m.Set(2, pci.Message{Addr: 0x1_fee0_1000, Data: 0x45})
	if regs.Peek(0x820, 8) != 0x1_fee0_1000 || regs.Peek(0x828, 4) != 0x45 || regs.Peek(0x82c, 4) != 0 {
		t.Errorf("entry 2 is %#x, %#x, %#x", regs.Peek(0x820, 8), regs.Peek(0x828, 4), regs.Peek(0x82c, 4))
	}
	if c := binary.LittleEndian.Uint16(f.Bytes[0x42:]); c != 0x4002 {
		t.Errorf("message control is %#x, want all masked and off", c)
	}
	m.Enable()
	if c := binary.LittleEndian.Uint16(f.Bytes[0x42:]); c != 0x8002 {
		t.Errorf("message control is %#x, want on", c)
	}
	if f.Command()&(1<<10) == 0 {
		t.Error("the pin is still in use")
	}
	defer func() {
		if recover() == nil {
			t.Error("an entry that is not there was set")
		}
	}()
	m.Set(3, pci.Message{})
}

func TestMSIXHostile(t *testing.T) {
	for _, tc := range []struct {
		name       string
		n          int
		table, pba uint32
		err        error
	}{
		{"fits just so", 8, 4096 - 128 - 8 | 1, 4096 - 8 | 1, nil},
		{"table beyond the BAR", 8, 4096 - 120 | 1, 1, pci.ErrCapability},
		{"table far beyond the BAR", 1, 0xffff_fff8 | 1, 1, pci.ErrCapability},
		{"largest table in a small BAR", 2048, 1, 1, pci.ErrCapability},
		{"pending bits beyond the BAR", 1, 1, 4096 | 1, pci.ErrCapability},
		{"table in a BAR that is not there", 1, 3, 1, pci.ErrBAR},
		{"table in no BAR", 1, 7, 1, pci.ErrBAR},
		{"pending bits in no BAR", 1, 1, 6, pci.ErrBAR},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, _ := msixFunction(tc.n, 0)
			binary.LittleEndian.PutUint32(f.Bytes[0x44:], tc.table)
			binary.LittleEndian.PutUint32(f.Bytes[0x48:], tc.pba)
			g := scanOne(t, f)
			if err := g.Enable(); err != nil {
				t.Fatal(err)
			}
			if _, err := g.MSIX(); !errors.Is(err, tc.err) {
				t.Errorf("MSIX says %v, want %v", err, tc.err)
			}
		})
	}
	if _, err := scanOne(t, pcitest.New(1, 2)).MSIX(); !errors.Is(err, pci.ErrCapability) {
		t.Errorf("without the capability MSIX says %v, want ErrCapability", err)
	}
}

// FuzzConfig has a function with any configuration space: nothing in it may cause a panic, a
// search without end or an access outside its own memory.
func FuzzConfig(f *testing.F) {
	f.Fuzz(func(t *testing.T, config []byte, low, high uint32) {
		fake := pcitest.New(1, 2)
		copy(fake.Bytes[4:], config[min(4, len(config)):])
		fake.Bytes[0x0e] = 0
		fake.Writable = [6]uint32{low, high, low, high, low, high}
		bus := pcitest.Bus(map[pci.Address]*pcitest.Function{pci.NewAddress(0, 2, 0): fake})
		bus.Memory = func(base uintptr, size int) mmio.Region {
			if uint64(base) < bus.Window.Start || uint64(base)+uint64(size) > bus.Window.End {
				t.Fatalf("%#x bytes at %#x opened", size, base)
			}
			return mmio.NewFake(size)
		}
		for _, g := range bus.Scan() {
			caps, err := g.Capabilities()
			if err == nil && len(caps) > (256-0x40)/4 {
				t.Fatalf("%d capabilities", len(caps))
			}
			for _, c := range caps {
				if c.Offset < 0x40 || c.Offset > 0xfc || c.Offset%4 != 0 {
					t.Fatalf("capability %+v", c)
				}
			}
			if g.Enable() != nil {
				continue
			}
			if m, err := g.MSIX(); err == nil {
				m.Set(m.Size()-1, pci.Message{})
				m.Enable()
			}
		}
	})
}
