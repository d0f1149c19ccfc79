package qemu

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// program assembles a few 32-bit instructions. PVH starts a kernel in protected mode with flat segments and
// interrupts off, so I/O ports are all that a test kernel needs.
type program []byte

// print sends text to COM1.
func (p program) print(text string) program {
	p = append(p, 0x66, 0xba, 0xf8, 0x03) // mov dx, 0x3f8
	for _, c := range []byte(text) {
		p = append(p, 0xb0, c, 0xee) // mov al, c; out dx, al
	}
	return p
}

// exit ends QEMU through isa-debug-exit.
func (p program) exit(code byte) program {
	return append(p, 0x66, 0xba, 0xf4, 0x00, 0xb0, code, 0xee) // mov dx, 0xf4; mov al, code; out dx, al
}

// halt stops the CPU for good: cli; hlt; jmp to the hlt.
func (p program) halt() program { return append(p, 0xfa, 0xf4, 0xeb, 0xfd) }

// fault loads an empty interrupt table and traps, which is a triple fault.
func (p program) fault() program {
	p = append(p, 0x6a, 0x00, 0x6a, 0x00)          // push 0; push 0
	return append(p, 0x0f, 0x01, 0x1c, 0x24, 0xcc) // lidt [esp]; int3
}

// stack makes the push of fault possible: mov esp, 0x90000.
func (p program) stack() program { return append(p, 0xbc, 0x00, 0x00, 0x09, 0x00) }

// write makes p a kernel that QEMU boots by PVH: an ELF with one loaded segment and a Xen note of type 18
// (XEN_ELFNOTE_PHYS32_ENTRY) that holds the entry.
func (p program) write(t *testing.T) string {
	t.Helper()
	const base, headers, noteSize = 0x100000, 64 + 2*56, 12 + 4 + 8
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	size := uint64(headers + noteSize + len(p))
	entry := uint64(base + headers + noteSize)
	put(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: entry,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 7, Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000})
	put(elf.Prog64{Type: uint32(elf.PT_NOTE), Off: headers, Vaddr: base + headers, Paddr: base + headers,
		Filesz: noteSize, Memsz: noteSize, Align: 4})
	put([3]uint32{4, 8, 18})
	put([4]byte{'X', 'e', 'n', 0})
	put(entry)
	b.Write(p)
	path := filepath.Join(t.TempDir(), "kernel.elf")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
