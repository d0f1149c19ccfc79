// Package mx6ullevk tests the i.MX6UL's package, on board mx6ullevk, with a small kernel
// that needs no network.
package mx6ullevk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/e2e"
)

// boardKernel is the small kernel. It does what its command line says.
const boardKernel = "../../../board/mx6ullevk/testdata/kernel"

// run boots the kernel to do something, and returns its console once it has ended with the wanted code.
func run(t *testing.T, do string, wantCode int) string {
	t.Helper()
	vm := e2e.Boot(t, qemu.Config{Board: "mx6ullevk", Kernel: e2e.Kernel(t, "mx6ullevk", boardKernel), Cmdline: "do=" + do})
	code, err := vm.Wait(e2e.Context(t, e2e.Patience))
	if err != nil {
		t.Fatal(err)
	}
	// With TAMAGO= the kernel may be built by another toolchain than tamanet's.
	if _, why, ok := strings.Cut(vm.Console(), "unsupported: "); ok {
		t.Skip(strings.TrimSpace(why))
	}
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	return vm.Console()
}

func TestFaultsArePanics(t *testing.T) {
	if console := run(t, "fault", 0); !strings.Contains(console, "fault: all recovered") {
		t.Error("not all faults became panics that can be recovered")
	}
}

func TestFatalExceptionsAreReported(t *testing.T) {
	for _, tt := range []struct {
		do    string
		code  int
		wants []string
	}{
		{"fatal:nil", 2, []string{"nil pointer dereference", "main.fatal("}},
		{"fatal:wild", 2, []string{"unexpected fault address 0x70000000", "mmio", "main.fatal("}},
		{"fatal:undefined", 2, []string{"exception: undefined instruction", "main.undefined", "main.fatal("}},
		{"fatal:breakpoint", 2, []string{"exception: prefetch abort, debug event", "main.breakpoint", "main.fatal("}},
		{"fatal:jump", 2, []string{"unexpected fault address 0x70000000", "main.jump", "main.fatal("}},
		{"fatal:data", 2, []string{"unexpected fault address", "main.jump", "main.fatal("}},
		{"fatal:system", 2, []string{"exception: undefined instruction", "panic: unhandled processor exception", "main.fatal("}},
		{"fatal:smash", 2, []string{"exception: data abort", "write at 0x70000000", "while that was handled"}},
		// As debug.SetPanicOnFault has it.
		{"fatal:recovered", 0, []string{"invalid memory address or nil pointer dereference"}},
	} {
		t.Run(tt.do, func(t *testing.T) {
			console := run(t, tt.do, tt.code)
			for _, want := range tt.wants {
				if !strings.Contains(console, want) {
					t.Errorf("no %q on the console", want)
				}
			}
		})
	}
}

// TestGuestHasNoFilesOfTheHost shows that semihosting, by which a machine ends and gets its command line, does
// not open the host.
func TestGuestHasNoFilesOfTheHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	if console := run(t, "host path="+path, 0); !strings.Contains(console, "host: tried") || strings.Contains(console, "host: read") {
		t.Error("the guest reads a file of the host")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "secret" {
		t.Errorf("the guest has changed a file of the host: now it is %q, %v", got, err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("the guest has made files on the host: %v, %v", files, err)
	}
}

func TestRandomNumbers(t *testing.T) {
	seen := make(map[string]bool)
	for range 2 {
		console := run(t, "random", 0)
		_, line, _ := strings.Cut(console, "random: ")
		if len(line) < 64 || seen[line[:64]] {
			t.Errorf("random numbers of two boots are %q", line)
		} else {
			seen[line[:64]] = true
		}
	}
}
