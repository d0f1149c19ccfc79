// Package ifup makes tap interfaces of Linux, and switches interfaces on, where there is no ip(8) to do it.
package ifup

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Tap makes a tap interface for QEMU, whose frames have virtio-net's header before them, with several queues or one. It
// lasts until it is deleted, or its network namespace is.
func Tap(name string, multiQueue bool) error {
	flags := uint16(unix.IFF_VNET_HDR)
	if multiQueue {
		flags |= unix.IFF_MULTI_QUEUE
	}
	fd, err := tun(name, flags)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("keeping %s (TUNSETPERSIST): %w", name, err)
	}
	return nil
}

// Open makes a tap interface and returns the other end of its cable: each read and write is a frame, without offloads.
// The interface lasts until that is closed.
func Open(name string) (*os.File, error) {
	fd, err := tun(name, 0)
	if err != nil {
		return nil, err
	}
	// Only now can it be polled for, and a close end a read.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// tun returns a descriptor of a new tap interface (Linux Documentation/networking/tuntap.rst).
func tun(name string, flags uint16) (int, error) {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("/dev/net/tun: %w", err)
	}
	r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("making %s (TUNSETIFF): %w", name, err)
	}
	return fd, nil
}

// Up gives an interface its IPv4 address and switches it on (netdevice(7)). The error names the request that failed; EPERM is
// want of CAP_NET_ADMIN.
func Up(name string, addr netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	mask := ^uint32(0) << (32 - addr.Bits())
	for _, step := range []struct {
		name string
		req  uint
		set  func(*unix.Ifreq) error
	}{
		{"SIOCSIFADDR", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(addr.Addr().AsSlice()) }},
		{"SIOCSIFNETMASK", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error {
			return r.SetInet4Addr([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)})
		}},
		{"SIOCSIFFLAGS", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	} {
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := step.set(r); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, step.req, r); err != nil {
			return fmt.Errorf("%s of %s: %w", step.name, name, err)
		}
	}
	return nil
}
