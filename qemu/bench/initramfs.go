package bench

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cavaliergopher/cpio"
)

// writeInitramfs writes a compressed initramfs (Linux Documentation/driver-api/early-userspace/buffer-format.rst) with
// the program as /init and the modules in /modules, numbered in their order. It returns the size.
func writeInitramfs(path, program string, modules []string) (size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	if err := writeArchive(z, program, modules); err != nil {
		return 0, err
	}
	if err := z.Close(); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// writeArchive writes the archive itself. The kernel makes /dev/console without being told.
func writeArchive(w io.Writer, program string, modules []string) error {
	a := cpio.NewWriter(w)
	if err := addFile(a, "init", program, 0o755); err != nil {
		return err
	}
	if err := a.WriteHeader(&cpio.Header{Name: "modules", Mode: cpio.TypeDir | 0o755}); err != nil {
		return err
	}
	for i, m := range modules {
		if err := addFile(a, fmt.Sprintf("modules/%02d-%s", i, filepath.Base(m)), m, 0o644); err != nil {
			return err
		}
	}
	return a.Close()
}

func addFile(a *cpio.Writer, name, path string, mode cpio.FileMode) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := a.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err = a.Write(b)
	return err
}
