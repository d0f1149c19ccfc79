// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

// There is no system to call on GOOS=tamago: this package is the system, as far
// as package os and others need one. Files live in memory (fs_tamago.go),
// there is one process, which is root, and the numbers, texts and types are
// Linux's on amd64: zerrors_tamago.go and ztypes_tamago.go are copies of its files.

package syscall

import (
	errorspkg "errors"
	"internal/oserror"
	"internal/strconv"
	"sync"
	_ "unsafe" // for linkname
)

// An Errno is an error number of Linux; 0 is no error. It matches the errors
// of package io/fs with [errors.Is].
type Errno uintptr

func (e Errno) Error() string {
	if e < Errno(len(errors)) && errors[e] != "" {
		return errors[e]
	}
	return "errno " + strconv.Itoa(int(e))
}

func (e Errno) Is(target error) bool {
	switch target {
	case oserror.ErrPermission:
		return e == EACCES || e == EPERM
	case oserror.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case oserror.ErrNotExist:
		return e == ENOENT
	case errorspkg.ErrUnsupported:
		return e == ENOSYS || e == EOPNOTSUPP
	}
	return false
}

func (e Errno) Temporary() bool {
	return e == EINTR || e == EMFILE || e == ENFILE || e.Timeout()
}

func (e Errno) Timeout() bool {
	return e == EAGAIN || e == ETIMEDOUT
}

// A Signal is the number of a signal, 1 to 31 with the meanings that Linux gives
// them; 64 to 255 are interrupt lines.
// It implements the [os.Signal] interface.
type Signal int

func (s Signal) Signal() {}

func (s Signal) String() string {
	if 0 < s && int(s) < len(signals) {
		return signals[s]
	}
	return "signal " + strconv.Itoa(int(s))
}

// Wait blocks until s, which is from 64 to 255, was raised by
// os/signal.Relay since the last Wait for s returned. Only one goroutine may
// wait for a signal.
func (s Signal) Wait() {
	signalWait(uint32(s))
}

//go:linkname signalWait
func signalWait(sig uint32) // in package runtime

// FaultHandler returns the address of what the handler of a processor exception
// calls to make the goroutine that caused it panic, as after SIGSEGV or SIGFPE on Unix.
// Its arguments are in registers: see sigfault in runtime/sys_tamago_$GOARCH.s. It
// is the same for every signal.
func (s Signal) FaultHandler() uintptr {
	return faultHandler()
}

// PreemptHandler returns the address of what the handlers of two interrupts call to preempt a
// goroutine that makes no calls, and to sample the CPU profile, or 0 where that cannot be: of the timer tick, after os/signal's Relay, and of
// the interrupt of another processor that send raises. Processors have the numbers that goos.ProcID returns;
// send is called on any stack of the runtime's, and may be nil with one processor. The handler's arguments are in registers: see
// sigpreempt in runtime/sys_tamago_amd64.s. It is the same for every signal, and a board asks once.
func (s Signal) PreemptHandler(send func(processor uint64)) uintptr {
	return preemptHandler(send)
}

//go:linkname preemptHandler
func preemptHandler(send func(processor uint64)) uintptr // in package runtime

//go:linkname faultHandler
func faultHandler() uintptr // in package runtime

const (
	Stdin  = 0
	Stdout = 1
	Stderr = 2
)

func setTimespec(sec, nsec int64) Timespec { return Timespec{sec, nsec} }
func setTimeval(sec, usec int64) Timeval   { return Timeval{sec, usec} }

func now() (sec int64, nsec int32) // in package runtime

func timeNow() Timespec {
	sec, nsec := now()
	return Timespec{sec, int64(nsec)}
}

func Gettimeofday(tv *Timeval) error {
	*tv = NsecToTimeval(TimespecToNsec(timeNow()))
	return nil
}

// Processes: there is one, it is root, and it cannot start another.

var ForkLock sync.RWMutex

type (
	WaitStatus  uint32
	SysProcAttr struct{}
)

type ProcAttr struct {
	Dir   string
	Env   []string
	Files []uintptr
	Sys   *SysProcAttr
}

func (w WaitStatus) Exited() bool       { return false }
func (w WaitStatus) ExitStatus() int    { return -1 }
func (w WaitStatus) Signaled() bool     { return false }
func (w WaitStatus) Signal() Signal     { return -1 }
func (w WaitStatus) CoreDump() bool     { return false }
func (w WaitStatus) Stopped() bool      { return false }
func (w WaitStatus) Continued() bool    { return false }
func (w WaitStatus) StopSignal() Signal { return -1 }
func (w WaitStatus) TrapCause() int     { return -1 }

func Getpid() int               { return 1 }
func Getppid() int              { return 0 }
func Getuid() int               { return 0 }
func Geteuid() int              { return 0 }
func Getgid() int               { return 0 }
func Getegid() int              { return 0 }
func Getgroups() ([]int, error) { return nil, nil }

func Kill(pid int, signum Signal) error {
	switch {
	case pid != Getpid():
		return ESRCH
	case signum != 0:
		return ENOSYS
	}
	return nil
}

func StartProcess(argv0 string, argv []string, attr *ProcAttr) (pid int, handle uintptr, err error) {
	return 0, 0, ENOSYS
}

func Wait4(pid int, wstatus *WaitStatus, options int, rusage *Rusage) (wpid int, err error) {
	return 0, ENOSYS
}

func Syscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err Errno) {
	return 0, 0, ENOSYS
}

func Syscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err Errno) {
	return 0, 0, ENOSYS
}

func RawSyscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err Errno) {
	return 0, 0, ENOSYS
}

func RawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err Errno) {
	return 0, 0, ENOSYS
}
