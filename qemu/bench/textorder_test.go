package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// program is a text of functions of so many bytes, one after another from 0x201000 on.
func program(sizes map[string]uint64) *text {
	t := &text{calls: make(map[call]float64)}
	at := uint64(0x201000)
	names := make([]string, 0, len(sizes))
	for name := range sizes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.funcs = append(t.funcs, function{name: name, at: at, size: sizes[name]})
		at += sizes[name]
	}
	return t
}

// traced is QEMU's log of blocks, each so many bytes into a function.
func (t *text) traced(blocks ...string) string {
	var log strings.Builder
	fmt.Fprintln(&log, "cpu_io_recompile: rewound execution of TB to 0000000000000000")
	for _, b := range blocks {
		name, _, inside := strings.Cut(b, "+")
		i := slices.IndexFunc(t.funcs, func(f function) bool { return f.name == name })
		at := t.funcs[i].at
		if inside {
			at += 8
		}
		fmt.Fprintf(&log, "Trace 0: 0x7f7845492540 [0000000000000000/%016x/1040c2b0/ff020200] \n", at)
	}
	return log.String()
}

// TestFunctionsThatCallOneAnotherShareAPage: the more often, the rather; a page is never too full, and a function
// that did not run is not named.
func TestFunctionsThatCallOneAnotherShareAPage(t *testing.T) {
	p := program(map[string]uint64{"a": 2048, "b": 2048, "c": 2000, "d": 5000, "idle": 32})
	calls := []string{"a", "d"}
	for range 9 {
		calls = append(calls, "a", "b", "a+") // returns to a
	}
	for range 3 {
		calls = append(calls, "c", "a+")
	}
	if err := p.addTrace(strings.NewReader(p.traced(calls...))); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(p.pages()), "[[a b] [c] [d]]"; got != want {
		t.Errorf("pages are %s, want %s", got, want)
	}
}

// TestGroupsFillPages: groups without calls between them are put together, too.
func TestGroupsFillPages(t *testing.T) {
	p := program(map[string]uint64{"a": 1000, "b": 1000, "c": 1000, "d": 1000, "e": 1000})
	if err := p.addTrace(strings.NewReader(p.traced("a", "b+", "c+", "d+", "e+"))); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(p.pages()), "[[a b c d] [e]]"; got != want {
		t.Errorf("pages are %s, want %s", got, want)
	}
}

func TestEachTraceCountsAsMuch(t *testing.T) {
	p := program(map[string]uint64{"a": 4096, "b": 4096})
	for _, blocks := range [][]string{{"a"}, {"b", "b+", "b+", "b+", "a+"}} {
		if err := p.addTrace(strings.NewReader(p.traced(blocks...))); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprint(p.pages()), "[[a] [b]]"; got != want {
		t.Errorf("pages are %s, want %s", got, want)
	}
}

func TestAnEmptyTraceIsAnError(t *testing.T) {
	p := program(map[string]uint64{"a": 4096})
	if err := p.addTrace(strings.NewReader("no trace\nTrace 0: x [0/zz/\n")); err == nil {
		t.Error("no error")
	}
}
