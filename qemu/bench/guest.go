package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/qemu"
)

// app is the folder of the server that both guests run.
const app = "qemu/benchapp"

// A Guest is a system that is measured.
type Guest struct {
	Name   string
	Config qemu.Config // without what is the same for all guests
	MinRAM uint64      // RAM with which it is not even tried to boot, in bytes
	Image  int64       // bytes that QEMU loads
	Packed *Guest      // the same in its self-extracting form; nil where it is that already
}

// Prepare builds the guests, tamanet first. What it takes comes from the network and from the go command's cache the
// first time; a second call needs neither.
func Prepare(ctx context.Context, o Options) ([]*Guest, error) {
	ours, err := tamanetGuest(ctx, o)
	if err != nil {
		return nil, err
	}
	linux, err := linuxGuest(ctx, o)
	if err != nil {
		return nil, err
	}
	return []*Guest{ours, linux}, nil
}

func tamanetGuest(ctx context.Context, o Options) (*Guest, error) {
	options := build.Options{App: filepath.Join(o.Root, app), Board: o.Board, Go: o.Go, Progress: o.Progress}
	a, err := build.Build(ctx, options)
	if err != nil {
		return nil, err
	}
	options.Compress = true
	packed, err := build.Build(ctx, options)
	if err != nil {
		return nil, err
	}
	board, err := qemu.LookupBoard(o.Board)
	if err != nil {
		return nil, err
	}
	g := &Guest{Name: "tamanet", Config: qemu.Config{Kernel: a.Path, Cmdline: o.Cmdline}, MinRAM: board.MinMem - mib, Image: a.Size}
	g.Packed = &Guest{Name: g.Name, Config: qemu.Config{Kernel: packed.Path, Cmdline: o.Cmdline}, MinRAM: g.MinRAM, Image: packed.Size}
	return g, nil
}

// linuxGuest makes the guest of Debian's kernel and the server as its init process.
func linuxGuest(ctx context.Context, o Options) (*Guest, error) {
	k, err := debianKernel(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	modules, err := k.modules(o.Board)
	if err != nil {
		return nil, err
	}
	server := filepath.Join(k.dir, "benchapp")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", server, "./"+app)
	cmd.Dir = o.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s for Linux: %w\n%s", app, err, out)
	}
	initrd := filepath.Join(k.dir, "initramfs-"+o.Board+".cpio.gz")
	size, err := writeInitramfs(initrd, server, modules)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(k.vmlinuz())
	if err != nil {
		return nil, err
	}
	g := &Guest{Name: "Linux", MinRAM: 16 * mib, Image: info.Size() + size}
	// quiet: a serial console is slow. panic=-1: a kernel that cannot go on reboots at once, which ends QEMU. Linux has
	// no way to find the TSC's rate on microvm without KVM: there is no PIT for it under ACPI with reduced hardware.
	words := []string{"console=ttyS0", "quiet", "panic=-1", "ip=10.0.2.15/24"}
	g.Config = qemu.Config{Kernel: k.vmlinuz(), Initrd: initrd, Cmdline: strings.Join(words, " ")}
	return g, nil
}

// packed returns the guest in its self-extracting form.
func (g *Guest) packed() *Guest {
	return cmp.Or(g.Packed, g)
}
