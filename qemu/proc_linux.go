package qemu

import (
	"os"
	"syscall"
)

// childAttr gives QEMU a process group of its own, so that a terminal's Ctrl-C reaches only its parent, which ends it
// in order; and has the kernel kill it should the parent die first.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills p and whatever it started.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
