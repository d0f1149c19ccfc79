//go:build tamago

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tamanet/tamanet/board"
	"github.com/tamanet/tamanet/kernel/amd64"
	"github.com/tamanet/tamanet/kernel/boot"
	"github.com/tamanet/tamanet/kernel/irq"
)

// info prints what the board registered.
func info(string) {
	m := board.Current()
	fmt.Printf("cpus: %d\nemulated: %v\n", runtime.NumCPU(), amd64.Emulated())
	fmt.Printf("name: %s\ncpu: %s\nram: %d\nusable: %d\ncmdline: %s\nnics: %d\n",
		m.Name, m.CPU, m.RAM, m.Usable, m.Cmdline, len(m.NICs))
	for _, d := range m.NICs {
		fmt.Printf("nic: %s %s\n", d.Info().Name, d.Info().MAC)
	}
	c := m.Config()
	fmt.Printf("addr: %v\ngateway: %v\ndns: %v\nhostname: %s\nargs: %q\n",
		c.Addr, c.Gateway, c.DNS, c.Hostname, boot.Args())
	fmt.Printf("time: %d\n", time.Now().Unix())
}

// exit ends with a code.
func exit(arg string) {
	code, err := strconv.Atoi(arg)
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

// clock prints a line, and another after the given time. The host measures what
// is between them.
func clock(arg string) {
	d, err := time.ParseDuration(arg)
	if err != nil {
		panic(err)
	}
	start := time.Now()
	fmt.Println("clock: start")
	for time.Since(start) < d {
		// Busy: a sleep would add the timer's lateness on both sides.
	}
	fmt.Println("clock: end")
}

// idle sleeps, and prints how much of that time the processors were halted and how
// many timer interrupts they took.
func idle(arg string) {
	d, err := time.ParseDuration(arg)
	if err != nil {
		panic(err)
	}
	parallel("") // so that all processors have begun
	halted, fired := amd64.IdleTime(), amd64.LocalInterrupts().Timer
	time.Sleep(d)
	halted, fired = amd64.IdleTime()-halted, amd64.LocalInterrupts().Timer-fired
	fmt.Printf("idle: %d%% halted, %d timer interrupts\n", 100*halted/d/time.Duration(runtime.NumCPU()), fired)
}

// memory fills a part of the usable RAM, in percent, with data and checks it.
func memory(arg string) {
	percent, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		panic(err)
	}

	const block = 256 << 10
	var blocks [][]byte
	want := board.Current().Usable * percent / 100
	for have := uint64(0); have < want; have += block {
		b := make([]byte, block)
		for i := 0; i < block; i += 4096 {
			b[i], b[i+1] = byte(len(blocks)), byte(len(blocks)>>8)
		}
		blocks = append(blocks, b)
	}
	for n, b := range blocks {
		for i := 0; i < block; i += 4096 {
			if b[i] != byte(n) || b[i+1] != byte(n>>8) {
				fmt.Printf("memory: block %d is damaged\n", n)
				os.Exit(1)
			}
		}
	}
	runtime.KeepAlive(blocks)
	fmt.Printf("memory: %d MiB of %d MiB usable held\n", want>>20, board.Current().Usable>>20)
}

// busy has goroutines that never stop by themselves, and one that wants to run.
func busy(string) {
	if !irq.Preempt() {
		fmt.Println("unsupported: the runtime cannot preempt")
		return
	}
	var n [2]uint64
	for i := range n {
		go func() {
			for {
				step(&n[i])
			}
		}()
	}
	for i := range 5 {
		time.Sleep(20 * time.Millisecond)
		fmt.Println("busy: turn", i)
	}
	fmt.Println("busy: done")
}

// step is a function call, as preemption without signals needs.
//
//go:noinline
func step(n *uint64) {
	var pad [256]byte // a frame that is not small has a stack check
	*n += uint64(len(pad)) + uint64(pad[*n%256])
}

// printLines prints a number of lines and then ends with code 5.
func printLines(arg string) {
	n, err := strconv.Atoi(arg)
	if err != nil {
		panic(err)
	}
	for i := range n {
		fmt.Printf("print: %08d %s\n", i, strings.Repeat("x", 80))
	}
	os.Exit(5)
}

// random prints a digest of random bytes, and whether they look random at all.
func random(string) {
	b := make([]byte, 1<<20)
	start := time.Now()
	rand.Read(b)
	took := time.Since(start)

	ones := 0
	for _, v := range b {
		for ; v != 0; v &= v - 1 {
			ones++
		}
	}
	if dev := ones - 4<<20; dev < -20000 || dev > 20000 || bytes.Contains(b, make([]byte, 8)) {
		fmt.Printf("random: %d of %d bits are ones\n", ones, 8<<20)
		os.Exit(1)
	}
	fmt.Printf("random: %x in %v\n", sha256.Sum256(b), took)
}
