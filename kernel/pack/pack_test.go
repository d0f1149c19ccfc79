package pack

import (
	"bytes"
	"compress/flate"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Whole kernels are packed and booted in qemu/e2e.

// segment is a part of an ELF file.
type segment struct {
	typ  elf.ProgType
	addr uint64
	data []byte
	zero uint64 // bytes of memory behind data
}

// makeELF returns an executable with these segments.
func makeELF(machine elf.Machine, segments ...segment) []byte {
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(segments))}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var head, body bytes.Buffer
	binary.Write(&head, binary.LittleEndian, h)
	off := uint64(64 + 56*len(segments))
	for _, s := range segments {
		n := uint64(len(s.data))
		binary.Write(&head, binary.LittleEndian, elf.Prog64{Type: uint32(s.typ), Off: off, Vaddr: s.addr, Paddr: s.addr, Filesz: n, Memsz: n + s.zero})
		body.Write(s.data)
		off += n
	}
	return append(head.Bytes(), body.Bytes()...)
}

// note and text make a kernel.
var (
	note = segment{elf.PT_NOTE, 0, pvhNote(0x20_1234), 0}
	text = segment{elf.PT_LOAD, 0x20_0000, bytes.Repeat([]byte("some code, "), 1000), 0}
)

// parse reads what makeELF or packWith made.
func parse(t *testing.T, b []byte) *elf.File {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// contents returns a segment's bytes.
func contents(t *testing.T, p *elf.Prog) []byte {
	t.Helper()
	b, err := io.ReadAll(p.Open())
	if err != nil || uint64(len(b)) != p.Filesz {
		t.Fatalf("segment at %#x: %d bytes, %v", p.Paddr, len(b), err)
	}
	return b
}

func TestPackedKernel(t *testing.T) {
	data := segment{elf.PT_LOAD, 0x20_4000, []byte("variables"), 100_000}
	code := []byte("the stub")
	packed, err := packWith(code, parse(t, makeELF(elf.EM_X86_64, note, text, data)))
	if err != nil {
		t.Fatal(err)
	}
	f := parse(t, packed)
	if len(f.Progs) != 3 {
		t.Fatalf("%d segments, want 3", len(f.Progs))
	}
	entry, err := pvhEntry(f)
	if err != nil {
		t.Fatal(err)
	}
	stub, payload := f.Progs[1], f.Progs[2]
	head, body := contents(t, stub), contents(t, payload)
	first := append(binary.LittleEndian.AppendUint32([]byte{0xbd}, uint32(stub.Paddr)), code...) // movl $…, %ebp
	if entry != stub.Paddr+codeOffset || !bytes.Equal(head[codeOffset:], first) {
		t.Errorf("entry point %#x, where %x is, want %x", entry, head[codeOffset:], first)
	}
	if kernelEnd := data.addr + uint64(len(data.data)) + data.zero; stub.Paddr < kernelEnd+slack || payload.Paddr < stub.Paddr+room {
		t.Errorf("the stub is at %#x and the payload at %#x, the kernel ends at %#x", stub.Paddr, payload.Paddr, kernelEnd)
	}

	word := func(b []byte, offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	if at, n, s := word(head, 0x30), word(head, 0x38), word(head, 0x40); at != payload.Paddr || n != payload.Filesz || s != sum(body) {
		t.Errorf("the stub is told of %d bytes at %#x with sum %#x; there are %d at %#x with %#x", n, at, s, payload.Filesz, payload.Paddr, sum(body))
	}
	if !bytes.HasPrefix(head[message:], []byte(damaged+"\x00")) {
		t.Errorf("the message is %q", head[message:codeOffset])
	}

	out, err := io.ReadAll(flate.NewReader(bytes.NewReader(body[56 : 56+word(body, 32)])))
	if err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Clone(text.data), make([]byte, data.addr-text.addr-uint64(len(text.data)))...)
	want = append(want, data.data...)
	if !bytes.Equal(out, want) || word(body, 8) != uint64(len(want)) {
		t.Errorf("unpacked %d bytes, said %d, want %d", len(out), word(body, 8), len(want))
	}
	if word(body, 0) != text.addr || word(body, 16) != uint64(len(want))+data.zero || word(body, 24) != 0x20_1234 {
		t.Errorf("goes to %#x with %d bytes of memory and entry point %#x", word(body, 0), word(body, 16), word(body, 24))
	}
}

func TestSumFindsDamage(t *testing.T) {
	b := bytes.Repeat([]byte("payload "), 20)
	whole := sum(b)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if sum(b) == whole {
				t.Errorf("bit %d of byte %d is not part of the sum", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func TestWhatCannotBePacked(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		kernel     []byte
	}{
		{"no ELF file", "no ELF file", []byte("#!/bin/sh\n")},
		{"of another processor", "EM_ARM", makeELF(elf.EM_ARM, note, text)},
		{"no Go program", "no Go program", makeELF(elf.EM_X86_64, note, text)},
	} {
		if _, err := Pack(tt.kernel); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want …%s…", tt.name, err, tt.want)
		}
	}
	for _, tt := range []struct {
		name, want string
		segments   []segment
	}{
		{"without a note", "no PVH note", []segment{text}},
		{"with nothing to load", "no segment", []segment{note}},
		{"too large", "that is no kernel", []segment{note, {elf.PT_LOAD, 0x20_0000, text.data, 2 << 30}}},
		{"up to the end of what is mapped", "ends at", []segment{note, {elf.PT_LOAD, 0x20_0000, text.data, 1<<30 - 0x20_0000 - 20_000}}},
		{"overlapping", "overlap", []segment{note, text, {elf.PT_LOAD, 0x20_0008, text.data, 0}}},
		{"backwards", "overlap", []segment{note, {elf.PT_LOAD, 0x80_0000, text.data, 0}, text}},
	} {
		_, err := packWith(nil, parse(t, makeELF(elf.EM_X86_64, tt.segments...)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want …%s…", tt.name, err, tt.want)
		}
	}
	huge := makeELF(elf.EM_X86_64, note, text)
	const fileSize = 64 + 32 // of the first segment, elf.Prog64
	binary.LittleEndian.PutUint64(huge[fileSize:], 1<<62)
	if _, err := packWith(nil, parse(t, huge)); err == nil || !strings.Contains(err.Error(), "no PVH note") {
		t.Errorf("with a note of 2^62 bytes: got %v", err)
	}
}

// TestConstantsAreTheStubs compares this package's constants with those that the stub is assembled with.
func TestConstantsAreTheStubs(t *testing.T) {
	header, err := os.ReadFile("../unpack/unpack.h")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define (\w+) (\w+)`).FindAllStringSubmatch(string(header), -1) {
		if have[m[1]], err = strconv.ParseUint(m[2], 0, 64); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]uint64{
		"MESSAGE": message, "CODE": codeOffset, "ROOM": room, "INFLATE_SLACK": slack, "SUM_FACTOR": sumFactor, "SUM_ROTATE": sumRotate,
		"GDT": 0, "GDTR": 0x20, "PAYLOAD": 0x30, "PAYLOAD_SIZE": 0x38, "PAYLOAD_SUM": 0x40,
		"OUT": 0, "OUT_SIZE": 8, "OUT_MEMORY": 16, "ENTRY": 24, "STREAM_SIZE": 32, "CODE_START": 40, "CODE_END": 48, "STREAM": 56,
	} {
		if have[name] != want {
			t.Errorf("%s is %#x in unpack.h, %#x here", name, have[name], want)
		}
	}
}

func TestReferencesAreMadeAlike(t *testing.T) {
	for _, tt := range []struct{ name, code, want string }{
		{"calls of one function", "\x90\xe8\x10\x00\x00\x00\xe8\x0b\x00\x00\x00", "\x90\xe8\x11\x00\x00\x00\xe8\x11\x00\x00\x00"},
		{"what only looks like a call", "\x90\xe8\xe8\xff\xff\xff\x90", "\x90\xe8\xe9\xff\xff\xff\x90"},
		{"a call that is not whole", "\x90\xe8\x01\x02\x03", "\x90\xe8\x01\x02\x03"},
		{"LEA and MOV of one variable", "\x48\x8d\x05\x10\x00\x00\x00\x48\x8b\x0d\x09\x00\x00\x00", "\x48\x8d\x05\x12\x00\x00\x00\x48\x8b\x0d\x12\x00\x00\x00"},
		{"CMPL of a variable", "\x83\x3d\x10\x00\x00\x00\x00", "\x83\x3d\x11\x00\x00\x00\x00"},
		{"operands relative to another register", "\x48\x8d\x80\x10\x00\x00\x00", "\x48\x8d\x80\x10\x00\x00\x00"},
		{"ADDL of a constant", "\x90\x05\x10\x00\x00\x00", "\x90\x05\x10\x00\x00\x00"},
		{"a backward one", "\x48\x8d\x05\xf0\xff\xff\xff", "\x48\x8d\x05\xf2\xff\xff\xff"},
		{"nothing", "", ""},
	} {
		code := []byte(tt.code)
		if relate(code); string(code) != tt.want {
			t.Errorf("%s: got %x, want %x", tt.name, code, tt.want)
		}
	}
}
