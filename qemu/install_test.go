package qemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// fakeSystem is a machine on which the programs of the map exist and apt-get does what the test says.
type fakeSystem struct {
	programs map[string]bool
	ran      []string
	apt      func(command string) error
}

func (f *fakeSystem) look(program string) (string, error) {
	if !f.programs[program] {
		return "", errors.New("not found")
	}
	return "/usr/bin/" + program, nil
}

func (f *fakeSystem) run(_ context.Context, _ io.Writer, command []string) error {
	line := strings.Join(command, " ")
	f.ran = append(f.ran, line)
	return f.apt(line)
}

func TestInstall(t *testing.T) {
	missing := &MissingError{Program: "qemu-system-x86_64", Package: "qemu-system-x86"}
	errApt := errors.New("exit status 100")
	tests := []struct {
		name     string
		programs []string
		root     bool
		failures int    // how many apt-get install runs fail
		noLists  bool   // apt-get update fails
		runs     int    // commands that are expected to run
		first    string // part of the first command
		err      string // part of the error, "" is none
	}{
		{name: "root", programs: []string{"apt-get"}, root: true, runs: 1, first: "apt-get"},
		{name: "sudo", programs: []string{"apt-get", "sudo"}, runs: 1, first: "/usr/bin/sudo env DEBIAN_FRONTEND=noninteractive /usr/bin/apt-get"},
		{name: "neither root nor sudo", programs: []string{"apt-get"}, err: "no sudo"},
		{name: "no apt", root: true, err: "no apt-get"},
		{name: "no lists yet", programs: []string{"apt-get"}, root: true, failures: 1, runs: 3, first: "install"},
		{name: "no network", programs: []string{"apt-get"}, root: true, failures: 2, noLists: true, runs: 2, first: "install", err: "exit status 100"},
		{name: "no such package", programs: []string{"apt-get"}, root: true, failures: 2, runs: 3, first: "install", err: "exit status 100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sys := &fakeSystem{programs: map[string]bool{}}
			for _, p := range tt.programs {
				sys.programs[p] = true
			}
			left := tt.failures
			sys.apt = func(command string) error {
				if strings.HasSuffix(command, " update") {
					if tt.noLists {
						return errApt
					}
					return nil
				}
				if left > 0 {
					left--
					return errApt
				}
				sys.programs[missing.Program] = true
				return nil
			}
			var said bytes.Buffer
			err := installer{progress: &said, look: sys.look, root: tt.root, run: sys.run}.install(t.Context(), missing)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got error %v, want …%s…", err, tt.err)
			}
			if tt.err != "" && err != nil && !strings.Contains(err.Error(), missing.Package) {
				t.Errorf("the error does not name the package: %v", err)
			}
			if len(sys.ran) != tt.runs || tt.runs > 0 && !strings.Contains(sys.ran[0], tt.first) {
				t.Errorf("ran %q, want %d commands, the first with %q", sys.ran, tt.runs, tt.first)
			}
			if strings.Count(said.String(), "\n") != tt.runs {
				t.Errorf("said %q of %d commands", said.String(), tt.runs)
			}
		})
	}
}
