//go:build !linux

package qemu

import (
	"os"
	"syscall"
)

// childAttr is nil: what Linux does here has no portable form.
func childAttr() *syscall.SysProcAttr { return nil }

// killGroup kills p.
func killGroup(p *os.Process) { p.Kill() }
