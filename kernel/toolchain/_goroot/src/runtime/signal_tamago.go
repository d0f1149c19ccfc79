// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"internal/runtime/sys"
	"unsafe"
)

// An interrupt is a signal, and a signal is a netpoll event.
//
// An interrupt handler calls os/signal.Relay, which is sigrelay in
// sys_tamago_$GOARCH.s: it sets the signal's bit in sigPending, then
// sigArrived, and touches nothing else. The scheduler collects the bits where
// it looks for work anyway: in pollSignals each time it picks a goroutine, in
// netpoll before and after it idles, and in parksleep. Only there, outside of any
// interrupt, goroutines become ready. A wake-up cannot be lost: goos.Idle
// returns at once when an interrupt came since it returned last, and masks
// interrupts between that check and the halt.
//
// Signals below numOSSignals go to package os/signal. Each of the others may
// have one goroutine that waits for it, in syscall.Signal.Wait: a board uses
// them for its interrupt lines. A signal that arrives again before it was
// received is received once.

const (
	numSignals   = 256
	numOSSignals = 64 // SIGTRAP is what boards of package tamago raise

	sigSegv = 11
	sigFPE  = 8
)

// Written in interrupt handlers, by sigrelay.
var (
	sigPending [numSignals / 32]uint32
	sigArrived uint32
)

var sigs struct {
	lock mutex

	collected [numSignals / 32]uint32 // arrived, and nobody waited
	waiter    [numSignals]guintptr    // by syscall.Signal.Wait
	receiver  guintptr                // in signal_recv

	// For os/signal only.
	wanted  [numOSSignals / 32]uint32
	ignored [numOSSignals / 32]uint32
}

// collectSignals makes those goroutines ready that wait for a signal that
// arrived: it returns them, with what to add to netpollWaiters.
func collectSignals() (list gList, delta int32) {
	if atomic.Xchg(&sigArrived, 0) == 0 {
		return gList{}, 0
	}
	lock(&sigs.lock)
	for w := range sigPending {
		if atomic.Load(&sigPending[w]) == 0 {
			continue
		}
		bits := atomic.Xchg(&sigPending[w], 0)
		if w < len(sigs.wanted) {
			bits &= sigs.wanted[w]
			if bits != 0 && sigs.receiver != 0 {
				list.push(sigs.receiver.ptr())
				sigs.receiver = 0
				delta--
			}
		}
		sigs.collected[w] |= bits
		for w >= len(sigs.wanted) && bits != 0 {
			i := sys.TrailingZeros32(bits)
			bits &^= 1 << i
			if gp := &sigs.waiter[w*32+i]; *gp != 0 {
				sigs.collected[w] &^= 1 << i
				list.push(gp.ptr())
				*gp = 0
				delta--
			}
		}
	}
	unlock(&sigs.lock)
	return list, delta
}

// pollSignals is called by the scheduler each time it picks a goroutine:
// without it, goroutines that keep each other runnable would keep interrupts
// waiting, as there is no sysmon to poll for them.
func pollSignals() {
	osyield()
	if atomic.Load(&sigArrived) == 0 {
		return
	}
	list, delta := collectSignals()
	injectglist(&list)
	netpollAdjustWaiters(delta)
}

// The operations of a network poller. Descriptors are package syscall's, which
// says when they are ready.

func netpollinit()                            {}
func netpollIsPollDescriptor(fd uintptr) bool { return false }
func netpollarm(pd *pollDesc, mode int)       {}

//go:linkname netpollopen syscall.pollOpen
func netpollopen(fd uintptr, pd *pollDesc) int32

//go:linkname netpollclose syscall.pollClose
func netpollclose(fd uintptr) int32

// syscall_pollReady readies the goroutines that wait for pd to be readable,
// writable or both: mode is 'r', 'w' or 'r'+'w'.
//
//go:linkname syscall_pollReady syscall.pollReady
func syscall_pollReady(pd *pollDesc, mode int32) {
	var list gList
	delta := netpollready(&list, pd, mode)
	for !list.empty() {
		netpollgoready(list.pop(), 3)
	}
	netpollAdjustWaiters(delta)
}

// poller is the M that waits in netpoll. The scheduler lets one do so at a time; TestNetpollBreak
// has another one wait beside it, and the first has to be woken again after that.
var poller struct {
	m      atomic.Uintptr // *m, which is never freed, and may be one that waits no more
	broken atomic.Uint32  // netpollBreak came
}

// netpollBreak ends the waiting in netpoll, or the next one when none has begun.
func netpollBreak() {
	poller.broken.Store(1)
	if mp := (*m)(unsafe.Pointer(poller.m.Load())); mp != nil {
		threadWake(mp)
	}
}

// netpoll returns the goroutines whose signals arrived. It waits for an
// interrupt for delay nanoseconds, forever when delay is negative, and may
// return before with nothing.
func netpoll(delay int64) (gList, int32) {
	if list, delta := collectSignals(); !list.empty() || delay == 0 {
		return list, delta
	}
	until := forever
	if delay > 0 {
		until = nanotime() + delay
	}
	self := uintptr(unsafe.Pointer(getg().m))
	other := poller.m.Swap(self)
	if poller.broken.Swap(0) == 0 {
		threadWait(until, true)
	}
	poller.m.CompareAndSwap(self, other)
	return collectSignals()
}

// syscall_signalWait blocks until signal s arrived since the last time that it
// returned for s.
//
//go:linkname syscall_signalWait syscall.signalWait
func syscall_signalWait(s uint32) {
	if s < numOSSignals || s >= numSignals {
		panic(plainError("syscall: Wait is for signals from 64 to 255, package os/signal receives those below"))
	}
	netpollGenericInit()
	bit := uint32(1) << (s % 32)
	lock(&sigs.lock)
	if w := &sigs.collected[s/32]; *w&bit != 0 {
		*w &^= bit
		unlock(&sigs.lock)
		return
	}
	if sigs.waiter[s] != 0 {
		unlock(&sigs.lock)
		panic(plainError("syscall: two goroutines wait for one signal"))
	}
	sigs.waiter[s].set(getg())
	netpollAdjustWaiters(1)
	goparkunlock(&sigs.lock, waitReasonIOWait, traceBlockNet, 2)
}

// What package os/signal is made of, as in sigqueue.go.

//go:linkname signal_recv os/signal.signal_recv
func signal_recv() uint32 {
	netpollGenericInit()
	for {
		lock(&sigs.lock)
		for w := range sigs.wanted {
			if bits := sigs.collected[w]; bits != 0 {
				i := sys.TrailingZeros32(bits)
				sigs.collected[w] &^= 1 << i
				unlock(&sigs.lock)
				return uint32(w*32 + i)
			}
		}
		sigs.receiver.set(getg())
		netpollAdjustWaiters(1)
		goparkunlock(&sigs.lock, waitReasonIOWait, traceBlockNet, 2)
	}
}

// signalWaiting reports whether package os/signal waits and nothing is on its
// way to it.
//
//go:linkname signalWaiting os/signal.Waiting
func signalWaiting() bool {
	lock(&sigs.lock)
	waiting := sigs.receiver != 0 && atomic.Load(&sigArrived) == 0
	unlock(&sigs.lock)
	return waiting
}

//go:linkname signalWaitUntilIdle os/signal.signalWaitUntilIdle
func signalWaitUntilIdle() {
	for !signalWaiting() {
		Gosched()
	}
}

//go:linkname signal_enable os/signal.signal_enable
func signal_enable(s uint32) { setSignal(s, true, false) }

//go:linkname signal_disable os/signal.signal_disable
func signal_disable(s uint32) {
	if s < numOSSignals {
		setSignal(s, false, signal_ignored(s))
	}
}

//go:linkname signal_ignore os/signal.signal_ignore
func signal_ignore(s uint32) { setSignal(s, false, true) }

func setSignal(s uint32, wanted, ignored bool) {
	if s >= numOSSignals {
		return
	}
	bit := uint32(1) << (s % 32)
	lock(&sigs.lock)
	sigs.wanted[s/32] &^= bit
	sigs.ignored[s/32] &^= bit
	if wanted {
		sigs.wanted[s/32] |= bit
	}
	if ignored {
		sigs.ignored[s/32] |= bit
	}
	unlock(&sigs.lock)
}

//go:linkname signal_ignored os/signal.signal_ignored
func signal_ignored(s uint32) bool {
	return s < numOSSignals && sigs.ignored[s/32]&(1<<(s%32)) != 0
}

// sigfault is for the handler of a processor exception: assembly only, the
// arguments are in registers. It arranges that the goroutine which caused the
// exception panics when the handler returns, as after SIGSEGV or SIGFPE on
// Unix, and reports whether it could.
func sigfault()

// syscall_faultHandler returns the address of sigfault.
//
//go:linkname syscall_faultHandler syscall.faultHandler
func syscall_faultHandler() uintptr {
	return abi.FuncPCABI0(sigfault)
}

// sigpanic is where a goroutine goes on after an exception. sigfault made it
// look like a call by the instruction that caused it.
func sigpanic() {
	gp := getg()
	if !canpanic() {
		throw("unexpected signal during runtime execution")
	}
	switch gp.sig {
	case sigSegv:
		if gp.sigcode1 < 0x1000 {
			panicmem()
		}
		if gp.paniconfault {
			panicmemAddr(gp.sigcode1)
		}
		print("unexpected fault address ", hex(gp.sigcode1), "\n")
		throw("fault")
	case sigFPE:
		panicdivide()
	}
	print("signal ", gp.sig, " at ", unsafe.Pointer(gp.sigpc), "\n")
	throw("unexpected signal")
}
