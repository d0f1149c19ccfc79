package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamanet/tamanet/qemu"
)

// fakeQemu puts a program in PATH that stands in for QEMU, and returns the path of a kernel file for it.
func fakeQemu(t *testing.T, script string) (kernel string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "qemu-system-x86_64"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	kernel = filepath.Join(dir, "kernel.elf")
	if err := os.WriteFile(kernel, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return kernel
}

func TestGuestsExitCodeIsPassedOn(t *testing.T) {
	tests := []struct {
		name, script string
		code         int
		said         string
	}{
		{"success", "echo bye; exit 1", 0, ""},
		{"code 3", "echo bye; exit 7", 3, "the guest exited with code 3"},
		{"code 127", "echo bye; exit 255", 127, "code 127"},
		{"reset", "echo bye; exit 0", codeFailure, `without an exit code; the console's last line: "bye"`},
		{"QEMU's own failure", "echo bye; echo 'qemu-system-x86_64: no such CPU' >&2; exit 1", codeFailure, "no such CPU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel := fakeQemu(t, tt.script)
			code, stdout, stderr := tamanet(t, "run", "--kernel", kernel, "--ports", "")
			if code != tt.code || stdout != "bye\n" || !strings.Contains(stderr, tt.said) {
				t.Errorf("got %d, %q, %q; want %d, the console and …%s…", code, stdout, stderr, tt.code, tt.said)
			}
		})
	}
}

func TestTimeLimitStopsTheMachine(t *testing.T) {
	kernel := fakeQemu(t, "exec sleep 600")
	code, _, stderr := tamanet(t, "run", "--kernel", kernel, "--ports", "", "--timeout", "50ms")
	if code != codeTimeout || !strings.Contains(stderr, "time limit") {
		t.Errorf("got %d, %q", code, stderr)
	}
}

func TestInterruptStopsTheMachine(t *testing.T) {
	kernel := fakeQemu(t, "echo up; exec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(p []byte) (int, error) {
		cancel() // as Ctrl-C would, once the guest is up
		return len(p), nil
	})
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() { done <- execute(ctx, []string{"run", "--kernel", kernel, "--ports", ""}, out, &errs) }()
	select {
	case code := <-done:
		if code != codeInterrupt || !strings.Contains(errs.String(), "stopped") {
			t.Errorf("got %d, %q", code, errs.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("the machine goes on")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWebURL(t *testing.T) {
	for ports, want := range map[string]string{
		"":                          "",
		"5001:5001,53:80/udp":       "",
		"8080:80":                   "http://127.0.0.1:8080/",
		"5001:5001,0.0.0.0:9000:80": "http://0.0.0.0:9000/",
		"4430:443":                  "https://127.0.0.1:4430/",
	} {
		parsed, err := qemu.ParsePorts(ports)
		if err != nil {
			t.Fatal(err)
		}
		if got := webURL(parsed); got != want {
			t.Errorf("%q gives %q, want %q", ports, got, want)
		}
	}
}

func TestUsageErrorKeepsItsCause(t *testing.T) {
	var bad *qemu.ConfigError
	if err := error(&usageError{&qemu.ConfigError{Field: "Mem"}}); !errors.As(err, &bad) {
		t.Error("the cause is lost")
	}
}
