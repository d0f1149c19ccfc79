package qemu

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// The values of Config.Accel.
const (
	AccelAuto = "auto" // KVM where ProbeKVM finds it, else TCG
	AccelKVM  = "kvm"
	AccelTCG  = "tcg" // software emulation
)

// ProbeKVM returns nil when KVM really works on this host, and otherwise why not.
//
// That /dev/kvm opens is not enough: paravirtual kinds of it exist on CPUs without VMX or SVM. They emulate what a
// guest kernel does instruction by instruction and die on the first one that they do not know.
func ProbeKVM() error {
	info, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return fmt.Errorf("no KVM: %w", err)
	}
	defer info.Close()
	return probeKVM(info, func() error {
		dev, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return dev.Close()
	})
}

// probeKVM is ProbeKVM over a given /proc/cpuinfo and way to open /dev/kvm.
func probeKVM(cpuinfo io.Reader, open func() error) error {
	ok, err := hasVirtualization(cpuinfo)
	if err != nil {
		return fmt.Errorf("no KVM: reading /proc/cpuinfo: %w", err)
	}
	if !ok {
		return errors.New("no KVM: the CPU flags in /proc/cpuinfo show neither vmx nor svm")
	}
	if err := open(); err != nil {
		return fmt.Errorf("no KVM: %w", err)
	}
	return nil
}

// hasVirtualization reports whether a "flags" line lists vmx (Intel) or svm (AMD).
func hasVirtualization(cpuinfo io.Reader) (bool, error) {
	sc := bufio.NewScanner(cpuinfo)
	sc.Buffer(nil, mib) // flags lines are long
	for sc.Scan() {
		key, flags, _ := strings.Cut(sc.Text(), ":")
		if strings.TrimSpace(key) != "flags" {
			continue
		}
		for _, f := range strings.Fields(flags) {
			if f == "vmx" || f == "svm" {
				return true, nil
			}
		}
	}
	return false, sc.Err()
}
