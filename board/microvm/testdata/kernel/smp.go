//go:build tamago

package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/kernel/amd64"
)

// Exercises for several processors.

// parallel has as many goroutines as processors meet each other without a call in between,
// which only processors that run at the same time can.
func parallel(string) {
	n := runtime.NumCPU()
	var met atomic.Int32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			met.Add(1)
			for int(met.Load()) < n {
			}
		})
	}
	wg.Wait()
	fmt.Printf("parallel: %d processors met\n", n)
}

// stress has goroutines that make garbage, wake each other, sleep and lock, under a
// collector that runs all the time, and checks that nothing is lost.
func stress(arg string) {
	d, err := time.ParseDuration(arg)
	if err != nil {
		panic(err)
	}
	debug.SetGCPercent(5)
	end := time.Now().Add(d)
	busy := func() bool { return time.Now().Before(end) }
	var wg sync.WaitGroup

	// Trees that are built, changed and checked.
	var trees atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for busy() {
				t := grow(10, i)
				if got := t.sum(); got != (1<<10-1)*i {
					fail("a tree of %d adds up to %d, want %d", i, got, (1<<10-1)*i)
				}
				trees.Add(1)
			}
		})
	}

	// A token that goes round, over channels without and with room.
	var rounds atomic.Int64
	for room := range 2 {
		const members = 5
		var ring [members]chan int
		for i := range ring {
			ring[i] = make(chan int, room)
		}
		for i := range ring {
			wg.Go(func() {
				for v := range ring[i] {
					if i == 0 {
						if v%members != 0 {
							fail("the token is %d", v)
						}
						rounds.Add(1)
						if !busy() {
							for _, c := range ring {
								close(c)
							}
							return
						}
					}
					ring[(i+1)%members] <- v + 1
				}
			})
		}
		ring[0] <- 0
	}

	// Counters under a lock.
	var mu sync.Mutex
	var locked int64
	var adds atomic.Int64
	for range 4 {
		wg.Go(func() {
			for busy() {
				for range 100 {
					mu.Lock()
					locked++
					mu.Unlock()
					adds.Add(1)
				}
			}
		})
	}

	// Sleepers, and timers that are stopped in time or not.
	var sleeps atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for busy() {
				start := time.Now()
				nap := time.Duration(i*100+1) * time.Microsecond
				t := time.AfterFunc(nap, func() {})
				time.Sleep(nap)
				t.Stop()
				if time.Since(start) < nap {
					fail("a sleep of %v took %v", nap, time.Since(start))
				}
				sleeps.Add(1)
			}
		})
	}

	// Goroutines that come and go, and the collector.
	var spawned, collected atomic.Int64
	wg.Go(func() {
		for busy() {
			var inner sync.WaitGroup
			for range 50 {
				inner.Go(func() { spawned.Add(1) })
			}
			inner.Wait()
		}
	})
	wg.Go(func() {
		for busy() {
			runtime.GC()
			collected.Add(1)
			time.Sleep(time.Millisecond)
		}
	})

	// The time must not go back from one processor to the next.
	var last atomic.Int64
	var reads atomic.Int64
	for range runtime.NumCPU() {
		wg.Go(func() {
			for busy() {
				for range 100 {
					before := last.Load()
					now := time.Now().UnixNano()
					if now < before {
						fail("the clock went back by %d ns", before-now)
					}
					last.CompareAndSwap(before, now)
				}
				reads.Add(100)
				runtime.Gosched()
			}
		})
	}

	wg.Wait()
	if locked != adds.Load() {
		fail("%d of %d counts under a lock", locked, adds.Load())
	}
	if spawned.Load()%50 != 0 {
		fail("%d goroutines ran, not a multiple of 50", spawned.Load())
	}
	i := amd64.LocalInterrupts()
	fmt.Printf("stress: %d trees, %d rounds, %d locks, %d sleeps, %d goroutines, %d collections, %d clock reads, %d wake-ups\n",
		trees.Load(), rounds.Load(), locked, sleeps.Load(), spawned.Load(), collected.Load(), reads.Load(), i.Wake)
	fmt.Println("stress: done")
}

// fail says what is wrong and ends the program.
func fail(format string, args ...any) {
	fmt.Printf("failed: "+format+"\n", args...)
	os.Exit(1)
}

// tree is garbage with pointers in it.
type tree struct {
	left, right *tree
	value       int
}

func grow(depth, value int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grow(depth-1, value), grow(depth-1, value), value}
}

func (t *tree) sum() int {
	if t == nil {
		return 0
	}
	t.left, t.right = t.right, t.left
	return t.value + t.left.sum() + t.right.sum()
}

// elsewhere runs f on the processor that arg names, again and again.
func elsewhere(arg string, f func()) {
	want, err := strconv.ParseUint(arg, 10, 32)
	if err != nil {
		panic(err)
	}
	for {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if uint64(amd64.ProcessorIndex()) == want {
				f()
			}
		}()
		// Keep this processor, so that the other takes it.
		for start := time.Now(); time.Since(start) < 5*time.Millisecond; {
		}
		<-done
	}
}

// exitOn exits from a processor.
func exitOn(arg string) {
	elsewhere(arg, func() { os.Exit(42) })
}

// exitAll exits from all processors at the same time.
func exitAll(string) {
	n := runtime.NumCPU()
	var met atomic.Int32
	for range n {
		go func() {
			met.Add(1)
			for int(met.Load()) < n {
			}
			os.Exit(42)
		}()
	}
	select {}
}

// panicOn panics on a processor.
func panicOn(arg string) {
	elsewhere(arg, func() { panic("on processor " + arg) })
}

// fatalOn makes a mistake on a processor that ends the program.
func fatalOn(arg string) {
	elsewhere(arg, invalidOpcode)
}

// faultOn makes mistakes on a processor that a program can recover from.
func faultOn(arg string) {
	n := 0
	elsewhere(arg, func() {
		defer func() {
			if recover() == nil {
				fail("no panic")
			}
			if n++; n == 200 {
				fmt.Println("fault: recovered on processor", arg)
				os.Exit(0)
			}
		}()
		*nowhere = 1
	})
}

var nowhere *int
