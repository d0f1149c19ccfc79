package pci_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/drivers/pci/pcitest"
)

// scanOne returns a lone function as the bus finds it.
func scanOne(t testing.TB, f *pcitest.Function) *pci.Function {
	t.Helper()
	found := pcitest.Bus(map[pci.Address]*pcitest.Function{pci.NewAddress(0, 2, 0): f}).Scan()
	if len(found) != 1 {
		t.Fatalf("found %v, want one function", found)
	}
	return found[0]
}

func TestScanFindsFunctions(t *testing.T) {
	multi := pcitest.New(1, 3)
	multi.Bytes[0x0e] = 0x80
	single := pcitest.New(1, 2)
	bridge := pcitest.New(1, 4)
	bridge.Bytes[0x0e] = 1
	bridge.Bytes[0x19], bridge.Bytes[0x1a] = 3, 3
	loop := pcitest.New(1, 7) // goes back to its own bus
	loop.Bytes[0x0e] = 1
	loop.Bytes[0x19], loop.Bytes[0x1a] = 0, 255
	unknown := pcitest.New(1, 8)
	unknown.Bytes[0x0e] = 2
	bus := pcitest.Bus(map[pci.Address]*pcitest.Function{
		pci.NewAddress(0, 1, 0):  single,
		pci.NewAddress(0, 1, 1):  pcitest.New(1, 99), // of a device with one function
		pci.NewAddress(0, 2, 0):  multi,
		pci.NewAddress(0, 2, 7):  pcitest.New(1, 5),
		pci.NewAddress(0, 4, 0):  bridge,
		pci.NewAddress(0, 5, 0):  loop,
		pci.NewAddress(0, 6, 0):  unknown,
		pci.NewAddress(3, 0, 0):  pcitest.New(1, 6),
		pci.NewAddress(4, 0, 0):  pcitest.New(1, 98), // behind no bridge
		pci.NewAddress(0, 31, 1): pcitest.New(1, 97), // without function 0
	})
	var got []string
	for _, f := range bus.Scan() {
		got = append(got, f.String())
	}
	want := "00:01.0 0001:0002, 00:02.0 0001:0003, 00:02.7 0001:0005, 03:00.0 0001:0006"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("found %s; want %s", s, want)
	}
}

func TestScanSizesBARs(t *testing.T) {
	f := pcitest.New(1, 2)
	f.AddBAR(0, 0xfd00_1000, mmio.NewFake(4096))
	f.AddBAR64(2, 0xfd00_4000, mmio.NewFake(16384))
	f.Writable[1], f.Bytes[0x14] = 0xffff_ffe0, 1 // 32 I/O ports
	f.Bytes[4] = 3
	got := scanOne(t, f)
	want := [6]pci.BAR{0: {Base: 0xfd00_1000, Size: 4096}, 2: {Base: 0xfd00_4000, Size: 16384, Wide: true}}
	if got.BARs != want {
		t.Errorf("BARs are %+v, want %+v", got.BARs, want)
	}
	if f.Command() != 3 {
		t.Errorf("the command register is %#x afterwards, want 3 as before", f.Command())
	}
	if b := binary.LittleEndian.Uint64(f.Bytes[0x18:]); b != 0xfd00_4004 {
		t.Errorf("BAR 2 is %#x afterwards", b)
	}
}

// TestScanRefusesSizes has BARs that no device of the specification can have.
func TestScanRefusesSizes(t *testing.T) {
	for _, tc := range []struct {
		name     string
		low      uint32
		writable [2]uint32
	}{
		{"holes in the mask", 0, [2]uint32{0xffff_0ff0, 0}},
		{"only the lowest bit", 0, [2]uint32{0x10, 0}},
		{"not there", 0, [2]uint32{0, 0}},
		{"64 bits with holes between the halves", 4, [2]uint32{0xfff0_0000, 0xffff_fffe}},
		{"64 bits of which none can be set", 4, [2]uint32{0, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := pcitest.New(1, 2)
			f.Writable[0], f.Writable[1] = tc.writable[0], tc.writable[1]
			binary.LittleEndian.PutUint32(f.Bytes[0x10:], tc.low)
			got := scanOne(t, f)
			if got.BARs[0] != (pci.BAR{}) {
				t.Errorf("BAR 0 is %+v, want none", got.BARs[0])
			}
			if _, err := got.Region(0); !errors.Is(err, pci.ErrBAR) {
				t.Errorf("Region says %v, want ErrBAR", err)
			}
		})
	}
	t.Run("64 bits in the last register", func(t *testing.T) {
		f := pcitest.New(1, 2)
		f.Writable[5], f.Bytes[0x24] = 0xffff_0000, 4
		if got := scanOne(t, f); got.BARs[5] != (pci.BAR{}) {
			t.Errorf("BAR 5 is %+v, want none", got.BARs[5])
		}
	})
}

func TestRegionOutsideIsRefused(t *testing.T) {
	f := scanOne(t, pcitest.New(1, 2))
	for _, i := range []int{-1, 0, 5, 6, 7} {
		if _, err := f.Region(i); !errors.Is(err, pci.ErrBAR) {
			t.Errorf("Region(%d) says %v, want ErrBAR", i, err)
		}
	}
}

// TestEnablePlacesBARs has BARs without an address, and one that the processor does not reach.
func TestEnablePlacesBARs(t *testing.T) {
	other := pcitest.New(1, 1)
	other.AddBAR(0, 0xfd00_0000, mmio.NewFake(4096))
	f := pcitest.New(1, 2)
	f.AddBAR(0, 0, mmio.NewFake(4096))
	f.AddBAR(1, 0xfd01_0000, mmio.NewFake(256))
	f.AddBAR64(2, 0x80_0000_0000, mmio.NewFake(16384))
	bridge := pcitest.New(1, 3)
	bridge.Bytes[0x0e] = 1
	binary.LittleEndian.PutUint32(bridge.Bytes[0x20:], 0xfd10_fd00) // nothing below 2 MiB is free
	binary.LittleEndian.PutUint32(bridge.Bytes[0x24:], 0x0000_fff0) // passes on nothing
	bus := pcitest.Bus(map[pci.Address]*pcitest.Function{
		pci.NewAddress(0, 1, 0): other, pci.NewAddress(0, 2, 0): f, pci.NewAddress(0, 3, 0): bridge,
	})
	found := bus.Scan()
	if err := found[1].Enable(); err != nil {
		t.Fatal(err)
	}
	want := [6]pci.BAR{
		0: {Base: 0xfd20_0000, Size: 4096},
		1: {Base: 0xfd01_0000, Size: 256},
		2: {Base: 0xfd20_4000, Size: 16384, Wide: true},
	}
	if found[1].BARs != want {
		t.Errorf("BARs are %+v, want %+v", found[1].BARs, want)
	}
	for i := range 3 {
		regs, err := found[1].Region(i)
		if err != nil || regs != f.Memory[i] {
			t.Errorf("Region(%d) is not the memory of BAR %d: %v", i, i, err)
		}
	}
	if f.Command() != 6 {
		t.Errorf("the command register is %#x, want memory and bus mastering", f.Command())
	}
	if found[1].Disable(); f.Command()&4 != 0 {
		t.Error("bus mastering is still on after Disable")
	}
}

func TestEnableRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		at   pci.Address
		base uint64
		size uint32 // mask of the upper half
	}{
		{"too large for the window", pci.NewAddress(0, 2, 0), 0, 0xffff_ff00},
		{"behind a bridge", pci.NewAddress(1, 0, 0), 1 << 40, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := pcitest.New(1, 2)
			f.AddBAR64(0, tc.base, mmio.NewFake(4096))
			if tc.size != 0 {
				f.Writable[0], f.Writable[1] = 0, tc.size
			}
			bridge := pcitest.New(1, 3)
			bridge.Bytes[0x0e], bridge.Bytes[0x19], bridge.Bytes[0x1a] = 1, 1, 1
			bus := pcitest.Bus(map[pci.Address]*pcitest.Function{pci.NewAddress(0, 1, 0): bridge, tc.at: f})
			if err := bus.Scan()[0].Enable(); !errors.Is(err, pci.ErrBAR) {
				t.Errorf("Enable says %v, want ErrBAR", err)
			}
			if f.Command() != 0 {
				t.Errorf("the command register is %#x, want 0", f.Command())
			}
		})
	}
}

func TestECAMEndsWithItsBuses(t *testing.T) {
	var at uintptr
	config := pci.ECAM(func(base uintptr, size int) mmio.Region {
		at = base
		return mmio.NewFake(size)
	}, 0xb000_0000, 2)
	config(pci.NewAddress(1, 2, 3))
	if at != 0xb000_0000+1<<20+2<<15+3<<12 {
		t.Errorf("01:02.3 is at %#x", at)
	}
	if v := config(pci.NewAddress(2, 0, 0)).Read16(0); v != 0xffff {
		t.Errorf("a bus that the mapping does not hold reads %#x", v)
	}
}
