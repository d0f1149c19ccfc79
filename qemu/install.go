package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// MissingError reports that QEMU, or another program that tests need, is not installed.
type MissingError struct {
	Program string // the executable that was looked for in PATH
	Package string // the Debian and Ubuntu package that holds it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed; install it with: apt-get install %s (on other systems: the package that holds it)",
		e.Program, e.Package)
}

// Find returns the path of the board's QEMU. The error is a *MissingError.
func (b *Board) Find() (string, error) {
	path, err := exec.LookPath(b.Program)
	if err != nil {
		return "", &MissingError{Program: b.Program, Package: b.Package}
	}
	return path, nil
}

// Install installs the board's QEMU when it is not there, as the function Install does.
func (b *Board) Install(ctx context.Context, progress io.Writer) error {
	return Install(ctx, b.Program, b.Package, progress)
}

// Install installs a Debian package by apt-get when the program that it holds is not in PATH, as root or through sudo,
// and says on progress what it does. An error tells why that is not possible and what to do instead.
func Install(ctx context.Context, program, pkg string, progress io.Writer) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	missing := &MissingError{Program: program, Package: pkg}
	return installer{progress: progress, look: exec.LookPath, root: os.Geteuid() == 0, run: runShowing}.install(ctx, missing)
}

// installer is Install with what it asks of the system made explicit.
type installer struct {
	progress io.Writer
	look     func(program string) (string, error)
	root     bool
	run      func(ctx context.Context, progress io.Writer, command []string) error
}

func (in installer) install(ctx context.Context, missing *MissingError) error {
	apt, err := in.look("apt-get")
	if err != nil {
		return fmt.Errorf("%w; there is no apt-get here to do it", missing)
	}
	command := []string{"env", "DEBIAN_FRONTEND=noninteractive", apt, "-o", "DPkg::Lock::Timeout=120"}
	if !in.root {
		sudo, err := in.look("sudo")
		if err != nil {
			return fmt.Errorf("%w; it needs root, and there is no sudo here", missing)
		}
		command = append([]string{sudo}, command...)
	}
	install := append(command[:len(command):len(command)], "install", "-y", "--no-install-recommends", missing.Package)
	err = in.step(ctx, "installing "+missing.Package, install)
	if err == nil {
		return in.check(missing)
	}
	// A fresh machine has no package lists, and stale ones name versions that the mirror no longer has.
	update := append(command[:len(command):len(command)], "update")
	if err := in.step(ctx, "that failed; refreshing the package lists", update); err != nil {
		return errors.Join(missing, err)
	}
	if err := in.step(ctx, "installing "+missing.Package+" again", install); err != nil {
		return errors.Join(missing, err)
	}
	return in.check(missing)
}

func (in installer) check(missing *MissingError) error {
	if _, err := in.look(missing.Program); err != nil {
		return fmt.Errorf("package %s was installed, but %s is still not in PATH", missing.Package, missing.Program)
	}
	return nil
}

// step says what it does and runs command.
func (in installer) step(ctx context.Context, what string, command []string) error {
	fmt.Fprintf(in.progress, "%s: %s\n", what, CommandLine(command[0], command[1:]))
	if err := in.run(ctx, in.progress, command); err != nil {
		return fmt.Errorf("%s: %w", CommandLine(command[0], command[1:]), err)
	}
	return nil
}

// runShowing runs command quietly; what it printed is part of the error when it fails. Standard input stays the
// terminal's: sudo may ask for a password there.
func runShowing(ctx context.Context, progress io.Writer, command []string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, lastLines(out.String(), 15))
	}
	return nil
}

// lastLines returns the last n lines of s.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
