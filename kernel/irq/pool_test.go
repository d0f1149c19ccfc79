package irq

import (
	"slices"
	"strings"
	"testing"
)

// TestPool has devices take lines until there are none left, and give them back.
func TestPool(t *testing.T) {
	var p Pool
	take := func(n int) ([]Line, error) { return p.Take(n, 2, 24, 30) }
	must := func(n int, want ...Line) []Line {
		t.Helper()
		got, err := take(n)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("Take(%d) = %v, %v, want %v", n, got, err, want)
		}
		return got
	}
	first := must(3, 30, 29, 28)
	second := must(5, 27, 26, 25, 24) // all that are left
	if got, err := take(2); err == nil || !strings.Contains(err.Error(), "0 interrupt lines") {
		t.Errorf("with none left, Take = %v, %v", got, err)
	}
	p.Give(first[1:2])
	if got, err := take(2); err == nil || !strings.Contains(err.Error(), "1 interrupt lines") {
		t.Errorf("with one left, Take(2) = %v, %v", got, err)
	}
	p.Give(second)
	must(3, 29, 27, 26)
	p.Give(first[:1])
	must(9, 30, 25, 24)

	defer func() {
		if recover() == nil {
			t.Error("a line is given back twice")
		}
	}()
	p.Give([]Line{30, 30})
}

func TestPoolAtTheLastLine(t *testing.T) {
	var p Pool
	if got, err := p.Take(2, 1, MaxLines-1, 255); err != nil || !slices.Equal(got, []Line{MaxLines - 1}) {
		t.Errorf("Take = %v, %v", got, err)
	}
}
