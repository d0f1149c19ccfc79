package imx

import (
	"debug/elf"
	"fmt"
	"io"
)

// maxKernel bounds what a file can make us allocate, in bytes.
const maxKernel = 512 << 20

// FromELF returns the image of a kernel that the linker has made, without a DCD: its loadable
// segments from load on, in one piece. Variables that begin as zero are in it, since memory is not
// zero when a board is switched on. What lies below load are the ELF headers, which
// nobody needs. The error says what in the file cannot be used, or wraps ErrImage.
func FromELF(r io.ReaderAt, load uint32) (*Image, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("imx: reading the kernel: %w", err)
	}
	if f.Machine != elf.EM_ARM || f.Class != elf.ELFCLASS32 || f.Type != elf.ET_EXEC {
		return nil, fmt.Errorf("imx: the kernel is %v %v %v, want a program for 32-bit arm", f.Class, f.Machine, f.Type)
	}
	i := &Image{Load: load, Entry: uint32(f.Entry)}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Memsz == 0 || p.Paddr+p.Memsz <= uint64(load) {
			continue
		}
		end := p.Paddr + p.Memsz - uint64(load)
		if end > maxKernel || p.Memsz > maxKernel || p.Filesz > p.Memsz {
			return nil, fmt.Errorf("imx: the kernel's segment at %#x has %d bytes, %d in the file: no kernel of %d MiB is loaded at %#x",
				p.Paddr, p.Memsz, p.Filesz, maxKernel>>20, load)
		}
		if uint64(len(i.Kernel)) < end {
			i.Kernel = append(i.Kernel, make([]byte, end-uint64(len(i.Kernel)))...)
		}
		skip := uint64(0)
		if p.Paddr < uint64(load) {
			skip = min(uint64(load)-p.Paddr, p.Filesz)
		}
		at := p.Paddr + skip - uint64(load)
		if _, err := p.ReadAt(i.Kernel[at:at+p.Filesz-skip], int64(skip)); err != nil && p.Filesz > skip {
			return nil, fmt.Errorf("imx: reading the kernel's segment at %#x: %w", p.Paddr, err)
		}
	}
	return i, i.check()
}
