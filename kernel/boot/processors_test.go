package boot

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"
)

// physical is memory of a made-up machine: the first megabyte.
type physical []byte

func newPhysical() physical { return make(physical, 1<<20) }

func (p physical) mem(addr, n uint64) []byte {
	if addr == 0 || addr > uint64(len(p)) || n > uint64(len(p))-addr {
		return nil
	}
	return p[addr : addr+n]
}

// whole makes the bytes of a table add up to 0, by the byte at i.
func whole(table []byte, i int) []byte {
	table[i] -= sum(table)
	return table
}

// newSDT returns an ACPI table.
func newSDT(signature string, body []byte) []byte {
	t := make([]byte, sdtHeader, sdtHeader+len(body))
	copy(t, signature)
	t = append(t, body...)
	binary.LittleEndian.PutUint32(t[sdtLength:], uint32(len(t)))
	return whole(t, 9)
}

// newRSDP returns a root pointer to an RSDT.
func newRSDP(rsdt uint32) []byte {
	t := make([]byte, rsdpSize)
	copy(t, rsdpSignature)
	binary.LittleEndian.PutUint32(t[rsdpRSDT:], rsdt)
	return whole(t, 8)
}

// madt is a MADT with the entries of a PC that has processors 0, 1, a disabled 2, and 5.
var madt = newSDT(madtSignature, []byte{
	0, 0, 0xe0, 0xfe, 1, 0, 0, 0, // local APIC's address, flags
	0, 8, 0, 0, 1, 0, 0, 0,
	1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, // I/O APIC
	0, 8, 1, 1, 1, 0, 0, 0,
	0, 8, 2, 2, 0, 0, 0, 0,
	0, 8, 3, 5, 1, 0, 0, 0,
	4, 6, 0xff, 0, 0, 1, // NMI
})

// withACPI returns memory with a MADT behind another table.
func withACPI(madt []byte) physical {
	p := newPhysical()
	copy(p[0xf_0010:], newRSDP(0x1000))
	copy(p[0x1000:], newSDT("RSDT", binary.LittleEndian.AppendUint32(
		binary.LittleEndian.AppendUint32(nil, 0x2000), 0x3000)))
	copy(p[0x2000:], newSDT("FACP", nil))
	copy(p[0x3000:], madt)
	return p
}

// withMP returns memory with a MultiProcessor table of processors 0, a disabled 1, and 4.
func withMP() physical {
	p := newPhysical()
	root := make([]byte, mpSize)
	copy(root, mpSignature)
	root[mpTable+1] = 0x40
	copy(p[0x9_fc20:], whole(root, 10))

	t := make([]byte, mpTableHeader)
	copy(t, mpTableSignature)
	t = append(t, append([]byte{0, 0, 0x14, 3}, make([]byte, 16)...)...)
	t = append(t, append([]byte{0, 1, 0x14, 0}, make([]byte, 16)...)...)
	t = append(t, 1, 0, 'I', 'S', 'A', ' ', ' ', ' ') // bus
	t = append(t, append([]byte{0, 4, 0x14, 1}, make([]byte, 16)...)...)
	binary.LittleEndian.PutUint16(t[mpTableLength:], uint16(len(t)))
	copy(p[0x4000:], whole(t, 7))
	return p
}

func TestProcessors(t *testing.T) {
	damaged := bytes.Clone(madt)
	damaged[len(damaged)-1]++

	for _, tt := range []struct {
		name string
		p    physical
		rsdp uint64
		want []uint32
	}{
		{"nothing", newPhysical(), 0, nil},
		{"ACPI, told", withACPI(madt), 0xf_0010, []uint32{0, 1, 5}},
		{"ACPI, found", withACPI(madt), 0, []uint32{0, 1, 5}},
		{"ACPI, told wrongly", withACPI(madt), 0xf_0000, nil},
		{"ACPI, outside of memory", withACPI(madt), 1 << 40, nil},
		{"MADT damaged", withACPI(damaged), 0, nil},
		{"MADT with an entry of no length", withACPI(newSDT(madtSignature, make([]byte, 24))), 0, nil},
		{"MADT cut in an entry", withACPI(newSDT(madtSignature, append(make([]byte, 8), 0, 8, 0, 0, 1, 0, 0))), 0, nil},
		{"MADT with the broadcast address", withACPI(newSDT(madtSignature, append(make([]byte, 8), 0, 8, 0, 0xff, 1, 0, 0, 0))), 0, nil},
		{"MADT that lists a processor twice", withACPI(newSDT(madtSignature, append(make([]byte, 8),
			0, 8, 0, 3, 1, 0, 0, 0, 0, 8, 1, 4, 1, 0, 0, 0, 0, 8, 2, 3, 1, 0, 0, 0))), 0, []uint32{3, 4}},
		{"MP table", withMP(), 0, []uint32{0, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ids := make([]uint32, 8)
			n := Processors(tt.p.mem, tt.rsdp, ids)
			if got := ids[:n]; !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestProcessorsFillsWhatThereIsRoomFor(t *testing.T) {
	ids := make([]uint32, 2)
	if n := Processors(withACPI(madt).mem, 0, ids); n != 2 || !reflect.DeepEqual(ids, []uint32{0, 1}) {
		t.Errorf("got %d, %v", n, ids)
	}
}

func TestProcessorsDoesNotAllocate(t *testing.T) {
	p, ids := withACPI(madt), make([]uint32, 8)
	mem := p.mem
	if n := testing.AllocsPerRun(10, func() { Processors(mem, 0, ids) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzProcessors has tables of any content, with sums that are right.
func FuzzProcessors(f *testing.F) {
	f.Add(madt[sdtHeader:], uint32(len(madt)))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, uint32(46))
	f.Add([]byte{}, ^uint32(0))
	f.Fuzz(func(t *testing.T, body []byte, length uint32) {
		if len(body) > 0x8000 {
			return
		}
		table := newSDT(madtSignature, body)
		binary.LittleEndian.PutUint32(table[sdtLength:], length)
		p := withACPI(nil)
		copy(p[0x3000:], table)
		if whole := p.mem(0x3000, uint64(length)); len(whole) > 9 {
			whole[9] -= sum(whole)
		}
		ids := make([]uint32, 4)
		if n := Processors(p.mem, 0, ids); n < 0 || n > len(ids) {
			t.Errorf("%d processors in a list of %d", n, len(ids))
		}
	})
}
