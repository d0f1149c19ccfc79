package boot

import "encoding/binary"

// StartInfoSize and MemmapEntrySize are the sizes in bytes of hvm_start_info
// and of one entry of its memory map (Xen
// include/public/arch-x86/hvm/start_info.h).
const (
	StartInfoSize   = 56
	MemmapEntrySize = 24
)

const startInfoMagic = 0x336ec578

// MemmapRAM is the type of a memory map entry that is usable RAM, the same as
// in a PC's E820 map.
const MemmapRAM = 1

// StartInfo is what a PVH boot loader says, as far as it is used here.
type StartInfo struct {
	Version uint32 // of the structure; 1 brought the memory map
	RSDP    uint64 // address of the ACPI root pointer, 0 without ACPI
}

// MemmapEntry is one range of the memory map.
type MemmapEntry struct {
	Start uint64 // physical address
	Size  uint64 // bytes
	Type  uint32 // [MemmapRAM], or an E820 type that is not RAM
}

// ParseStartInfo reads an hvm_start_info. It returns the zero StartInfo
// when b is too short or does not begin with the magic number.
func ParseStartInfo(b []byte) StartInfo {
	if len(b) < StartInfoSize || binary.LittleEndian.Uint32(b) != startInfoMagic {
		return StartInfo{}
	}
	return StartInfo{
		Version: binary.LittleEndian.Uint32(b[4:]),
		RSDP:    binary.LittleEndian.Uint64(b[32:]),
	}
}

// ParseMemmap reads the entries of a memory map. Entries that are empty or
// wrap around the address space are left out, and so is an incomplete last one.
func ParseMemmap(b []byte) []MemmapEntry {
	var m []MemmapEntry
	for ; len(b) >= MemmapEntrySize; b = b[MemmapEntrySize:] {
		e := MemmapEntry{
			Start: binary.LittleEndian.Uint64(b),
			Size:  binary.LittleEndian.Uint64(b[8:]),
			Type:  binary.LittleEndian.Uint32(b[16:]),
		}
		if e.Size == 0 || e.Start+e.Size < e.Start {
			continue
		}
		m = append(m, e)
	}
	return m
}

// RAM returns the bytes of RAM in a memory map.
func RAM(m []MemmapEntry) uint64 {
	var sum uint64
	for _, e := range m {
		if e.Type == MemmapRAM {
			sum += e.Size
		}
	}
	return sum
}
