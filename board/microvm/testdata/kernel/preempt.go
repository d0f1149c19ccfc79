//go:build tamago

package main

import (
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/board/microvm/testdata/digest"
	"github.com/tamanet/tamanet/kernel/amd64"
)

// preempt has more goroutines than processors that loop without a call, and meanwhile collects garbage as many
// times as told, which each of them holds up until it is preempted. Those that compute check
// that nothing they have in registers changes.
func preempt(arg string) {
	collections, err := strconv.Atoi(arg)
	if err != nil {
		panic(err)
	}
	if !amd64.Preempts() {
		fmt.Println("unsupported: the runtime preempts at calls only")
		return
	}
	go func() {
		for {
		}
	}()
	var rounds [3]atomic.Int64
	want := [2]uint64{arithmetic(), floats()}
	go check(&rounds[0], "integers", arithmetic, want[0])
	go check(&rounds[1], "floating point", floats, want[1])
	go check(&rounds[2], "a ring", ring, ringSum)
	for range runtime.NumCPU() {
		go wide()
	}
	for range runtime.NumCPU() - 1 {
		go func() {
			for {
			}
		}()
	}

	start := time.Now()
	for i := range collections {
		sink = make([]byte, 1<<10+i)
		runtime.GC()
	}
	// Each has computed something to its end meanwhile.
	for i := range rounds {
		for rounds[i].Load() == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	fmt.Printf("preempt: %d collections in %v, %d, %d and %d rounds, %d interrupts\n", collections, time.Since(start).Round(time.Millisecond),
		rounds[0].Load(), rounds[1].Load(), rounds[2].Load(), amd64.LocalInterrupts().Preempt)
	fmt.Println("preempt: done")
}

var sink []byte

// check computes something again and again.
func check(rounds *atomic.Int64, what string, compute func() uint64, want uint64) {
	for {
		if got := compute(); got != want {
			fail("%s: %#x, want %#x", what, got, want)
		}
		rounds.Add(1)
	}
}

const steps = 1 << 22

// arithmetic keeps the general registers in use.
func arithmetic() uint64 {
	a, b, c, d, e, f, g, h := uint64(1), uint64(2), uint64(3), uint64(4), uint64(5), uint64(6), uint64(7), uint64(8)
	for i := range uint64(steps) {
		a, b, c, d = b+i, c^a, d*5+1, a-b
		if d > a { // the flags
			e += c
		}
		e, f, g, h = f^d, g+e, h*3, e+a
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h
}

// floats keeps the vector registers in use.
func floats() uint64 {
	a, b, c, d, e, f, g, h := 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0
	for range steps / 16 { // emulated, they take long
		a, b, c, d = b*0.5+h, c*0.25-a, d*0.125+1, a*0.75
		e, f, g, h = f*0.5+d, g*0.25-e, h*0.125+1, e*0.75
	}
	return uint64((a+b+c+d+e+f+g+h)*1e9) ^ 1
}

type link struct {
	next  *link
	value uint64
}

const (
	ringLength = 1 << 10
	ringTurns  = 1 << 12
	ringSum    = ringTurns * ringLength * (ringLength - 1) / 2
)

// ring has a list that only registers lead to while it is followed.
func ring() (sum uint64) {
	first := &link{}
	last := first
	for i := uint64(1); i < ringLength; i++ {
		last.next = &link{value: i}
		last = last.next
	}
	last.next = first
	for l, n := first, ringTurns*ringLength; n > 0; n-- {
		sum += l.value
		l = l.next
	}
	return sum
}

// wide has the wide vector registers in use, which Go's assembly has and a goroutine that is preempted has not.
func wide() {
	want := digest.Sum()
	for {
		if got := digest.Sum(); got != want {
			fail("a digest is %x, want %x", got, want)
		}
	}
}
