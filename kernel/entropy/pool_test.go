package entropy

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

// counting yields bytes of a counter of 16 bits, n of them a Read, the first failures Reads none.
type counting struct {
	at, n    int
	failures int
	constant bool
}

var errSlow = errors.New("slow")

func (c *counting) Read(p []byte) (int, error) {
	if c.failures > 0 {
		c.failures--
		return 0, errSlow
	}
	n := min(c.n, len(p))
	for i := range n {
		if p[i] = byte(c.at >> (8 * (c.at & 1))); c.constant {
			p[i] = 7
		}
		c.at++
	}
	if n < len(p) {
		return n, errSlow
	}
	return n, nil
}

func TestPoolHandsOutEachByteOnce(t *testing.T) {
	for _, n := range []int{1, 100, 1000} {
		want := make([]byte, 2000)
		(&counting{n: 5000}).Read(want)
		p := NewPool(&counting{n: n, failures: maxReads - 1})
		var got []byte
		for size := 0; len(got) < 1500; size += 7 {
			b := make([]byte, size)
			if err := p.Fill(b); err != nil {
				t.Fatal(err)
			}
			got = append(got, b...)
		}
		if !bytes.Equal(got, want[:len(got)]) {
			t.Errorf("%d bytes a Read: what was handed out is not what the source gave", n)
		}
		if !bytes.Equal(p.block[:blockSize-len(p.rest)], make([]byte, blockSize-len(p.rest))) {
			t.Error("what was handed out is still in the pool")
		}
	}
}

func TestPoolRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		source counting
		want   error
	}{
		{"a source that gives nothing", counting{n: 1000, failures: maxReads}, errSlow},
		{"a source that repeats itself", counting{n: 1000, constant: true}, ErrBroken},
	} {
		b := bytes.Repeat([]byte{0xaa}, 2*blockSize)
		if err := NewPool(&tc.source).Fill(b); !errors.Is(err, tc.want) {
			t.Errorf("%s: error is %v, want %v", tc.name, err, tc.want)
		}
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("%s: bytes were handed out", tc.name)
		}
	}
}

// TestPoolNoticesALateFault has a source that is good for one block.
func TestPoolNoticesALateFault(t *testing.T) {
	source := &counting{n: 1000}
	p := NewPool(source)
	b := make([]byte, blockSize)
	if err := p.Fill(b); err != nil {
		t.Fatal(err)
	}
	source.constant = true
	for range 2 {
		if err := p.Fill(b); !errors.Is(err, ErrBroken) {
			t.Errorf("error is %v, want ErrBroken", err)
		}
	}
}

func TestPoolConcurrently(t *testing.T) {
	p := NewPool(&counting{n: 1000})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if err := p.Fill(make([]byte, 33)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestPoolDoesNotAllocate(t *testing.T) {
	p, b := NewPool(&counting{n: 1000}), make([]byte, 64)
	if a := testing.AllocsPerRun(100, func() { p.Fill(b) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// TestJitterDependsOnEachTime has two boots whose times differ by one count, once.
func TestJitterDependsOnEachTime(t *testing.T) {
	boot := func(late int) []byte {
		now, n := uint64(1000), 0
		b := make([]byte, 32)
		Jitter(b, func() uint64 {
			if n++; n == late {
				now++
			}
			now += 100
			return now
		}, func() {})
		return b
	}
	same := boot(0)
	if !bytes.Equal(same, boot(0)) {
		t.Error("equal times give different bytes")
	}
	for _, late := range []int{1, 2, 500} {
		other := boot(late)
		equal := 0
		for i := late / jitterRounds; i < len(other); i++ {
			if other[i] == same[i] {
				equal++
			}
		}
		if equal > 4 {
			t.Errorf("look %d one count later leaves %d bytes as they were", late, equal)
		}
	}
}
