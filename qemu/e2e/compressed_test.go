package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tamanet/tamanet/kernel/pack"
	"github.com/tamanet/tamanet/qemu"
)

// compressed returns the demo appliance's kernel in its self-extracting form.
func compressed(t *testing.T) []byte {
	t.Helper()
	needs(t, "self-extracting kernels", func(b *qemu.Board) bool { return b.Arch == "amd64" })
	path := Kernel(t, "", statusApp)
	packed, err := packOnce(path)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// packed holds what packOnce has made, by the kernel's path.
var packed sync.Map

// packOnce packs a kernel, which takes some seconds, unless it has.
func packOnce(path string) ([]byte, error) {
	if b, ok := packed.Load(path); ok {
		return b.([]byte), nil
	}
	kernel, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := pack.Pack(kernel)
	if err == nil {
		packed.Store(path, b)
	}
	return b, err
}

// saved writes a kernel to a file and returns its path.
func saved(t *testing.T, kernel []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kernel.elf")
	if err := os.WriteFile(path, kernel, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCompressedKernel finds what the loader says and the heap's room as without compression.
func TestCompressedKernel(t *testing.T) {
	path := saved(t, compressed(t))
	for _, size := range []uint64{64 * mib, 1 << 30} {
		t.Run(qemu.FormatSize(size), func(t *testing.T) {
			cfg := qemu.Config{Mem: size, Cmdline: "hostname=packed"}
			_, plain := bootStatus(t, cfg)
			cfg.Kernel = path
			_, r := bootStatus(t, cfg)
			if r.Hostname != "packed" || r.Memory != plain.Memory {
				t.Errorf("got hostname %q and memory %+v, want %+v", r.Hostname, r.Memory, plain.Memory)
			}
		})
	}
}

// TestDamagedCompressedKernel damages the payload at its begin, in the middle and at its end.
func TestDamagedCompressedKernel(t *testing.T) {
	whole := compressed(t)
	const head = 4096 // the stub and the ELF header
	for _, at := range []int{head, len(whole) / 2, len(whole) - 20} {
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= 1
		vm := Boot(t, qemu.Config{Kernel: saved(t, damaged)})
		code, err := vm.Wait(Context(t, Patience))
		if err != nil || code != 1 {
			t.Errorf("byte %d: exit code %d, %v; want 1", at, code, err)
		}
		if said := strings.TrimRight(vm.Console(), "\r\n"); !strings.Contains(said, "damaged") || strings.Contains(said, "\n") {
			t.Errorf("byte %d: the console says %q, want one line about it", at, said)
		}
	}
}
