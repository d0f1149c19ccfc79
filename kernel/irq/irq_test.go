package irq

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const deadline = 30 * time.Second

// fakeSignal is a signal with the method that tamanet's runtime adds.
type fakeSignal struct {
	c chan struct{}
}

func (s fakeSignal) Wait() { <-s.c }

// newFakeSignals returns the signals backend over fakes, and what an
// interrupt handler does with it.
func newFakeSignals(t *testing.T) (backend, func(Line)) {
	sigs := make(map[int]fakeSignal)
	for n := range 256 {
		sigs[n] = fakeSignal{make(chan struct{}, 1)}
	}
	relay := func(sig int) {
		select {
		case sigs[sig].c <- struct{}{}:
		default:
		}
	}
	s := newSignals(func(n int) any { return sigs[n] }, relay)
	if s == nil {
		t.Fatal("signals with a method Wait are not taken")
	}
	return s, func(l Line) {
		lines[l].count.Add(1)
		relay(firstSignal + int(l))
	}
}

// newFakeDispatch returns the dispatch backend over a channel, and what an
// interrupt handler does with it.
func newFakeDispatch(t *testing.T) (backend, func(Line)) {
	c := make(chan os.Signal, 1)
	d := newDispatcher()
	var wg sync.WaitGroup
	wg.Go(func() { d.run(c) })
	t.Cleanup(func() {
		close(c)
		wg.Wait() // or it would take the next test's marks
	})
	return d, func(l Line) {
		lines[l].count.Add(1)
		lines[l].pending.Store(1)
		anyPending.Store(1)
		select {
		case c <- syscall.SIGTRAP:
		default:
		}
	}
}

// forBoth runs a test over both backends, with fresh lines.
func forBoth(t *testing.T, f func(t *testing.T, raise func(Line))) {
	for name, mk := range map[string]func(*testing.T) (backend, func(Line)){
		"signals":  newFakeSignals,
		"dispatch": newFakeDispatch,
	} {
		t.Run(name, func(t *testing.T) {
			saved := active
			t.Cleanup(func() { active = saved })
			for l := range lines {
				lines[l].count.Store(0)
				lines[l].pending.Store(0)
				lines[l].closed.Store(false)
			}
			var raise func(Line)
			active, raise = mk(t)
			f(t, raise)
		})
	}
}

// waitFor returns what Wait returns, and fails the test if that takes too long.
func waitFor(t *testing.T, l Line) bool {
	t.Helper()
	c := make(chan bool, 1)
	go func() { c <- l.Wait() }()
	select {
	case ok := <-c:
		return ok
	case <-time.After(deadline):
		t.Fatalf("line %d: Wait does not return", l)
		return false
	}
}

func TestWaitReturnsForARaiseBeforeIt(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		raise(7)
		if !waitFor(t, 7) {
			t.Error("Wait returned false for an open line")
		}
	})
}

func TestWaitReturnsForARaiseDuringIt(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		c := make(chan bool, 1)
		go func() { c <- Line(7).Wait() }()
		select {
		case <-c:
			t.Fatal("Wait returned before the line was raised")
		case <-time.After(10 * time.Millisecond):
		}
		raise(7)
		select {
		case ok := <-c:
			if !ok {
				t.Error("Wait returned false for an open line")
			}
		case <-time.After(deadline):
			t.Fatal("a raise did not end Wait")
		}
	})
}

func TestRaisesOfOtherLinesDoNotEndWait(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		c := make(chan bool, 1)
		go func() { c <- Line(8).Wait() }()
		raise(7)
		raise(9)
		waitFor(t, 7)
		waitFor(t, 9)
		select {
		case <-c:
			t.Fatal("another line's raise ended Wait")
		default:
		}
		raise(8)
		<-c
	})
}

func TestRaisesBetweenWaitsAreOne(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		raise(3)
		waitFor(t, 3)
		raise(3)
		raise(4)
		// Line 4 is dispatched no earlier than line 3.
		waitFor(t, 4)
		waitFor(t, 3)
		if n := Line(3).Count(); n != 2 {
			t.Errorf("Count is %d after 2 raises", n)
		}
	})
}

func TestWakeEndsWaitAndDoesNotCount(t *testing.T) {
	forBoth(t, func(t *testing.T, _ func(Line)) {
		Line(5).Wake()
		if !waitFor(t, 5) {
			t.Error("Wait returned false for a woken line")
		}
		if n := Line(5).Count(); n != 0 {
			t.Errorf("Count is %d after Wake", n)
		}
	})
}

func TestCloseEndsWaitForGood(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		c := make(chan bool, 1)
		go func() { c <- Line(6).Wait() }()
		Line(6).Close()
		select {
		case ok := <-c:
			if ok {
				t.Error("Wait returned true for a closed line")
			}
		case <-time.After(deadline):
			t.Fatal("Close did not end Wait")
		}
		raise(6)
		if waitFor(t, 6) {
			t.Error("Wait returned true after Close")
		}
	})
}

func TestNoLine(t *testing.T) {
	const none = Line(MaxLines)
	none.Wake()
	none.SetName("none")
	if none.Count() != 0 {
		t.Error("a line out of range counts")
	}
	if waitFor(t, none) {
		t.Error("Wait returned true for a line out of range")
	}
	none.Close()
}

// TestNoRaiseIsLost raises lines from several goroutines and checks for each raise
// that a Wait returned after it.
func TestNoRaiseIsLost(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		const nlines, raises = 4, 20_000
		var wg sync.WaitGroup

		for i := range nlines {
			l := Line(i)
			var seen atomic.Uint64
			done := make(chan struct{})

			wg.Go(func() {
				for seen.Load() < raises && l.Wait() {
					seen.Store(l.Count())
				}
				close(done)
			})
			wg.Go(func() {
				for range raises {
					raise(l)
				}
				select {
				case <-done:
				case <-time.After(deadline):
					t.Errorf("line %d: %d raised, %d seen", l, raises, seen.Load())
					l.Close()
				}
			})
		}
		wg.Wait()
	})
}

func TestSignalsWithoutWaitAreNotTaken(t *testing.T) {
	if newSignals(systemSignal, func(int) {}) != nil {
		t.Error("an ordinary syscall.Signal was taken for one with a method Wait")
	}
}

func TestLines(t *testing.T) {
	forBoth(t, func(t *testing.T, raise func(Line)) {
		Line(10).SetName("net0")
		defer Line(10).SetName("")
		PerCPU = func(l Line) []uint64 { return []uint64{0, uint64(l)} }
		defer func() { PerCPU = nil }()
		raise(10)
		raise(12)
		want := fmt.Sprint([]Stat{{10, "net0", 1, []uint64{0, 10}}, {12, "", 1, []uint64{0, 12}}})
		if got := fmt.Sprint(Lines()); got != want {
			t.Errorf("Lines() = %s, want %s", got, want)
		}
	})
}
