package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// tamanet runs a command line and returns what it prints.
func tamanet(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongUsageIsExplained(t *testing.T) {
	tests := []struct{ line, want string }{
		{"frob", `no command "frob"`},
		{"run --frob", "unknown flag: --frob; see: tamanet run --help"},
		{"run status", `takes no argument, but got "status"`},
		{"run --board vax", `"vax"; allowed: microvm`},
		{"build --board vax", `"vax"; allowed: microvm`},
		{"build --board usbarmory --compress", "amd64 boards"},
		{"run --mem 3", "16M to 64G"},
		{"run --mem lots", "64M, 512M or 4G"},
		{"run --cpus 99", "1 to 16"},
		{"run --ports 80", "8080:80"},
		{"run --accel warp", "auto, kvm, tcg"},
		{"run --timeout -1s", "90s"},
		{"bench --sweep --profile=f", "--sweep and --profile"},
		{"bench --sweep --impair=loss=1%", "--wire"},
		{"bench --sweep --net=tap", "--net=wire"},
		{"bench --sweep --wire=loss=1", "--wire=loss=1: "},
		{"bench --impair=loss=1", "loss"},
		{"bench --impair=loss=1% --net=user", "--net=wire"},
		{"bench --profile=f --impair=loss=1%", "--profile and --impair"},
		{"bench --profile=f --net=tap", "--net=user"},
		{"bench --profile=f --only=Linux", "of tamanet"},
		{"bench --profile=/nowhere/f", "--profile: open /nowhere/f: no such file"},
		{"bench --profile=/", "--profile: open /: is a directory"},
		{"bench --profile=f --text-order=f", "--profile and --text-order"},
		{"bench --text-order=f --only=Linux", "of tamanet"},
		{"bench --wire=loss=1%", "for --sweep"},
		{"bench --setting=GOGC=100", "for --sweep"},
		{"bench --only=vax", "tamanet, Linux"},
		{"test everything", "vet, host, toolchain, e2e"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			code, stdout, stderr := tamanet(t, strings.Fields(tt.line)...)
			if !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 || stdout != "" {
				t.Errorf("printed %q and %q, want one line with %q", stdout, stderr, tt.want)
			}
			if code != codeUsage {
				t.Errorf("exit code %d, want %d", code, codeUsage)
			}
		})
	}
}

func TestDryRunPrintsTheCommandLine(t *testing.T) {
	code, stdout, stderr := tamanet(t, "run", "--dry-run", "--app", "/tmp", "--ports", "8081:80,5001:5001/udp", "--mem", "64M",
		"--cpus", "2", "--cpu", "qemu64,+rdrand", "--cmdline", "hostname=a b=c", "--device", "virtio-rng-device", "--accel", "tcg")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, want := range []string{"qemu-system-x86_64 ", " -m 64M ", " -smp 2 ", " -cpu qemu64,+rdrand ", " -append 'hostname=a b=c' ",
		",hostfwd=tcp:127.0.0.1:8081-:80,hostfwd=udp:127.0.0.1:5001-:5001 ", " -device virtio-rng-device\n", "-accel tcg", "/tamanet/kernels/tmp-microvm-"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in %s", want, stdout)
		}
	}
}

func TestTakenPortIsSaidBeforeAnythingIsBuilt(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	code, _, stderr := tamanet(t, "run", "--app", t.TempDir(), "--ports", port+":80")
	if code != codeFailure || !strings.Contains(stderr, "port "+port) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	code, stdout, _ := tamanet(t)
	for _, want := range []string{"run", "build", "test", "toolchain", "doctor", "version"} {
		if code != 0 || !strings.Contains(stdout, "\n  "+want+" ") {
			t.Errorf("exit code %d; %q is not in\n%s", code, want, stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := tamanet(t, "version")
	if code != 0 || !strings.HasPrefix(stdout, "tamanet ") || !strings.Contains(stdout, "kernels with go1.") {
		t.Errorf("exit code %d, %q", code, stdout)
	}
}

func TestToolchainIsTheOneThatTAMAGOnames(t *testing.T) {
	stub := t.TempDir() + "/go"
	if err := os.WriteFile(stub, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TAMAGO", stub)
	code, stdout, stderr := tamanet(t, "toolchain")
	if code != codeFailure || stdout != "" || !strings.Contains(stderr, "TAMAGO") {
		t.Errorf("a go command that knows no tamago gave exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestDoctorTellsWhatIsMissing(t *testing.T) {
	there := finding{name: "there", look: func(context.Context) (string, error) { return "v1", nil }}
	lost := finding{name: "lost", look: func(context.Context) (string, error) { return "", errors.New("get it") }}
	spare := lost
	spare.name, spare.optional = "spare", true
	var out bytes.Buffer
	if err := examine(t.Context(), &out, []finding{there, spare}); err != nil {
		t.Errorf("an optional thing made it fail: %v", err)
	}
	err := examine(t.Context(), &out, []finding{lost})
	if err == nil || err.Error() != "missing: lost" {
		t.Errorf("got %v", err)
	}
	want := "ok    there      v1\nnote  spare      get it\nMISS  lost       get it\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if code, stdout, _ := tamanet(t, "doctor"); !strings.Contains(stdout, "  go         go version") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}
