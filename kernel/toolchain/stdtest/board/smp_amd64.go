//go:build tamago && amd64

package board

import (
	"runtime"
	"runtime/goos"
	"strconv"
	"sync/atomic"
	"unsafe"
)

// processors is how many processors there are, a number that the linker's flag -X sets.
// Each is a thread of Linux.
var processors = "1"

const maxProcessors = 8

// proc is a processor. Threads read their own, by its number in tids.
type proc struct {
	wake       atomic.Uint32 // a futex: 1 ends idle
	sp, gp, fn uintptr       // what Task was told
}

var (
	procs  [maxProcessors]proc
	tids   [maxProcessors]atomic.Uint32
	nprocs atomic.Uint32 // that have been started
)

func startProcessors() {
	n, err := strconv.Atoi(processors)
	if err != nil || n < 1 || n > maxProcessors {
		panic("stdtest/board: processors is " + processors)
	}
	if n == 1 {
		return
	}
	tids[0].Store(gettid())
	nprocs.Store(1)
	goos.ProcID = processor
	goos.Wake = wake
	goos.Task = task
	goos.Exit = func(code int32) { rawSyscall(sysExitGroup, uintptr(code), 0, 0, 0) } // of user/linux, a thread's
	runtime.GOMAXPROCS(n)
}

//go:nosplit
func gettid() uint32 { return uint32(rawSyscall(sysGettid, 0, 0, 0, 0)) }

// processor returns the number of the processor that this is.
//
//go:nosplit
func processor() uint64 {
	for i, tid := uint64(0), gettid(); i < maxProcessors; i++ {
		if tids[i].Load() == tid {
			return i
		}
	}
	return 0
}

func wake(id uint64) {
	p := &procs[id]
	if p.wake.Swap(1) == 0 {
		rawSyscall(sysFutex, uintptr(unsafe.Pointer(&p.wake)), futexWake, 1, 0)
	}
}

// preemptProcessor raises the interrupt that preempts what a processor runs.
func preemptProcessor(id uint64) {
	if tid := tids[id].Load(); tid != 0 {
		rawSyscall(sysTkill, uintptr(tid), sigurg, 0, 0)
	}
}

func task(sp, mp, gp, fn unsafe.Pointer) {
	id := nprocs.Add(1) - 1
	p := &procs[id]
	p.sp, p.gp, p.fn = uintptr(sp), uintptr(gp), uintptr(fn)
	clone(uint64(id), p.sp)
}

// clone starts a thread with that stack, which calls started with its number, and goes
// on at its processor's fn. Defined in board_amd64.s.
func clone(id uint64, sp uintptr)

// started makes the thread its processor. It has no g yet.
//
//go:nosplit
func started(id uint64) {
	tids[id].Store(gettid())
	setSignalStack(id)
}

// forward passes the timer tick on: the process has one timer, and Linux any thread take
// its signal. It runs in signal handlers; code is the signal's si_code.
//
//go:nosplit
func forward(code int32) {
	if code == siTkill {
		return
	}
	self := processor()
	for i := range uint64(nprocs.Load()) {
		if tid := tids[i].Load(); i != self && tid != 0 {
			rawSyscall(sysTkill, uintptr(tid), sigalrm, 0, 0)
		}
	}
}
