//go:build tamago && amd64

package board

import (
	"runtime/goos"
	"unsafe"

	_ "github.com/usbarmory/tamago/user/linux"
	_ "os/signal" // Relay, for the tick
)

// The system calls and structures of Linux on amd64.
const (
	sysRtSigaction = 13
	sysNanosleep   = 35
	sysGettid      = 186
	sysTkill       = 200
	sysFutex       = 202
	sysExitGroup   = 231
	sysSetitimer   = 38
	sysSigaltstack = 131

	sigbus  = 7
	sigfpe  = 8
	sigsegv = 11
	sigalrm = 14
	sigurg  = 23
	siTkill = -6

	futexWait = 0 | 128 // private
	futexWake = 1 | 128

	saRestorer = 0x04000000
	saOnstack  = 0x08000000
	saRestart  = 0x10000000
	saNodefer  = 0x40000000
)

type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

type stack struct {
	sp    *byte
	flags int32
	size  uintptr
}

type timeval struct{ sec, usec int64 }

type itimerval struct{ interval, value timeval }

// Defined in board_amd64.s.
func rawSyscall(num, a1, a2, a3, a4 uintptr) uintptr
func handlers() (fault, tick, preempt, restorer uintptr)

//go:linkname faultHandler syscall.faultHandler
func faultHandler() uintptr

//go:linkname preemptHandler syscall.preemptHandler
func preemptHandler(send func(processor uint64)) uintptr

// Assembly of package runtime.
var (
	sigfault   uintptr
	sigpreempt uintptr

	signalStacks [maxProcessors][64 << 10]byte
)

func init() {
	sigfault = faultHandler()
	sigpreempt = preemptHandler(preemptProcessor)
	fault, tick, preempt, restorer := handlers()
	setSignalStack(0)
	for sig, handler := range map[uintptr]uintptr{sigbus: fault, sigfpe: fault, sigsegv: fault, sigalrm: tick, sigurg: preempt} {
		act := sigaction{handler: handler, flags: saRestorer | saOnstack | saRestart, restorer: restorer, mask: ^uint64(0)}
		rawSyscall(sysRtSigaction, sig, uintptr(unsafe.Pointer(&act)), 0, 8)
	}
	const tickMicroseconds = 10000
	t := itimerval{timeval{usec: tickMicroseconds}, timeval{usec: tickMicroseconds}}
	rawSyscall(sysSetitimer, 0, uintptr(unsafe.Pointer(&t)), 0, 0)
	goos.Idle = idle
	startProcessors()
}

// setSignalStack gives the thread of a processor its stack for signal handlers.
//
//go:nosplit
func setSignalStack(processor uint64) {
	s := &signalStacks[processor]
	st := stack{sp: &s[0], size: uintptr(len(s))}
	rawSyscall(sysSigaltstack, uintptr(unsafe.Pointer(&st)), 0, 0, 0)
}

// idle sleeps briefly: a tick ends it, so that nothing that comes is late by
// more than that.
func idle(until int64) {
	now := goos.Nanotime()
	if until-now < 100e3 {
		return
	}
	d := [2]int64{0, min(until-now, 1e6)}
	if goos.Task == nil {
		rawSyscall(sysNanosleep, uintptr(unsafe.Pointer(&d)), 0, 0, 0)
		return
	}
	p := &procs[processor()]
	if p.wake.Swap(0) == 0 {
		rawSyscall(sysFutex, uintptr(unsafe.Pointer(&p.wake)), futexWait, 0, uintptr(unsafe.Pointer(&d)))
		p.wake.Store(0)
	}
}
