// Package pack compresses kernels of 64-bit x86 boards. What comes out is a kernel too, for the same loaders: one that
// begins with the stub of package unpack, which restores the first one in memory and enters it. It is what a bzImage
// is to Linux.
//
// The format is DEFLATE, of package deflate. Of a kernel of 11.2 MB, which QEMU boots in 19 million instructions, it leaves 3.65 MB,
// of which all references to one thing are made alike first, and adds 96 million. It was 4.15 MB and 107 million by compress/flate, and
// 4.3 MB without that; LZ4 left 4.8 MB, zstd 3.5 and LZMA 3.2.
//
// A damaged payload is found before anything of it is used, by a sum that any damage within 8 bytes changes, and any
// other but for one in 2^64. The stub itself and the ELF header, some 2 KB, are not covered.
//
// The kernel needs no more memory than without it, but for its compressed form while it boots: the heap begins at the kernel's end and
// clears what it takes.
package pack

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/tamanet/tamanet/kernel/deflate"
)

// What package unpack's unpack.h says.
const (
	codeOffset   = 0x100
	message      = 0x80
	stubEnd      = 0x2000  // from its base: page tables follow
	room         = 0x10000 // from its base, for all that the stub needs
	slack        = 16384   // behind the kernel's memory, which is written meanwhile
	sumFactor    = 0x9e3779b97f4a7c15
	sumRotate    = 29
	stubFunction = "github.com/tamanet/tamanet/kernel/unpack.stub"
)

// damaged is printed by the stub.
const damaged = "tamanet: the packed kernel is damaged, its sum is wrong: build or copy it again\n"

// maxEnd is the end of what the stub maps.
const maxEnd = 1 << 30

const (
	pageSize   = 4096
	inputSlack = 16 // behind the stream, which is read

	noteType = 18 // XEN_ELFNOTE_PHYS32_ENTRY, Xen include/public/elfnote.h
)

// Pack returns the packed form of a kernel, an ELF file as the linker makes it for a board. The errors are of what is
// no such file, of a kernel that is too large, and of one without the stub.
func Pack(kernel []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(kernel))
	if err != nil {
		return nil, fmt.Errorf("pack: the kernel is no ELF file: %w", err)
	}
	defer f.Close()
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 || f.Type != elf.ET_EXEC {
		return nil, fmt.Errorf("pack: the kernel is %v, %v, %v; only 64-bit x86 executables can be packed", f.Class, f.Machine, f.Type)
	}
	code, err := stub(f)
	if err != nil {
		return nil, err
	}
	return packWith(code, f)
}

// packWith packs a kernel with the stub's code given.
func packWith(code []byte, f *elf.File) ([]byte, error) {
	entry, err := pvhEntry(f)
	if err != nil {
		return nil, err
	}
	m, err := load(f)
	if err != nil {
		return nil, err
	}
	payload := m.payload(entry)
	base := (m.start + m.size + slack + pageSize - 1) &^ (pageSize - 1)
	if base+room+uint64(len(payload)) > maxEnd {
		return nil, fmt.Errorf("pack: the kernel ends at %#x; it has to fit below %#x with what is packed behind it", m.start+m.size, maxEnd)
	}
	return image(code, payload, base), nil
}

// pvhEntry returns the entry point of the kernel's PVH note.
func pvhEntry(f *elf.File) (uint64, error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz != uint64(len(pvhNote(0))) {
			continue
		}
		note := make([]byte, p.Filesz)
		if _, err := p.ReadAt(note, 0); err != nil {
			return 0, fmt.Errorf("pack: reading the kernel's notes: %w", err)
		}
		if bytes.Equal(note[:16], pvhNote(0)[:16]) {
			return binary.LittleEndian.Uint64(note[16:]), nil
		}
	}
	return 0, errors.New("pack: the kernel has no PVH note, so no entry point that is known")
}

// pvhNote returns an ELF note that tells a PVH loader the entry point.
func pvhNote(entry uint64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 4)
	b = binary.LittleEndian.AppendUint32(b, 8)
	b = binary.LittleEndian.AppendUint32(b, noteType)
	b = append(b, "Xen\x00"...)
	return binary.LittleEndian.AppendUint64(b, entry)
}

// stub returns the code of package unpack's stub, by the table of functions that every Go program has.
func stub(f *elf.File) ([]byte, error) {
	text, table := f.Section(".text"), f.Section(".gopclntab")
	if text == nil || table == nil {
		return nil, errors.New("pack: the kernel has no .text or no .gopclntab: it is no Go program")
	}
	data, err := table.Data()
	if err != nil {
		return nil, fmt.Errorf("pack: reading the kernel's table of functions: %w", err)
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return nil, fmt.Errorf("pack: reading the kernel's table of functions: %w", err)
	}
	fn := symbols.LookupFunc(stubFunction)
	if fn == nil {
		return nil, fmt.Errorf("pack: the kernel has no function %s", stubFunction)
	}
	// An end before the entry is as wrong as one that is far away.
	size, have := fn.End-fn.Entry, uint64(stubEnd-codeOffset-len(setBase(0)))
	if size > have {
		return nil, fmt.Errorf("pack: %s is from %#x to %#x; there is room for %d bytes", stubFunction, fn.Entry, fn.End, have)
	}
	code := make([]byte, size)
	if _, err := text.ReadAt(code, int64(fn.Entry-text.Addr)); err != nil {
		return nil, fmt.Errorf("pack: reading %s: %w", stubFunction, err)
	}
	return code, nil
}

// memory is what a loader makes of a kernel's segments.
type memory struct {
	start uint64 // physical address
	data  []byte
	size  uint64 // in bytes, with what begins as zeros behind data

	code, codeEnd uint64 // offsets in data of what is executable
}

// load loads the kernel.
func load(f *elf.File) (m memory, err error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Memsz == 0 {
			continue
		}
		if m.size == 0 {
			m.start = p.Paddr
		}
		offset := p.Paddr - m.start
		switch {
		case p.Paddr < m.start || offset < m.size:
			return m, errors.New("pack: the kernel's segments overlap, or do not stand in the order of their addresses")
		case p.Filesz > p.Memsz || p.Memsz > maxEnd || offset > maxEnd:
			return m, fmt.Errorf("pack: a segment at %#x has %d bytes; that is no kernel", p.Paddr, p.Memsz)
		}
		m.data = append(m.data, make([]byte, offset-uint64(len(m.data)))...)
		part := make([]byte, p.Filesz)
		if _, err := p.ReadAt(part, 0); err != nil && err != io.EOF {
			return m, fmt.Errorf("pack: reading the segment at %#x: %w", p.Paddr, err)
		}
		m.data = append(m.data, part...)
		if p.Flags&elf.PF_X != 0 && m.codeEnd == 0 {
			m.code, m.codeEnd = offset, offset+p.Filesz
		}
		m.size = offset + p.Memsz
	}
	if m.size == 0 {
		return m, errors.New("pack: the kernel has no segment to load")
	}
	return m, nil
}

// payload returns what the stub unpacks. It changes m's data.
func (m *memory) payload(entry uint64) []byte {
	relate(m.data[m.code:m.codeEnd])
	stream := deflate.Compress(m.data)
	var b []byte
	for _, v := range []uint64{m.start, uint64(len(m.data)), m.size, entry, uint64(len(stream)), m.start + m.code, m.start + m.codeEnd} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, stream...)
	return append(b, make([]byte, inputSlack+-len(b)&7)...)
}

// relate adds to the distance of each instruction that refers to something by its distance, a call or one with an operand
// relative to RIP, its offset in the code: all that refer to one thing look alike then. What only looks like such an
// instruction is changed as well, and back again by the stub; see kernel/unpack/related_amd64.h.
func relate(code []byte) {
	const size = 5 // of a call; of others, from the ModRM byte on
	for i := 1; i+size <= len(code); i++ {
		if code[i] == 0xe8 || code[i]&0xc7 == 0x05 && code[i-1]&0xf0 == 0x80 {
			distance := code[i+1 : i+size]
			binary.LittleEndian.PutUint32(distance, binary.LittleEndian.Uint32(distance)+uint32(i))
			i += size - 1
		}
	}
}

// sum returns the sum of a payload, whose length is a multiple of 8.
func sum(payload []byte) (s uint64) {
	for ; len(payload) > 0; payload = payload[8:] {
		s = bits.RotateLeft64((s^binary.LittleEndian.Uint64(payload))*sumFactor, sumRotate)
	}
	return s
}

// setBase returns the instruction with which the stub is told its base: MOVL of a constant to BP.
func setBase(base uint64) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0xbd}, uint32(base))
}

// image returns the ELF file of the stub's code, which is loaded from base on, and a payload behind it.
func image(code, payload []byte, base uint64) []byte {
	at := base + room
	head := make([]byte, codeOffset)
	for i, v := range []uint64{
		0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff, // null, 64-bit code, data, 32-bit code
		4*8 - 1 | base<<16, 0, // LGDT's limit of 2 bytes and base of 8
		at, uint64(len(payload)), sum(payload),
	} {
		binary.LittleEndian.PutUint64(head[8*i:], v)
	}
	copy(head[message:], damaged)
	first := append(append(head, setBase(base)...), code...)

	const segments = 3
	note := pvhNote(base + codeOffset)
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Entry: base + codeOffset, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: segments, Shentsize: 64,
	}
	var b bytes.Buffer
	offset := uint64(header.Phoff) + segments*uint64(header.Phentsize)
	progs := []elf.Prog64{
		{Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R), Align: 4},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X), Vaddr: base, Paddr: base, Align: 1},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Vaddr: at, Paddr: at, Align: 1},
	}
	for i, part := range [][]byte{note, first, payload} {
		progs[i].Off, progs[i].Filesz, progs[i].Memsz = offset, uint64(len(part)), uint64(len(part))
		offset += uint64(len(part))
	}
	// A bytes.Buffer takes everything.
	binary.Write(&b, binary.LittleEndian, header)
	binary.Write(&b, binary.LittleEndian, progs)
	for _, part := range [][]byte{note, first, payload} {
		b.Write(part)
	}
	return b.Bytes()
}
