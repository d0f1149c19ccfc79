package boot

import (
	"encoding/binary"
	"slices"
)

// Signatures and offsets, ACPI 6.4 §5.2.5 to §5.2.12.
const (
	rsdpSignature = "RSD PTR "
	rsdpSize      = 20 // what its first checksum is over
	rsdpRSDT      = 16

	sdtHeader = 36
	sdtLength = 4
	sdtLimit  = 1 << 20 // no table that is read here is larger

	madtSignature = "APIC"
	madtEntries   = 44
	madtLocalAPIC = 0

	madtEnabled = 1 << 0
)

// Signatures and offsets, MultiProcessor Specification 1.4 §4.
const (
	mpSignature = "_MP_"
	mpSize      = 16
	mpTable     = 4

	mpTableSignature = "PCMP"
	mpTableHeader    = 44
	mpTableLength    = 4
	mpProcessor      = 0
	mpProcessorSize  = 20
	mpOtherSize      = 8

	mpEnabled = 1 << 0
)

// areas are where a PC's firmware leaves the root of its tables: in the last kilobyte of
// low RAM, or in its ROM.
var areas = [...]struct{ start, size uint64 }{{0x9_fc00, 0x400}, {0xe_0000, 0x2_0000}}

// Processors writes the local APIC numbers of the machine's processors that can be used into
// ids, each once, as far as there is room, and returns how many. It asks ACPI's MADT, by the root pointer at
// rsdp or, when that is 0, by looking for one, and without ACPI the MultiProcessor Specification's table;
// it returns 0 when there is neither.
//
// mem returns n bytes of physical memory at an address, or nil where there is none. Processors does not allocate.
func Processors(mem func(addr, n uint64) []byte, rsdp uint64, ids []uint32) int {
	if rsdp == 0 {
		rsdp = scan(mem, rsdpSignature, rsdpSize)
	}
	if n := acpiProcessors(mem, rsdp, ids); n != 0 {
		return n
	}
	return mpProcessors(mem, scan(mem, mpSignature, mpSize), ids)
}

// scan returns the address of a structure that begins with signature and whose bytes add
// up to 0, or 0.
func scan(mem func(addr, n uint64) []byte, signature string, size uint64) uint64 {
	for _, a := range areas {
		b := mem(a.start, a.size)
		for i := uint64(0); i+size <= uint64(len(b)); i += 16 {
			if s := b[i : i+size]; string(s[:len(signature)]) == signature && sum(s) == 0 {
				return a.start + i
			}
		}
	}
	return 0
}

// sum returns the sum of bytes, which is 0 for a table that is whole.
func sum(b []byte) (s byte) {
	for _, v := range b {
		s += v
	}
	return s
}

// acpiProcessors reads the MADT.
func acpiProcessors(mem func(addr, n uint64) []byte, rsdp uint64, ids []uint32) int {
	root := mem(rsdp, rsdpSize)
	if root == nil || string(root[:len(rsdpSignature)]) != rsdpSignature || sum(root) != 0 {
		return 0
	}
	rsdt := sdt(mem, uint64(binary.LittleEndian.Uint32(root[rsdpRSDT:])), "RSDT")
	for i := sdtHeader; i+4 <= len(rsdt); i += 4 {
		madt := sdt(mem, uint64(binary.LittleEndian.Uint32(rsdt[i:])), madtSignature)
		if madt == nil {
			continue
		}
		n := 0
		for b := madt[min(madtEntries, len(madt)):]; len(b) >= 8 && b[1] >= 2 && int(b[1]) <= len(b); b = b[b[1]:] {
			if b[0] == madtLocalAPIC && b[1] >= 8 && b[4]&madtEnabled != 0 {
				n = add(ids, n, b[3])
			}
		}
		return n
	}
	return 0
}

// sdt returns the table with that signature at an address, or nil.
func sdt(mem func(addr, n uint64) []byte, addr uint64, signature string) []byte {
	header := mem(addr, sdtHeader)
	if header == nil || string(header[:len(signature)]) != signature {
		return nil
	}
	n := binary.LittleEndian.Uint32(header[sdtLength:])
	if n < sdtHeader || n > sdtLimit {
		return nil
	}
	t := mem(addr, uint64(n))
	if t == nil || sum(t) != 0 {
		return nil
	}
	return t
}

// mpProcessors reads the configuration table that the floating pointer structure at an address names.
func mpProcessors(mem func(addr, n uint64) []byte, pointer uint64, ids []uint32) int {
	root := mem(pointer, mpSize)
	if root == nil {
		return 0
	}
	addr := uint64(binary.LittleEndian.Uint32(root[mpTable:]))
	header := mem(addr, mpTableHeader)
	if header == nil || string(header[:len(mpTableSignature)]) != mpTableSignature {
		return 0
	}
	t := mem(addr, uint64(binary.LittleEndian.Uint16(header[mpTableLength:])))
	if len(t) < mpTableHeader || sum(t) != 0 {
		return 0
	}
	n := 0
	for b := t[mpTableHeader:]; len(b) >= mpOtherSize; {
		size := mpOtherSize
		if b[0] == mpProcessor {
			if size = mpProcessorSize; len(b) < size {
				break
			}
			if b[3]&mpEnabled != 0 {
				n = add(ids, n, b[1])
			}
		}
		b = b[size:]
	}
	return n
}

// add adds an APIC number as the n-th, unless it is there already. 255 is the broadcast address.
func add(ids []uint32, n int, id byte) int {
	if n == len(ids) || id == 0xff || slices.Contains(ids[:n], uint32(id)) {
		return n
	}
	ids[n] = uint32(id)
	return n + 1
}
