package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/qemu"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing on this machine, and what to do about it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return examine(cmd.Context(), cmd.OutOrStdout(), findings)
		},
	}
}

// finding is one thing that building or booting needs.
type finding struct {
	name string
	// look returns what is there, or an error that says what to do.
	look func(ctx context.Context) (string, error)
	// optional is a thing that tamanet does without, or gets by itself.
	optional bool
}

var findings = []finding{
	{name: "go", look: programVersion("go", "version")},
	{name: "git", look: programVersion("git", "--version"), optional: true},
	{name: "qemu", look: lookQemu, optional: true},
	{name: "apt-get", look: lookApt, optional: true},
	{name: "kvm", look: func(context.Context) (string, error) { return "works", qemu.ProbeKVM() }, optional: true},
	{name: "port 8080", look: lookPort, optional: true},
	{name: "cache", look: lookCache},
}

// examine prints a line for each finding. It fails when one that nothing replaces is missing.
func examine(ctx context.Context, w io.Writer, list []finding) error {
	var missing []string
	for _, f := range list {
		what, err := f.look(ctx)
		mark := "ok  "
		if err != nil {
			mark, what = "note", err.Error()
			if !f.optional {
				mark = "MISS"
				missing = append(missing, f.name)
			}
		}
		fmt.Fprintf(w, "%s  %-10s %s\n", mark, f.name, what)
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %s", strings.Join(missing, ", "))
	}
	return nil
}

// programVersion looks for a program in PATH and returns the first line that it prints with args.
func programVersion(program string, args ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%s is not in PATH; install it", program)
		}
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		return line, nil
	}
}

func lookQemu(ctx context.Context) (string, error) {
	var have []string
	for _, name := range qemu.BoardNames() {
		board, err := qemu.LookupBoard(name)
		if err != nil {
			return "", err
		}
		path, err := board.Find()
		if err != nil {
			return "", fmt.Errorf("%w; run and test do it themselves", err)
		}
		line, err := programVersion(path, "--version")(ctx)
		if err != nil {
			return "", err
		}
		have = append(have, name+": "+line)
	}
	return strings.Join(have, "; "), nil
}

func lookApt(context.Context) (string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", errors.New("not here: QEMU has to be installed by other means")
	}
	if os.Geteuid() == 0 {
		return "usable as root", nil
	}
	if _, err := exec.LookPath("sudo"); err != nil {
		return "", errors.New("needs root, and there is no sudo: QEMU has to be installed by root")
	}
	return "usable through sudo", nil
}

func lookPort(ctx context.Context) (string, error) {
	if err := qemu.CheckPorts(ctx, []qemu.Forward{{Proto: "tcp", Port: 8080, Guest: 80}}); err != nil {
		return "", err
	}
	return "free", nil
}

// cacheNeeds is what toolchain, build cache and kernels take, in bytes, rounded up.
const cacheNeeds = 2 << 30

// lookCache finds the folder for toolchains and kernels and the room in it.
func lookCache(context.Context) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for toolchains and kernels: %w; set HOME or XDG_CACHE_HOME", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("the folder for toolchains and kernels: %w", err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	if free < cacheNeeds {
		return "", fmt.Errorf("%s has %d MB free; the toolchain and what it builds take about %d MB", dir, free>>20, cacheNeeds>>20)
	}
	return fmt.Sprintf("%s, %d MB free", dir, free>>20), nil
}
