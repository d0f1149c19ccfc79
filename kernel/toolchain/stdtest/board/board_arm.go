//go:build tamago && arm

package board

import (
	"runtime/goos"
	"unsafe"

	_ "github.com/usbarmory/tamago/user/linux"
	_ "os/signal" // Relay, for the tick
)

// The system calls and structures of Linux on arm (EABI).
const (
	sysSetitimer   = 104
	sysNanosleep   = 162
	sysRtSigaction = 174
	sysSigaltstack = 186

	sigbus  = 7
	sigfpe  = 8
	sigsegv = 11
	sigalrm = 14

	saSiginfo  = 0x00000004
	saRestorer = 0x04000000
	saOnstack  = 0x08000000
	saRestart  = 0x10000000
)

type sigaction struct {
	handler  uintptr
	flags    uint32
	restorer uintptr
	mask     uint64
}

type stack struct {
	sp    *byte
	flags int32
	size  uintptr
}

type timeval struct{ sec, usec int32 }

type itimerval struct{ interval, value timeval }

// Defined in board_arm.s.
func rawSyscall(num, a1, a2, a3, a4 uintptr) uintptr
func handlers() (fault, tick, restorer uintptr)

//go:linkname faultHandler syscall.faultHandler
func faultHandler() uintptr

var (
	sigfault    uintptr // runtime.sigfault
	signalStack [64 << 10]byte
)

func init() {
	sigfault = faultHandler()
	fault, tick, restorer := handlers()
	st := stack{sp: &signalStack[0], size: uintptr(len(signalStack))}
	rawSyscall(sysSigaltstack, uintptr(unsafe.Pointer(&st)), 0, 0, 0)
	for sig, handler := range map[uintptr]uintptr{sigbus: fault, sigfpe: fault, sigsegv: fault, sigalrm: tick} {
		act := sigaction{handler: handler, flags: saSiginfo | saRestorer | saOnstack | saRestart, restorer: restorer, mask: ^uint64(0)}
		rawSyscall(sysRtSigaction, sig, uintptr(unsafe.Pointer(&act)), 0, 8)
	}
	const tickMicroseconds = 10000
	t := itimerval{timeval{usec: tickMicroseconds}, timeval{usec: tickMicroseconds}}
	rawSyscall(sysSetitimer, 0, uintptr(unsafe.Pointer(&t)), 0, 0)
	goos.Idle = idle
}

// idle sleeps briefly: a tick ends it, so that nothing that comes is late by
// more than that.
func idle(until int64) {
	now := goos.Nanotime()
	if until-now < 100e3 {
		return
	}
	d := [2]int32{0, int32(min(until-now, 1e6))}
	rawSyscall(sysNanosleep, uintptr(unsafe.Pointer(&d)), 0, 0, 0)
}
