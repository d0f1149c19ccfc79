// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package runtime

import (
	"internal/goarch"
	"internal/runtime/atomic"
	"internal/stringslite"
	"runtime/goos"
	"unsafe"
)

// GOOS=tamago: there is no system below. What a program needs of its machine
// comes from package runtime/goos, which the module that GOOSPKG names puts
// in place; see goos/goos.go of github.com/usbarmory/tamago for the contract.

const (
	arenaBaseOffsetGoos   = goos.ArenaBaseOffset
	heapAddrBitsGoos      = goos.HeapAddrBits
	logHeapArenaBytesGoos = goos.LogHeapArenaBytes*(1-smallArenas) + 19*smallArenas
	stackSystemGoos       = goos.StackSystem
)

const (
	// smallArenas has the heap grow by 512 KiB, as on wasm, and not by goos's 4 MiB, of which a machine of 20 MiB has one or
	// two: arenas are aligned to their size. On 32-bit processors the indexes cover all addresses, and would become larger.
	smallArenas = _64bit

	// smallTables has tables begin small that elsewhere are address space for the most part; here all of it is RAM.
	smallTables = 1
)

type mOS struct {
	waitsema atomic.Uint32
	thread   thread
}

type sigset struct{}

type gsignalStack struct{}

// cmdline holds the arguments of the program, set by the linker's -X flag.
var cmdline string

// hwinit0 is called by rt0_go before anything else of the runtime.
func hwinit0() {
	goos.Hwinit0()
}

func osinit() {
	physPageSize = 4096
	numCPUStartup = getCPUCount()
	initBloc()
	if goos.Bloc != 0 {
		bloc = goos.Bloc
		blocMax = bloc
	}
	if goarch.PtrSize == 8 && goos.RamSize >= ampleRAM {
		startingStackSize = 4 * fixedStack
	}
}

// ampleRAM is with how many bytes of RAM a goroutine that takes the place of one that has ended begins with 8 KiB of stack: one
// that serves a connection needs as much, and each doubling adjusts all of its frames. Others do not, and with less
// that is memory which connections need.
const ampleRAM = 64 << 20

// processors is how many processors there are.
var processors int32 = 1

func getCPUCount() int32 {
	return processors
}

// joinProcessors is called by GOMAXPROCS. Once a board has set goos.Task, the
// first value above 1 says how many processors it has; more than those are
// shared by Ms in turn.
func joinProcessors(n int) {
	if n > 1 && processors == 1 && !noThreads() {
		processors = int32(n)
		numCPUStartup = processors
	}
}

// noThreads reports that no M can be started besides the first.
func noThreads() bool {
	return goos.Task == nil
}

// goenvs also sets the arguments, which no loader passed. They are set here
// because this is what schedinit calls right after goargs.
func goenvs() {
	envs = []string{}
	argslice = []string{"tamago"}
	for s := cmdline; s != ""; {
		arg := s
		if i := stringslite.IndexByte(s, ' '); i >= 0 {
			arg, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		if arg != "" {
			argslice = append(argslice, arg)
		}
	}
}

// initsig is called by the first M once the scheduler is ready and before any
// goroutine runs: the moment for goos.Hwinit1.
func initsig(preinit bool) {
	if !preinit {
		goos.Hwinit1()
	}
}

// sbrk hands out the RAM between the program and the stack of g0.
func sbrk(n uintptr) unsafe.Pointer {
	p := bloc
	n = memRound(n)
	if n > g0.stack.lo-p || p > g0.stack.lo {
		return nil
	}
	bloc += n
	if bloc > blocMax {
		// RAM is not zero at power-up. What lies below blocMax was
		// cleared when it was freed.
		dirty := max(p, blocMax)
		memclrNoHeapPointers(unsafe.Pointer(dirty), bloc-dirty)
		blocMax = bloc
	}
	return unsafe.Pointer(p)
}

// ramEntries returns how many entries of 1<<shift bytes each an index over all
// RAM needs, rounded up to align: an index over all addresses would take
// RAM that is never used.
func ramEntries(shift uint, align uintptr) int {
	end := uintptr(goos.RamStart + goos.RamSize - 1)
	return int(alignUp(end>>shift+1, align))
}

//go:nosplit
func nanotime1() int64 {
	return goos.Nanotime()
}

//go:nosplit
func walltime() (sec int64, nsec int32) {
	ns := nanotime1()
	return ns / 1e9, int32(ns % 1e9)
}

//go:linkname syscall_now syscall.now
func syscall_now() (sec int64, nsec int32) {
	sec, nsec, _ = time_now()
	return
}

func readRandom(r []byte) int {
	goos.InitRNG()
	goos.GetRandomData(r)
	return len(r)
}

// GetRandomData fills b from the board's random number generator. b does not
// escape: a generator has no reason to keep it.
func GetRandomData(b []byte) {
	p := (*byte)(noescape(unsafe.Pointer(unsafe.SliceData(b))))
	goos.GetRandomData(unsafe.Slice(p, len(b)))
}

// GetG returns the address of the calling goroutine's descriptor.
func GetG() unsafe.Pointer {
	return unsafe.Pointer(getg())
}

//go:nosplit
func write1(fd uintptr, p unsafe.Pointer, n int32) int32 {
	if fd != 1 && fd != 2 {
		return -9 // EBADF
	}
	mp := acquirem() // a board may lock its console
	for i := range uintptr(n) {
		goos.Printk(*(*byte)(add(p, i)))
	}
	releasem(mp)
	return n
}

func exit(code int32) {
	if goos.Exit != nil {
		goos.Exit(code)
	}
	print("exit with code ", code, ", halting\n")
	for {
		idle(forever)
	}
}

// Stubs of calls that are never made.
func open(name *byte, mode, perm int32) int32        { return -1 }
func closefd(fd int32) int32                         { return -1 }
func read(fd int32, p unsafe.Pointer, n int32) int32 { return -1 }

func exitThread(wait *atomic.Uint32) {
	throw("exitThread: a processor never leaves")
}

// Called to initialize a new m (including the bootstrap m).
// Called on the parent thread (main thread in case of bootstrap), can allocate memory.
func mpreinit(mp *m) {
	mp.gsignal = malg(32 * 1024)
	mp.gsignal.m = mp
}

// Called on the new processor, cannot allocate memory.
func minit() {
	if goos.ProcID != nil {
		getg().m.procid = goos.ProcID()
	}
}

func unminit()                       {}
func mdestroy(mp *m)                 {}
func sigsave(p *sigset)              {}
func msigrestore(sigmask sigset)     {}
func sigblock(exiting bool)          {}
func clearSignalHandlers()           {}
func setProcessCPUProfiler(hz int32) {}
func setThreadCPUProfiler(hz int32)  { getg().m.profilehz = hz } // the handler of ticks looks there
func osyield_no_g()                  {}
func signame(sig uint32) string      { return "" }

//go:nosplit
func semacreate(mp *m) {}

//go:nosplit
func semasleep(ns int64) int {
	until := forever
	if ns >= 0 {
		until = nanotime() + ns
	}
	if !semawait(until, false) {
		return -1
	}
	return 0
}

// forever is the time that no wait reaches.
const forever = int64(1<<63 - 1)

// semawait takes the M's semaphore. It reports false when it could not until
// then, or, for a listener, when a signal arrived before.
//
//go:nosplit
func semawait(until int64, listens bool) bool {
	gp := getg()
	sema := &gp.m.waitsema
	for {
		if v := sema.Load(); v > 0 {
			if sema.CompareAndSwap(v, v-1) {
				return true
			}
			continue
		}
		if until != forever && nanotime() >= until || listens && atomic.Load(&sigArrived) != 0 {
			return false
		}
		if gp == gp.m.g0 {
			threadWait(until, listens)
		} else {
			systemstack(func() { threadWait(until, listens) })
		}
	}
}

//go:nosplit
func semawakeup(mp *m) {
	mp.waitsema.Add(1)
	threadWake(mp)
}

// parksleep is notesleep for an M that has nothing to do: it also collects the
// signals that arrive, which may give it something.
func parksleep(n *note) {
	if !manyThreads() {
		notesleep(n)
		return
	}
	mp := getg().m
	for {
		if !atomic.Casuintptr(&n.key, 0, uintptr(unsafe.Pointer(mp))) {
			return // woken
		}
		mp.blocked = true
		ok := semawait(forever, true)
		mp.blocked = false
		if ok {
			return
		}
		// Leave the note meanwhile: what follows may use the semaphore.
		if !atomic.Casuintptr(&n.key, uintptr(unsafe.Pointer(mp)), 0) {
			semasleep(-1) // woken
			return
		}
		pollSignals()
	}
}

// idle halts the processor until an interrupt, and not past until. It may
// return at any time; a board without goos.Idle spins.
//
//go:nosplit
func idle(until int64) {
	if goos.Idle != nil {
		goos.Idle(until)
	} else {
		procyield(30)
	}
}

//go:nosplit
func usleep(us uint32) {
	for until := nanotime() + int64(us)*1000; nanotime() < until; {
		osyield()
		procyield(30)
	}
}

//go:nosplit
func usleep_no_g(us uint32) {
	for until := nanotime() + int64(us)*1000; nanotime() < until; {
		procyield(30)
	}
}

//go:nosplit
func crash() {
	abort()
}

// os_sigpipe does nothing: the write's EPIPE says it.
//
//go:linkname os_sigpipe os.sigpipe
func os_sigpipe() {}
