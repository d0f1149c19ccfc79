package pci

import (
	"fmt"
	"math"

	"github.com/tamanet/tamanet/drivers/mmio"
)

// Bits of a base address register, PCI 3.0 §6.2.5.1.
const (
	barIO      = 1 << 0
	barType    = 3 << 1
	barType64  = 2 << 1
	barMemMask = ^uint32(0xf)
)

// BAR is a base address register of memory. The zero BAR is none.
type BAR struct {
	// Base is where it is, 0 when it has no place.
	Base uint64
	// Size is its length in bytes, a power of two of at least 16.
	Size uint64
	// Wide says that it takes two registers, for an address of 64 bits.
	Wide bool
}

// size fills in f.BARs: what stays 0 of a register that was set to all ones tells
// the size. The function does not answer at those addresses meanwhile.
func (f *Function) size() {
	command := f.cfg.Read16(regCommand)
	f.cfg.Write16(regCommand, command&^(commandIO|commandMemory))
	for i := 0; i < len(f.BARs); i++ {
		bar, registers := f.sizeBAR(i)
		f.BARs[i] = bar
		i += registers - 1
	}
	f.cfg.Write16(regCommand, command)
}

// sizeBAR returns a BAR, and how many registers it takes. One of I/O ports, or with
// a size that is no power of two, is none.
func (f *Function) sizeBAR(i int) (b BAR, registers int) {
	reg := regBAR + 4*mmio.Offset(i)
	low := f.cfg.Read32(reg)
	wide := low&(barIO|barType) == barType64
	if low&barIO != 0 || wide && i == len(f.BARs)-1 {
		return BAR{}, 1
	}
	mask := math.MaxUint32<<32 | uint64(f.probe(reg)&barMemMask)
	base := uint64(low & barMemMask)
	registers = 1
	if wide {
		registers = 2
		base |= uint64(f.cfg.Read32(reg+4)) << 32
		mask = uint64(f.probe(reg+4))<<32 | mask&math.MaxUint32
	}
	size := -mask
	// Each bit from the size's on is writable, and none below.
	if size == 0 || size&(size-1) != 0 || !wide && mask == math.MaxUint32<<32 {
		return BAR{}, registers
	}
	if base&(size-1) != 0 || base+size < base {
		base = 0
	}
	return BAR{Base: base, Size: size, Wide: wide}, registers
}

// probe returns what a register keeps of all ones, and restores it.
func (f *Function) probe(reg mmio.Offset) uint32 {
	was := f.cfg.Read32(reg)
	f.cfg.Write32(reg, math.MaxUint32)
	kept := f.cfg.Read32(reg)
	f.cfg.Write32(reg, was)
	return kept
}

// Region opens the memory of BAR i. The function answers there once Enable
// returned nil. The error wraps ErrBAR.
func (f *Function) Region(i int) (mmio.Region, error) {
	if i < 0 || i >= len(f.BARs) || f.BARs[i].Size == 0 {
		return nil, fmt.Errorf("%w: %v has no memory at BAR %d", ErrBAR, f, i)
	}
	b := f.BARs[i]
	if !f.bus.reaches(b) {
		return nil, fmt.Errorf("%w: BAR %d of %v, %#x bytes at %#x, is not within reach", ErrBAR, i, f, b.Size, b.Base)
	}
	return f.bus.Memory(uintptr(b.Base), int(b.Size)), nil
}

// reaches reports whether a BAR lies within the bus's window.
func (b *Bus) reaches(bar BAR) bool {
	return bar.Base != 0 && bar.Base >= b.Window.Start && bar.Base < b.Window.End && bar.Size <= b.Window.End-bar.Base
}

// assign gives a place to each BAR that is not within reach.
func (f *Function) assign() error {
	for i, bar := range f.BARs {
		if bar.Size == 0 || f.bus.reaches(bar) {
			continue
		}
		if f.Address.Bus() != 0 {
			return fmt.Errorf("%w: BAR %d, %#x bytes at %#x, is not within reach and is behind a bridge", ErrBAR, i, bar.Size, bar.Base)
		}
		base, ok := f.bus.place(bar.Size)
		if !ok {
			return fmt.Errorf("%w: there is no room for BAR %d of %#x bytes in %#x to %#x", ErrBAR, i, bar.Size, f.bus.Window.Start, f.bus.Window.End)
		}
		f.move(i, base)
	}
	return nil
}

// move sets a BAR, while the function does not answer.
func (f *Function) move(i int, base uint64) {
	reg := regBAR + 4*mmio.Offset(i)
	f.command(0, commandMemory)
	f.cfg.Write32(reg, uint32(base))
	if f.BARs[i].Wide {
		f.cfg.Write32(reg+4, uint32(base>>32))
	}
	f.BARs[i].Base = base
}

// place returns the lowest address in the window where size bytes, a power of
// two, are free of every BAR and of what bridges pass on.
func (b *Bus) place(size uint64) (base uint64, ok bool) {
	at := alignUp(b.Window.Start, size)
	for {
		if at < b.Window.Start || at >= b.Window.End || size > b.Window.End-at {
			return 0, false
		}
		end, taken := b.taken(Window{at, at + size})
		if !taken {
			return at, true
		}
		// Ends are beyond at, so the search ends.
		at = alignUp(end, size)
	}
}

// alignUp returns the first multiple of size, a power of two, from v on; 0 when there is none.
func alignUp(v, size uint64) uint64 { return (v + size - 1) &^ (size - 1) }

// taken reports whether something is in w, and the end of the first that is.
func (b *Bus) taken(w Window) (end uint64, taken bool) {
	for _, f := range b.functions {
		for _, bar := range f.BARs {
			if bar.Size != 0 && bar.Base != 0 && bar.Base < w.End && w.Start < bar.Base+bar.Size {
				return bar.Base + bar.Size, true
			}
		}
	}
	for _, bridge := range b.bridges {
		if bridge.Start < w.End && w.Start < bridge.End {
			return bridge.End, true
		}
	}
	return 0, false
}
