package entropy

import (
	"bytes"
	"testing"
)

// source yields words, and fails before each as often as failures says.
func source(words []uint64, failures int) func() (uint64, bool) {
	failed := 0
	return func() (uint64, bool) {
		if failed < failures {
			failed++
			return 0, false
		}
		failed = 0
		w := words[0]
		words = words[1:]
		return w, true
	}
}

func TestFill(t *testing.T) {
	words := []uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110}

	for n := range 25 {
		for _, failures := range []int{0, 9} {
			b := bytes.Repeat([]byte{0xaa}, n+1)
			if !Fill(b[:n], source(words, failures)) {
				t.Fatalf("%d bytes, %d failures: not filled", n, failures)
			}
			for i, v := range b[:n] {
				if v != byte(i) {
					t.Fatalf("%d bytes: byte %d is %#x", n, i, v)
				}
			}
			if b[n] != 0xaa {
				t.Fatalf("%d bytes: wrote past the end", n)
			}
		}
	}
}

func TestFillGivesUpOnABrokenGenerator(t *testing.T) {
	if Fill(make([]byte, 8), source([]uint64{1, 2, 3}, 10)) {
		t.Error("ten failures in a row were not taken for a broken generator")
	}
	if Fill(make([]byte, 64), func() (uint64, bool) { return ^uint64(0), true }) {
		t.Error("a constant was taken for random")
	}
	if !Fill(make([]byte, 32), source([]uint64{5, 5, 6, 6}, 0)) {
		t.Error("one repetition was taken for a broken generator")
	}
}

func TestFillDoesNotAllocate(t *testing.T) {
	b := make([]byte, 64)
	var n uint64
	next := func() (uint64, bool) { n++; return n, true }
	if a := testing.AllocsPerRun(100, func() { Fill(b, next) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}
