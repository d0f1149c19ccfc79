// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"runtime/goos"
	"unsafe"
)

// Ms are threads, and share the processors.
//
// The scheduler starts another M whenever a P has work and no M is known to be
// free: there may be more Ms than processors for a while, and an M that waits in
// netpoll or for a note leaves its P to others. goos.Task starts each processor
// once, with an M. From then on an M keeps its processor until it waits
// (threadWait) or yields (osyield, which usleep and the scheduler's choice of a
// goroutine call). The processor then takes up a ready M, or else halts, on the
// stack of the M that waits. Interrupts never switch.
//
// Ms that spin for each other yield, and at most GOMAXPROCS Ms have a P, so that
// every ready M is taken up.

type thread struct {
	sp    uintptr // where it goes on, when it has no processor
	state uint8
	woken bool     // threadWake came since threadWait returned last
	until int64    // threadOff: when the wait ends by itself
	next  muintptr // in one of the lists of threads
}

const (
	threadRuns   = iota // has a processor
	threadHalted        // waits, and its processor halts
	threadOff           // waits, and its processor went on with another M
	threadReady         // waits for a processor
)

var threads struct {
	lock    uint32        // by lockThreads; guards what follows and all m.thread
	started atomic.Uint32 // there is more than one M
	nready  atomic.Int32  // length of ready
	first   atomic.Int64  // when the first of sleeping ends; 0 for none

	ready    threadList
	halted   threadList
	sleeping threadList // threadOff, those that have an end

	task  uint32 // lock of goos.Task
	tasks int32  // processors that goos.Task has started
}

// threadList is a queue. Ms are never freed, and their links are no pointers
// for the garbage collector.
type threadList struct {
	head, tail muintptr
}

func (l *threadList) push(mp *m) {
	mp.thread.next = 0
	if l.head == 0 {
		l.head.set(mp)
	} else {
		l.tail.ptr().thread.next.set(mp)
	}
	l.tail.set(mp)
}

func (l *threadList) pop() *m {
	mp := l.head.ptr()
	if mp != nil {
		l.head = mp.thread.next
	}
	return mp
}

// remove removes mp, if it is there.
func (l *threadList) remove(mp *m) {
	var last *m
	for p := &l.head; *p != 0; p = &p.ptr().thread.next {
		if p.ptr() != mp {
			last = p.ptr()
			continue
		}
		*p = mp.thread.next
		if l.tail.ptr() == mp {
			l.tail.set(last)
		}
		return
	}
}

// lockThreads takes the lock below all others. Its holder does not wait, yield
// or allocate; threadswitch passes it on.
func lockThreads() {
	for !atomic.Cas(&threads.lock, 0, 1) {
		procyield(10)
	}
}

func unlockThreads() {
	atomic.Store(&threads.lock, 0)
}

// Implemented in sys_tamago_amd64.s.
func threadswitch(save *uintptr, sp uintptr, gp *g)
func threadstart()
func taskstart()

// May run with m.p==nil, so write barriers are not allowed.
//
//go:nowritebarrier
func newosproc(mp *m) {
	if !manyThreads() {
		if goos.ProcID != nil {
			getg().m.procid = goos.ProcID()
		}
		threads.started.Store(1)
	}
	stack := mp.g0.stack.hi
	if startProcessor(mp, stack) {
		return
	}
	// As threadswitch leaves it: the frame pointer, and where to go on.
	*(*uintptr)(unsafe.Pointer(stack - 8)) = 0
	*(*uintptr)(unsafe.Pointer(stack - 16)) = abi.FuncPCABI0(threadstart)
	*(*uintptr)(unsafe.Pointer(stack - 24)) = 0
	mp.thread.sp = stack - 24
	mp.thread.state = threadOff
	mp.thread.until = forever
	threadWake(mp)
}

// startProcessor starts a further processor with mp, if there is one.
func startProcessor(mp *m, stack uintptr) bool {
	for !atomic.Cas(&threads.task, 0, 1) {
		procyield(10)
	}
	ok := threads.tasks < processors-1
	if ok {
		threads.tasks++
		goos.Task(unsafe.Pointer(stack), unsafe.Pointer(mp), unsafe.Pointer(mp.g0), unsafe.Pointer(abi.FuncPCABI0(taskstart)))
	}
	atomic.Store(&threads.task, 0)
	return ok
}

// threadstarted ends the switch to an M that begins.
func threadstarted() {
	unlockThreads()
}

// threadWait waits until threadWake was called for this M since it returned last,
// and not past until (nanotime); a listener also until a signal arrived. It runs on g0.
func threadWait(until int64, listens bool) {
	if !manyThreads() {
		idle(until)
		return
	}
	mp := getg().m
	lockThreads()
	for !mp.thread.woken && !(listens && atomic.Load(&sigArrived) != 0) {
		now := nanotime()
		if until <= now {
			break
		}
		first := wakeSleeping(now)
		if next := popReady(); next != nil {
			mp.thread.state = threadOff
			mp.thread.until = until
			if until != forever {
				sleep(mp)
			}
			threadSwitch(mp, next)
			continue
		}
		mp.thread.state = threadHalted
		threads.halted.push(mp)
		unlockThreads()
		idle(min(until, first))
		lockThreads()
		threads.halted.remove(mp)
		mp.thread.state = threadRuns
		if !listens && atomic.Load(&sigArrived) != 0 {
			if mp := (*m)(unsafe.Pointer(poller.m.Load())); mp != nil {
				unlockThreads()
				threadWake(mp)
				lockThreads()
			}
		}
	}
	mp.thread.woken = false
	unlockThreads()
}

// threadWake ends mp's threadWait, or the next one when it is not in it.
//
//go:nosplit
func threadWake(mp *m) {
	if !manyThreads() {
		return // mp is this M
	}
	systemstack(func() {
		lockThreads()
		mp.thread.woken = true
		var halted *m
		switch mp.thread.state {
		case threadHalted:
			threads.halted.remove(mp)
			mp.thread.state = threadRuns
			halted = mp
		case threadOff:
			threads.sleeping.remove(mp)
			pushReady(mp)
			if halted = threads.halted.pop(); halted != nil {
				halted.thread.state = threadRuns
			}
		}
		var procid uint64
		if halted != nil {
			procid = halted.procid
		}
		unlockThreads()
		if halted != nil && goos.Wake != nil {
			goos.Wake(procid)
		}
	})
}

// osyield lets a ready M have the processor, but not from an interrupt handler (sigprof), which has to end first.
//
//go:nosplit
func osyield() {
	if gp := getg(); gp == gp.m.gsignal {
		return
	}
	if threads.nready.Load() == 0 {
		first := threads.first.Load()
		if first == 0 || nanotime() < first {
			return
		}
	}
	if gp := getg(); gp == gp.m.g0 {
		threadYield()
	} else {
		systemstack(threadYield)
	}
}

func threadYield() {
	mp := getg().m
	lockThreads()
	wakeSleeping(nanotime())
	if next := popReady(); next != nil {
		pushReady(mp)
		threadSwitch(mp, next)
	}
	unlockThreads()
}

// threadSwitch has next go on in place of mp, and returns when mp goes on.
func threadSwitch(mp, next *m) {
	next.thread.state = threadRuns
	next.procid = mp.procid
	threadswitch(&mp.thread.sp, next.thread.sp, next.g0)
}

func pushReady(mp *m) {
	mp.thread.state = threadReady
	threads.ready.push(mp)
	threads.nready.Add(1)
}

func popReady() *m {
	mp := threads.ready.pop()
	if mp != nil {
		threads.nready.Add(-1)
	}
	return mp
}

// sleep notes that mp's wait ends by itself. A processor that halts already may
// have to look earlier.
func sleep(mp *m) {
	threads.sleeping.push(mp)
	if first := threads.first.Load(); first == 0 || mp.thread.until < first {
		threads.first.Store(mp.thread.until)
	}
	if halted := threads.halted.pop(); halted != nil {
		halted.thread.state = threadRuns
		if goos.Wake != nil {
			goos.Wake(halted.procid)
		}
	}
}

// wakeSleeping makes those ready whose wait has ended, and returns when the
// first one of the others ends.
func wakeSleeping(now int64) int64 {
	first := forever
	var rest threadList
	for mp := threads.sleeping.pop(); mp != nil; mp = threads.sleeping.pop() {
		if mp.thread.until <= now {
			pushReady(mp)
			continue
		}
		first = min(first, mp.thread.until)
		rest.push(mp)
	}
	threads.sleeping = rest
	if first == forever {
		threads.first.Store(0)
	} else {
		threads.first.Store(first)
	}
	return first
}

// manyThreads reports whether there is more than one M.
func manyThreads() bool {
	return threads.started.Load() != 0
}
