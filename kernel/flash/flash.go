// Package flash writes a boot image to a memory card or eMMC, where the i.MX6 boot ROM
// looks for it: at offset 1024, ahead of the first partition, whose table stays as it is.
//
// It refuses whatever looks like a mistake, before it writes a byte: an image that the boot ROM would
// not start, a disk that is in use or that the system runs from, a partition, a device that is too small, a
// partition where the image would go. A plain file does for a device.
package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tamanet/tamanet/kernel/imx"
)

// ErrRefused is wrapped by everything that is refused before a byte was written.
var ErrRefused = errors.New("refused")

// ErrVerify is wrapped when the target does not hold what was written to it.
var ErrVerify = errors.New("read back differs")

// Options say what to write where.
type Options struct {
	// Target is the path of a whole disk's block device, or of a plain file.
	Target string
	// Image is the image's content.
	Image []byte
	// DryRun has everything checked and nothing written.
	DryRun bool
	// Progress is told what is done; nil is nobody.
	Progress io.Writer

	// sys and proc are where sysfs and procfs are; tests have their own.
	sys, proc string
}

// chunk is how much is written at a time: what is between two lines of progress.
const chunk = mib

const mib = 1 << 20

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// Write checks the image and the target, writes, and reads back. It blocks until that is on the
// medium, or until ctx ends; then the target holds a part of the image. The errors wrap ErrRefused,
// ErrVerify, or are the system's.
func Write(ctx context.Context, o Options) error {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.sys == "" {
		o.sys, o.proc = "/sys", "/proc"
	}
	image, err := imx.Parse(o.Image)
	if err != nil {
		return refuse("the image: %w", err)
	}
	fmt.Fprintf(o.Progress, "image: %d bytes, loads to %#x, enters at %#x, DCD of %d writes\n", len(o.Image), image.Load, image.Entry, len(image.DCD))
	t, err := o.open()
	if err != nil {
		return err
	}
	defer t.Close()
	if err := o.check(t); err != nil {
		return err
	}
	if o.DryRun {
		fmt.Fprintf(o.Progress, "dry run: nothing was written\n")
		return nil
	}
	if err := o.write(ctx, t); err != nil {
		return err
	}
	return o.verify(ctx, t)
}

// check refuses a target that the image does not fit into.
func (o *Options) check(t *target) error {
	end := int64(imx.CardOffset + len(o.Image))
	if t.size < end {
		return refuse("%s is too small: it has %d bytes, and the image ends at %d", o.Target, t.size, end)
	}
	first, err := firstPartition(t)
	if err != nil {
		return err
	}
	if first > 0 && first < end {
		return refuse("%s: its first partition begins at %d, and the image ends at %d; have it begin at %d",
			o.Target, first, end, (end+mib-1)&^(mib-1))
	}
	if first > 0 {
		fmt.Fprintf(o.Progress, "%s: %d bytes, first partition at %d\n", o.Target, t.size, first)
	} else {
		fmt.Fprintf(o.Progress, "%s: %d bytes, no partitions\n", o.Target, t.size)
	}
	return nil
}

func (o *Options) write(ctx context.Context, t *target) error {
	begin := time.Now()
	for off := 0; off < len(o.Image); off += chunk {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s holds %d of the image's %d bytes: %w", o.Target, off, len(o.Image), context.Cause(ctx))
		}
		part := o.Image[off:min(off+chunk, len(o.Image))]
		if _, err := t.WriteAt(part, imx.CardOffset+int64(off)); err != nil {
			return fmt.Errorf("%s holds %d of the image's %d bytes: %w", o.Target, off, len(o.Image), err)
		}
		// So that progress is the medium's, not that of the page cache.
		if err := t.Sync(); err != nil {
			return fmt.Errorf("%s: %w", o.Target, err)
		}
		o.progress("writing", off+len(part), begin)
	}
	return nil
}

// verify reads everything back from the medium.
func (o *Options) verify(ctx context.Context, t *target) error {
	if err := t.dropCache(); err != nil {
		return fmt.Errorf("%s: dropping what the page cache has of it: %w", o.Target, err)
	}
	begin, buf := time.Now(), make([]byte, chunk)
	for off := 0; off < len(o.Image); off += chunk {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s was written, but not read back: %w", o.Target, context.Cause(ctx))
		}
		want := o.Image[off:min(off+chunk, len(o.Image))]
		got := buf[:len(want)]
		if _, err := io.ReadFull(io.NewSectionReader(t, imx.CardOffset+int64(off), int64(len(got))), got); err != nil {
			return fmt.Errorf("%s was written, but not read back: %w", o.Target, err)
		}
		if !bytes.Equal(got, want) {
			at := 0
			for got[at] == want[at] {
				at++
			}
			return fmt.Errorf("%w: %s at offset %d, image at %d: is the card worn out, or was it taken out?", ErrVerify, o.Target, imx.CardOffset+off+at, off+at)
		}
		o.progress("reading back", off+len(want), begin)
	}
	fmt.Fprintf(o.Progress, "%s holds the image\n", o.Target)
	return nil
}

func (o *Options) progress(what string, n int, begin time.Time) {
	fmt.Fprintf(o.Progress, "%s: %d of %d bytes, %d%%, %.1f s\n", what, n, len(o.Image), n*100/len(o.Image), time.Since(begin).Seconds())
}

// target is an open target.
type target struct {
	*os.File
	size  int64
	block bool
}
