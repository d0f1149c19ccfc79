// Package pcitest is a PCI bus in Go for tests of drivers on a host: functions
// with a configuration space that behaves as PCI 3.0 §6 says, and the memory
// behind their base address registers.
package pcitest

import (
	"encoding/binary"
	"fmt"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/pci"
)

// Function is a fake function. Its configuration space is in Bytes; the registers that
// are not those of the header's command and BARs are plain memory.
type Function struct {
	// Bytes is the configuration space.
	Bytes [pci.ConfigSize]byte
	// Writable are the bits of the BAR registers that can be set: ^(size-1) for a
	// BAR of size bytes.
	Writable [6]uint32
	// Memory is what is behind each BAR.
	Memory [6]mmio.Region

	end  int // of the capabilities
	last int // where the last one has its link
}

// New returns a function of a vendor and device without BARs and capabilities.
func New(vendor, device uint16) *Function {
	f := &Function{end: 0x40, last: 0x34}
	binary.LittleEndian.PutUint16(f.Bytes[0x00:], vendor)
	binary.LittleEndian.PutUint16(f.Bytes[0x02:], device)
	return f
}

// AddBAR makes BAR i one of 32 bits with regs behind it, whose size is a power of two.
func (f *Function) AddBAR(i int, base uint32, regs mmio.Region) {
	f.Writable[i], f.Memory[i] = uint32(-regs.Size()), regs
	binary.LittleEndian.PutUint32(f.Bytes[0x10+4*i:], base)
}

// AddBAR64 makes BARs i and i+1 one of 64 bits.
func (f *Function) AddBAR64(i int, base uint64, regs mmio.Region) {
	f.Writable[i], f.Writable[i+1], f.Memory[i] = uint32(-regs.Size()), ^uint32(0), regs
	binary.LittleEndian.PutUint64(f.Bytes[0x10+4*i:], base|4)
}

// AddCapability appends a capability with what follows on its ID and link. It returns where it is.
func (f *Function) AddCapability(id pci.CapabilityID, body []byte) int {
	at := f.end
	f.Bytes[6] |= 1 << 4
	f.Bytes[f.last] = byte(at)
	f.Bytes[at] = byte(id)
	copy(f.Bytes[at+2:], body)
	f.last, f.end = at+1, (at+2+len(body)+3)&^3
	return at
}

// AddMSIX appends the MSI-X capability for a table of n entries at an offset of a
// BAR, with the pending bits behind it. It returns where it is.
func (f *Function) AddMSIX(n, bar int, off uint32) int {
	body := binary.LittleEndian.AppendUint16(nil, uint16(n-1))
	body = binary.LittleEndian.AppendUint32(body, off|uint32(bar))
	body = binary.LittleEndian.AppendUint32(body, off+16*uint32(n)|uint32(bar))
	return f.AddCapability(pci.CapabilityMSIX, body)
}

// Command is the command register.
func (f *Function) Command() uint16 { return binary.LittleEndian.Uint16(f.Bytes[4:]) }

// base returns where BAR i is, and whether the function answers there.
func (f *Function) base(i int) (at uint64, ok bool) {
	low := binary.LittleEndian.Uint32(f.Bytes[0x10+4*i:])
	at = uint64(low &^ 0xf)
	if low&6 == 4 && i < 5 {
		at |= uint64(binary.LittleEndian.Uint32(f.Bytes[0x14+4*i:])) << 32
	}
	return at, f.Memory[i] != nil && f.Command()&2 != 0
}

// config is a function's configuration space as registers.
type config struct {
	*mmio.Fake
}

func newConfig(f *Function) config {
	c := config{mmio.NewFake(pci.ConfigSize)}
	c.OnRead = func(off mmio.Offset, width int, _ uint64) (v uint64) {
		for i := width - 1; i >= 0; i-- {
			v = v<<8 | uint64(f.Bytes[int(off)+i])
		}
		return v
	}
	c.OnWrite = func(off mmio.Offset, width int, v uint64) uint64 {
		f.write(int(off), width, v)
		return v
	}
	return c
}

// write takes a register write: identification and class cannot be changed, and of a BAR only what is Writable.
func (f *Function) write(off, width int, v uint64) {
	for i := range width {
		at, b := off+i, byte(v>>(8*i))
		keep := byte(0)
		switch {
		case at < 4 || at >= 8 && at < 0x10:
			keep = 0xff
		case at >= 0x10 && at < 0x28 && f.Bytes[0x0e]&0x7f == 0:
			keep = ^byte(f.Writable[(at-0x10)/4] >> (8 * (at & 3)))
		}
		f.Bytes[at] = f.Bytes[at]&keep | b&^keep
	}
}

// Bus returns a bus with those functions, whose window is 16 MiB from 0xfd000000 on.
func Bus(functions map[pci.Address]*Function) *pci.Bus {
	empty := &Function{}
	for i := range empty.Bytes {
		empty.Bytes[i] = 0xff
	}
	return &pci.Bus{
		Config: func(a pci.Address) mmio.Region {
			if f := functions[a]; f != nil {
				return newConfig(f)
			}
			return newConfig(empty)
		},
		Memory: func(base uintptr, size int) mmio.Region {
			for _, f := range functions {
				for i, regs := range f.Memory {
					if at, ok := f.base(i); ok && at == uint64(base) && regs.Size() == size {
						return regs
					}
				}
			}
			panic(fmt.Sprintf("pcitest: nothing answers at %#x with %#x bytes", base, size))
		},
		Window: pci.Window{Start: 0xfd00_0000, End: 0xfe00_0000},
	}
}
