package mmio

import (
	"strings"
	"testing"
)

func TestFakeHoldsWhatWasWritten(t *testing.T) {
	f := NewFake(16)
	f.Write64(8, 0x1122334455667788)
	if got := f.Read8(8); got != 0x88 {
		t.Errorf("Read8 = %#x, want the low byte 0x88", got)
	}
	if got := f.Read16(14); got != 0x1122 {
		t.Errorf("Read16 = %#x, want 0x1122", got)
	}
	f.Write16(10, 0xabcd)
	f.Write8(15, 0xef)
	f.Write32(0, 0xdeadbeef)
	if got := f.Read64(8); got != 0xef223344abcd7788 {
		t.Errorf("Read64 = %#x", got)
	}
	if got := f.Read32(0); got != 0xdeadbeef {
		t.Errorf("Read32 = %#x", got)
	}
}

// TestFakeModelsSideEffects has a write-one-to-clear and a read-to-clear register.
func TestFakeModelsSideEffects(t *testing.T) {
	const w1c, counter = Offset(0), Offset(4)
	f := NewFake(8)
	f.OnWrite = func(off Offset, width int, v uint64) uint64 {
		if off == w1c {
			return f.Peek(off, width) &^ v
		}
		return v
	}
	f.OnRead = func(off Offset, width int, stored uint64) uint64 {
		if off == counter {
			f.Poke(off, width, 0)
		}
		return stored
	}
	f.Poke(w1c, 4, 0b111)
	f.Write32(w1c, 0b010)
	if got := f.Read32(w1c); got != 0b101 {
		t.Errorf("write-one-to-clear left %#b, want 101", got)
	}
	f.Poke(counter, 4, 7)
	if a, b := f.Read32(counter), f.Read32(counter); a != 7 || b != 0 {
		t.Errorf("read-to-clear gave %d then %d, want 7 then 0", a, b)
	}
}

func TestAccessOutsideOrUnalignedPanics(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		access     func(*Fake)
	}{
		{"past the end", "outside", func(f *Fake) { f.Read32(16) }},
		{"across the end", "outside", func(f *Fake) { NewFake(6).Write32(4, 0) }},
		{"offset near the top does not wrap", "outside", func(f *Fake) { f.Read8(0xffffffff) }},
		{"unaligned", "not aligned", func(f *Fake) { f.Write32(2, 0) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				if msg, _ := recover().(string); !strings.Contains(msg, tc.want) {
					t.Errorf("panic was %q, want one that says %q", msg, tc.want)
				}
			}()
			tc.access(NewFake(16))
		})
	}
}
