package flash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// open opens the target, and refuses one that is not for flashing.
func (o *Options) open() (*target, error) {
	info, err := os.Stat(o.Target)
	if err != nil {
		return nil, refuse("%w", err)
	}
	flags := os.O_RDWR
	if o.DryRun {
		flags = os.O_RDONLY
	}
	block := info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0
	switch {
	case block:
		// Refuses a device that is mounted at this moment, or becomes so before we are done.
		flags |= unix.O_EXCL
	case !info.Mode().IsRegular():
		return nil, refuse("%s is neither a disk nor a plain file", o.Target)
	}
	if block {
		if err := o.checkDevice(deviceNumber(rdev(info))); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(o.Target, flags, 0)
	if err != nil {
		return nil, refuse("%w", err)
	}
	t := &target{File: f, size: info.Size(), block: block}
	if t.size, err = f.Seek(0, 2); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: its size: %w", o.Target, err)
	}
	return t, nil
}

// checkDevice refuses what is no whole disk, or is in use.
func (o *Options) checkDevice(dev string) error {
	disk, err := filepath.EvalSymlinks(filepath.Join(o.sys, "dev/block", dev))
	if err != nil {
		return refuse("%s: what it is cannot be told: %w", o.Target, err)
	}
	if _, err := os.Stat(filepath.Join(disk, "partition")); err == nil {
		return refuse("%s is a partition; the image goes ahead of the first one, so name the disk, /dev/%s",
			o.Target, filepath.Base(filepath.Dir(disk)))
	}
	if ro, _ := os.ReadFile(filepath.Join(disk, "ro")); strings.TrimSpace(string(ro)) == "1" {
		return refuse("%s is write-protected", o.Target)
	}
	uses, err := o.uses()
	if err != nil {
		return refuse("what is in use cannot be told: %w", err)
	}
	for _, u := range uses {
		if !slices.Contains(o.disks(u.dev), filepath.Base(disk)) {
			continue
		}
		if u.system() {
			return refuse("%s is the disk that this system runs from: %s is on it", o.Target, u.what)
		}
		return refuse("%s is in use: %s is on it; unmount it first", o.Target, u.what)
	}
	return nil
}

// use is something that a block device is used for.
type use struct {
	dev  string // its number, as "8:1"
	what string // a mount point, or swap space
}

// system says whether the system needs it to run.
func (u use) system() bool {
	return u.what == "swap space" || slices.Contains([]string{"/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "/etc"}, u.what)
}

// uses returns what block devices are used for: mounts (proc(5), mountinfo) and swap, the system's first.
func (o *Options) uses() ([]use, error) {
	mounts, err := os.ReadFile(filepath.Join(o.proc, "self/mountinfo"))
	if err != nil {
		return nil, err
	}
	var all []use
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) >= 5 {
			// \040 is how a space in the path is written.
			all = append(all, use{f[2], strings.ReplaceAll(f[4], `\040`, " ")})
		}
	}
	swaps, err := os.ReadFile(filepath.Join(o.proc, "swaps"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range strings.Lines(string(swaps)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[1] != "partition" {
			continue
		}
		if info, err := os.Stat(f[0]); err == nil {
			all = append(all, use{deviceNumber(rdev(info)), "swap space"})
		}
	}
	slices.SortStableFunc(all, func(a, b use) int {
		switch {
		case a.system() == b.system():
			return 0
		case a.system():
			return -1
		}
		return 1
	})
	return all, nil
}

// disks returns the names of the whole disks that a device is on: through partitions, and through what
// LVM, RAID and encryption put above others.
func (o *Options) disks(dev string) []string {
	path, err := filepath.EvalSymlinks(filepath.Join(o.sys, "dev/block", dev))
	if err != nil {
		return nil // of no block device, as proc
	}
	if _, err := os.Stat(filepath.Join(path, "partition")); err == nil {
		path = filepath.Dir(path)
	}
	all := []string{filepath.Base(path)}
	below, _ := filepath.Glob(filepath.Join(path, "slaves", "*", "dev"))
	for _, f := range below {
		if b, err := os.ReadFile(f); err == nil {
			all = append(all, o.disks(strings.TrimSpace(string(b)))...)
		}
	}
	return all
}

func deviceNumber(rdev uint64) string {
	return fmt.Sprintf("%d:%d", unix.Major(rdev), unix.Minor(rdev))
}

// dropCache makes the next reads come from the medium.
func (t *target) dropCache() error {
	if t.block {
		if err := unix.IoctlSetInt(int(t.Fd()), unix.BLKFLSBUF, 0); err != nil {
			return err
		}
	}
	return unix.Fadvise(int(t.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// rdev is the device number of a device's file.
func rdev(info os.FileInfo) uint64 { return uint64(info.Sys().(*syscall.Stat_t).Rdev) }
