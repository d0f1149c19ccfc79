//go:build tamago

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/kernel/amd64"
	"github.com/tamanet/tamanet/kernel/irq"
)

// The lines of the flood.
const (
	lineINT  = irq.Line(0) // by the instruction INT
	lineIPI  = irq.Line(1) // by the local APIC, to itself
	linePIT  = irq.Line(2) // by the 8254's channel 0, asynchronously
	floodEnd = 60 * time.Second
)

// ICR of the local APIC: fixed delivery, shorthand self.
const (
	lapic   = 0xfee0_0000
	icrLow  = 0x300
	icrSelf = 1 << 18

	vectorOfLine0 = 32
)

// line is one source of interrupts and the goroutine that must see them all.
type line struct {
	irq.Line
	name string
	seen atomic.Uint64
	wake atomic.Uint64
}

// watch notes after each wake-up how many raises there were.
func (l *line) watch() {
	for l.Wait() {
		l.seen.Store(l.Count())
		l.wake.Add(1)
	}
}

// settle waits until the watcher has seen all raises, and reports whether it has.
func (l *line) settle() bool {
	for deadline := time.Now().Add(floodEnd); l.seen.Load() != l.Count(); {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

// flood raises as many interrupts as told, while timers churn, goroutines come and
// go, and the heap grows and is collected. Each raise must be followed by a
// wake-up of its line's goroutine.
func flood(arg string) {
	total, err := strconv.Atoi(arg)
	if err != nil {
		panic(err)
	}

	lines := []*line{{Line: lineINT, name: "INT"}, {Line: lineIPI, name: "IPI"}, {Line: linePIT, name: "PIT"}}
	for _, l := range lines {
		go l.watch()
	}
	stop := make(chan struct{})
	for range 8 {
		go churn(stop)
	}
	if err := amd64.EnableLine(linePIT); err != nil {
		panic(err)
	}
	startPIT()

	icr := mmio.At(lapic, 0x400)
	for i := range total {
		if i%2 == 0 {
			raiseINT()
		} else {
			icr.Write32(icrLow, icrSelf|vectorOfLine0+uint32(lineIPI))
		}
		// Let the watcher park now and then, so that raises hit it in all its states;
		// and let the processor halt.
		switch {
		case i%1000 == 0:
			time.Sleep(50 * time.Microsecond)
		case i%31 == 0:
			runtime.Gosched()
		}
	}
	stopPIT()
	close(stop)

	lost := false
	var raised, seen uint64
	for _, l := range lines {
		ok := l.settle()
		lost = lost || !ok
		raised += l.Count()
		seen += l.seen.Load()
		fmt.Printf("flood: %s: %d raised, %d seen in %d wake-ups\n", l.name, l.Count(), l.seen.Load(), l.wake.Load())
	}
	if n := lines[0].Count() + lines[1].Count(); n != uint64(total) {
		fmt.Printf("flood: %d raised by the processor, %d counted\n", total, n)
		lost = true
	}
	fmt.Printf("flood: %d raised, %d seen, %d lost\n", raised, seen, raised-seen)
	if lost {
		os.Exit(1)
	}
}

// oneshot lets the 8254 raise one interrupt after another, each a little later than it is
// asked for, while the processor has nothing to do but go idle: if one is slept through,
// no other one follows and the kernel hangs.
func oneshot(arg string) {
	total, err := strconv.Atoi(arg)
	if err != nil {
		panic(err)
	}
	if err := amd64.EnableLine(linePIT); err != nil {
		panic(err)
	}
	sets := amd64.LocalInterrupts().Set
	for i := range total {
		oneshotPIT(uint8(1 + i*7%64))
		linePIT.Wait()
	}
	sets = amd64.LocalInterrupts().Set - sets
	fmt.Printf("oneshot: %d of %d\ntimer sets: %d\n", linePIT.Count(), total, sets)
}

// stray raises vectors that no line has.
func stray(string) {
	raiseStray()
	raiseSpurious()
	i := amd64.LocalInterrupts()
	fmt.Printf("stray: %d stray, %d spurious\n", i.Stray, i.Spurious)
}

// churn makes garbage and timers until stop is closed.
func churn(stop <-chan struct{}) {
	var keep [64][]byte
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		keep[i%len(keep)] = make([]byte, 1024+i%4096)
		t := time.AfterFunc(time.Duration(i%500)*time.Microsecond, func() {})
		time.Sleep(time.Duration(i%300) * time.Microsecond)
		if i%3 == 0 {
			t.Stop()
		}
		done := make(chan struct{})
		go close(done)
		<-done
	}
}

// Implemented in assembly.
func raiseINT()
func raiseStray()
func raiseSpurious()
