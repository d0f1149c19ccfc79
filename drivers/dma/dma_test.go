package dma

import (
	"errors"
	"testing"
)

func TestRegionAllocAlignsAndFits(t *testing.T) {
	r := NewRegion(make([]byte, 4096), 0x1000_0010)
	a, err := r.Alloc(100, 64)
	if err != nil || a.Addr%64 != 0 || len(a.Bytes) != 100 || cap(a.Bytes) != 100 {
		t.Fatalf("Alloc(100, 64) = %+v, %v", a, err)
	}
	b, err := r.Alloc(10, 1)
	if err != nil || b.Addr != 0x1000_0010 {
		t.Fatalf("Alloc(10, 1) = %+v, %v, want the gap before the aligned block", b, err)
	}
	if _, err := r.Alloc(4096, 1); !errors.Is(err, ErrNoMemory) {
		t.Errorf("Alloc of everything = %v, want ErrNoMemory", err)
	}
	for _, tc := range []struct{ size, align int }{{0, 1}, {-1, 1}, {1, 0}, {1, 3}} {
		if _, err := r.Alloc(tc.size, tc.align); err == nil {
			t.Errorf("Alloc(%d, %d) succeeded", tc.size, tc.align)
		}
	}
}

func TestRegionFreeMerges(t *testing.T) {
	for _, order := range [][3]int{{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}} {
		r := NewRegion(make([]byte, 3*64), 0)
		var blocks [3]*Block
		for i := range blocks {
			b, err := r.Alloc(64, 64)
			if err != nil {
				t.Fatal(err)
			}
			b.Bytes[0] = 1
			blocks[i] = b
		}
		for _, i := range order {
			r.Free(blocks[i])
		}
		b, err := r.Alloc(3*64, 64)
		if err != nil {
			t.Fatalf("freed in order %v: %v, want the whole region again", order, err)
		}
		if b.Bytes[0] != 0 || b.Bytes[64] != 0 {
			t.Error("a reused block is not zeroed")
		}
	}
}

func TestRegionMap(t *testing.T) {
	mem := make([]byte, 256)
	r := NewRegion(mem, 0x8000)
	if a, err := r.Map(mem[16:32], ToDevice); err != nil || a != 0x8010 {
		t.Errorf("Map inside = %#x, %v, want 0x8010", a, err)
	}
	if _, err := r.Map(make([]byte, 8), ToDevice); !errors.Is(err, ErrNotVisible) {
		t.Errorf("Map outside = %v, want ErrNotVisible", err)
	}
	var calls []bool
	r.Sync = func(_ []byte, _ Direction, done bool) { calls = append(calls, done) }
	out := make([]byte, 8)
	a, err := r.Map(out, FromDevice)
	if err != nil {
		t.Fatal(err)
	}
	r.Unmap(a, out, FromDevice)
	if len(calls) != 2 || calls[0] || !calls[1] {
		t.Errorf("Sync was called with done = %v, want false then true", calls)
	}
}

func TestFakeFindsMisuse(t *testing.T) {
	f := NewFake()
	tx, rx := []byte("frame"), make([]byte, 64)
	a, _ := f.Map(tx, ToDevice)
	b, _ := f.Map(rx, FromDevice)
	blk, _ := f.Alloc(32, 4096)
	if blk.Addr%4096 != 0 {
		t.Errorf("block at %#x is not aligned", blk.Addr)
	}
	for _, tc := range []struct {
		name  string
		a     Addr
		n     int
		write bool
		ok    bool
	}{
		{"read what is lent for reading", a, 5, false, true},
		{"the middle of it", a + 2, 3, false, true},
		{"one byte too many", a, 6, false, false},
		{"write what is lent for reading", a, 5, true, false},
		{"write what is lent for writing", b, 64, true, true},
		{"coherent, both ways", blk.Addr, 32, true, true},
		{"past a block", blk.Addr, 33, false, false},
		{"an address cut to 32 bits", a & 0xffffffff, 1, false, false},
		{"no address at all", 0, 1, false, false},
		{"a negative length", a, -1, false, false},
		{"the top of the address space", ^Addr(0), 8, false, false},
	} {
		if _, err := f.Access(tc.a, tc.n, tc.write); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrFault) {
			t.Errorf("%s: %v, want ok %v", tc.name, err, tc.ok)
		}
	}
	f.Unmap(b, rx, FromDevice)
	if _, err := f.Access(b, 1, true); err == nil {
		t.Error("access after Unmap succeeded")
	}
	again, _ := f.Map(rx, FromDevice)
	if again == b {
		t.Error("a new mapping has a stale one's address")
	}
	if m, n := f.Live(); m != 2 || n != 1 {
		t.Errorf("Live = %d, %d, want 2 mappings and 1 block", m, n)
	}
}

func TestFakeUnmapOfNothingPanics(t *testing.T) {
	f := NewFake()
	b := make([]byte, 8)
	a, _ := f.Map(b, ToDevice)
	for _, tc := range []struct {
		name string
		call func()
	}{
		{"wrong address", func() { f.Unmap(a+1, b, ToDevice) }},
		{"wrong direction", func() { f.Unmap(a, b, FromDevice) }},
		{"wrong memory", func() { f.Unmap(a, make([]byte, 8), ToDevice) }},
		{"twice", func() { f.Unmap(a, b, ToDevice); f.Unmap(a, b, ToDevice) }},
		{"block twice", func() { blk, _ := f.Alloc(1, 1); f.Free(blk); f.Free(blk) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			tc.call()
		})
	}
}

func TestFakeMapDoesNotAllocate(t *testing.T) {
	f := NewFake()
	b := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		a, _ := f.Map(b, ToDevice)
		f.Unmap(a, b, ToDevice)
	}); n != 0 {
		t.Errorf("%v allocations for a mapping, want 0", n)
	}
}
