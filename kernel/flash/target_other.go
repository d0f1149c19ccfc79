//go:build !linux

package flash

import (
	"fmt"
	"os"
)

// open opens the target: only a plain file here, since what a disk is in use for is told differently
// on each system.
func (o *Options) open() (*target, error) {
	info, err := os.Stat(o.Target)
	if err != nil {
		return nil, refuse("%w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, refuse("%s is not a plain file: disks can be written on Linux only; elsewhere use dd bs=512 seek=2 conv=notrunc", o.Target)
	}
	f, err := os.OpenFile(o.Target, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return &target{File: f, size: info.Size()}, nil
}

func (t *target) dropCache() error { return nil }
