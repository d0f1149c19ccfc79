package imx

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

// segment is a loadable part of an ELF file.
type segment struct {
	addr uint32
	data []byte
	typ  elf.ProgType
}

// makeELF returns a file with these segments.
func makeELF(machine elf.Machine, entry uint32, segments ...segment) []byte {
	h := elf.Header32{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: entry, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: uint16(len(segments))}
	copy(h.Ident[:], "\x7fELF\x01\x01\x01")
	var head, body bytes.Buffer
	binary.Write(&head, binary.LittleEndian, h)
	off := uint32(52 + 32*len(segments))
	for _, s := range segments {
		n := uint32(len(s.data))
		binary.Write(&head, binary.LittleEndian, elf.Prog32{Type: uint32(s.typ), Off: off, Vaddr: s.addr, Paddr: s.addr, Filesz: n, Memsz: n + 100})
		body.Write(s.data)
		off += n
	}
	return append(head.Bytes(), body.Bytes()...)
}

func TestFromELF(t *testing.T) {
	text, data := noise(200), noise(50)
	file := makeELF(elf.EM_ARM, 0x80010010,
		segment{0x8000ff80, []byte("a note of the linker"), elf.PT_NOTE},
		segment{0x8000fff0, append(bytes.Repeat([]byte{0xee}, 16), text...), elf.PT_LOAD}, // headers ahead of the text
		segment{0x80010200, data, elf.PT_LOAD},
		segment{0x80010400, nil, elf.PT_LOAD}) // .bss alone
	i, err := FromELF(bytes.NewReader(file), 0x80010000)
	if err != nil {
		t.Fatal(err)
	}
	want := append(append(append([]byte(nil), text...), make([]byte, 0x200-200)...), data...)
	want = append(want, make([]byte, 0x400+100-len(want))...) // zeros up to the end of .bss
	if i.Entry != 0x80010010 || i.Load != 0x80010000 || !bytes.Equal(i.Kernel, want) {
		t.Errorf("entry %#x, load %#x, %d bytes, want %d", i.Entry, i.Load, len(i.Kernel), len(want))
	}
}

func TestFromELFRefuses(t *testing.T) {
	at := segment{0x80010000, noise(100), elf.PT_LOAD}
	for _, tc := range []struct {
		name, want string
		file       []byte
	}{
		{"no ELF", "reading the kernel", []byte("#!/bin/sh")},
		{"another processor", "want a program for 32-bit arm", makeELF(elf.EM_386, 0x80010000, at)},
		{"nothing to load", "no kernel", makeELF(elf.EM_ARM, 0x80010000)},
		{"entry outside", "entry is", makeELF(elf.EM_ARM, 0x80000000, at)},
		{"far away", "no kernel of 512 MiB", makeELF(elf.EM_ARM, 0x80010000, at, segment{0xf0000000, noise(4), elf.PT_LOAD})},
		{"truncated", "reading the kernel's segment", makeELF(elf.EM_ARM, 0x80010000, at)[:100]},
	} {
		if _, err := FromELF(bytes.NewReader(tc.file), 0x80010000); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}
