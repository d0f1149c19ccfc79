package main

import (
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tamanet/tamanet/qemu/bench/ifup"
)

// moduleDir is where the initramfs has the kernel modules, whose names sort in the order to load them in.
const moduleDir = "/modules"

// boot does what an init process has to do until the program can serve. As an ordinary process it does nothing.
func boot() {
	if os.Getpid() != 1 {
		return
	}
	if err := initialize(); err != nil {
		log.Fatal("benchapp: init: ", err) // the kernel panics at the end of its init process
	}
}

func initialize() error {
	modules, err := filepath.Glob(moduleDir + "/*.ko")
	if err != nil {
		return err
	}
	for _, path := range modules {
		if err := load(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := os.MkdirAll("/proc", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	for _, word := range strings.Fields(string(cmdline)) {
		if value, ok := strings.CutPrefix(word, "ip="); ok {
			addr, err := netip.ParsePrefix(value)
			if err != nil {
				return err
			}
			return ifup.Up("eth0", addr)
		}
	}
	return fmt.Errorf("no ip= on the kernel command line %q", cmdline)
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}
