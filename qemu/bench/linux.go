package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tamanet/tamanet/qemu"
)

// kernelPackage is the Debian package that depends on the newest kernel for virtual machines.
const kernelPackage = "linux-image-cloud-amd64"

// ErrNoKernel is Run's error, wrapped, where the Linux kernel cannot be had: there is no apt, or it does not have it.
var ErrNoKernel = errors.New("the Linux guest needs Debian's package " + kernelPackage)

// transports holds the modules of the virtio transport of each board that Linux boots on, in the order of loading.
var transports = map[string][]string{
	"microvm": {"virtio_mmio"},
	"q35":     {"virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"},
}

// kernel is a Linux kernel with its modules, unpacked from its Debian package.
type kernel struct{ dir, version string }

func (k kernel) vmlinuz() string { return filepath.Join(k.dir, "boot", "vmlinuz-"+k.version) }

// debianKernel fetches and unpacks the kernel into the user's cache when it is not there. Nothing is installed.
func debianKernel(ctx context.Context, progress io.Writer) (kernel, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return kernel{}, fmt.Errorf("the Linux kernel is kept in the user's cache: %w", err)
	}
	cache = filepath.Join(cache, "tamanet", "linux")
	if have, _ := filepath.Glob(filepath.Join(cache, "*", "boot", "vmlinuz-*")); len(have) > 0 {
		return unpacked(have[len(have)-1]), nil
	}
	for _, program := range []string{"apt-cache", "apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return kernel{}, fmt.Errorf("%w: %w", ErrNoKernel, err)
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return kernel{}, err
	}
	dir, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return kernel{}, err
	}
	defer os.RemoveAll(dir)
	name, err := fetchKernel(ctx, dir, progress)
	if err != nil {
		return kernel{}, fmt.Errorf("%w: %w", ErrNoKernel, err)
	}
	final := filepath.Join(cache, name)
	if err := os.Rename(filepath.Join(dir, "root"), final); err != nil && !errors.Is(err, fs.ErrExist) {
		return kernel{}, err
	}
	have, _ := filepath.Glob(filepath.Join(final, "boot", "vmlinuz-*"))
	if len(have) == 0 {
		return kernel{}, fmt.Errorf("package %s holds no boot/vmlinuz", name)
	}
	return unpacked(have[0]), nil
}

// unpacked returns the kernel whose vmlinuz has that path.
func unpacked(vmlinuz string) kernel {
	return kernel{dir: filepath.Dir(filepath.Dir(vmlinuz)), version: strings.TrimPrefix(filepath.Base(vmlinuz), "vmlinuz-")}
}

// dependency is the line in which apt-cache names the kernel itself.
var dependency = regexp.MustCompile(`(?m)^ *Depends: (linux-image-\S+)$`)

// fetchKernel unpacks the kernel's package into the folder root of dir, and returns the name of the package.
func fetchKernel(ctx context.Context, dir string, progress io.Writer) (string, error) {
	said, err := command(ctx, dir, "apt-cache", "depends", kernelPackage)
	if err != nil {
		return "", fmt.Errorf("%w (the lists of packages may be missing: apt-get update)", err)
	}
	m := dependency.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("apt-cache says of it: %q", said)
	}
	fmt.Fprintf(progress, "fetching %s\n", m[1])
	if _, err := command(ctx, dir, "apt-get", "download", m[1]); err != nil {
		return "", fmt.Errorf("%w (the lists of packages may be old: apt-get update)", err)
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download left %q", debs)
	}
	_, err = command(ctx, dir, "dpkg-deb", "-x", debs[0], "root")
	return m[1], err
}

// command runs a program in dir and returns what it prints.
func command(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", qemu.CommandLine(program, args), err, out)
	}
	return string(out), nil
}

// modules returns the files of the modules that a virtio network card on board takes, in the order of loading.
func (k kernel) modules(board string) ([]string, error) {
	transport := transports[board]
	if transport == nil {
		return nil, fmt.Errorf("board is %q; Linux is compared on: microvm, q35", board)
	}
	base := filepath.Join(k.dir, "lib", "modules", k.version, "kernel")
	names := append([]string{"virtio", "virtio_ring"}, transport...)
	var paths []string
	for _, name := range append(names, "failover", "net_failover", "virtio_net") {
		var path string
		err := filepath.WalkDir(base, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == name+".ko" {
				path = p
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if path == "" {
			return nil, fmt.Errorf("kernel %s has no module %s.ko", k.version, name)
		}
		paths = append(paths, path)
	}
	return paths, nil
}
