package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/build"
)

// oraclePackage holds the tests and benchmarks that run on Linux and on tamanet.
const oraclePackage = "./net/oracle"

func oracleCommand() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:   "oracle",
		Short: "Run every scenario of socket calls on Linux and on tamanet, and compare",
		Long: "Run every scenario of socket calls on Linux and on tamanet, and compare. Scenarios that differ are printed, those\n" +
			"that may with the reason; one that may not makes the command fail. The last line counts them.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "^TestOracle$"
			if run != "" {
				name += "/" + run
			}
			return goTest(cmd.Context(), []string{"-count=1", "-run", name, "-timeout", "20m", oraclePackage}, func(events io.Reader) error {
				return printOracle(cmd.OutOrStdout(), events)
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "run only the scenarios that match, such as bind/")
	return cmd
}

// printOracle prints what the scenarios' test has to say: its own lines, and the transcripts of scenarios that failed.
func printOracle(w io.Writer, events io.Reader) error {
	var held []string // the lines of the end, after what failed
	failed := map[string]*strings.Builder{}
	for dec := json.NewDecoder(events); ; {
		var e testEvent
		switch err := dec.Decode(&e); {
		case errors.Is(err, io.EOF):
			for _, line := range held {
				io.WriteString(w, line)
			}
			return nil
		case err != nil:
			io.Copy(io.Discard, events)
			return fmt.Errorf("reading the output of go test -json: %w", err)
		}
		_, sub, _ := strings.Cut(e.Test, "/")
		switch {
		case e.Action == "output" && strings.HasPrefix(e.Output, "oracle: "):
			held = append(held, e.Output)
		case e.Action == "output" && sub != "":
			if failed[sub] == nil {
				failed[sub] = new(strings.Builder)
			}
			failed[sub].WriteString(e.Output)
		case e.Action == "build-output":
			io.WriteString(w, e.Output)
		case e.Action == "fail" && sub != "":
			io.WriteString(w, failed[sub].String())
		}
		if e.Action == "pass" || e.Action == "fail" {
			delete(failed, sub)
		}
	}
}

// goTest runs go test -json with args in the sources and hands its events to read. Tests that fail end the command with
// codeFailure.
func goTest(ctx context.Context, args []string, read func(events io.Reader) error) error {
	root := build.FindClone()
	if root == "" {
		return errors.New("the tests are part of tamanet's sources; run this in a clone of them")
	}
	t := &tester{root: root}
	cmd := t.command(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := read(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		err = &exitError{code: codeFailure}
	}
	return errors.Join(readErr, err)
}

func fuzzCommand() *cobra.Command {
	var each time.Duration
	var match string
	cmd := &cobra.Command{
		Use:   "fuzz",
		Short: "Run every fuzz target for a while, that of socket calls on Linux and on tamanet among them",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			want, err := regexp.Compile(match)
			if err != nil {
				return &usageError{fmt.Errorf("--match: %w", err)}
			}
			return fuzz(cmd.Context(), cmd.OutOrStdout(), want, each)
		},
	}
	cmd.Flags().DurationVar(&each, "time", 30*time.Second, "how long each target runs")
	cmd.Flags().StringVar(&match, "match", "", "run only the targets that match, such as net/oracle.FuzzCalls")
	return cmd
}

// A fuzzTarget is a fuzz function and the folder of its package.
type fuzzTarget struct{ dir, name string }

func (t fuzzTarget) String() string { return strings.TrimPrefix(t.dir, "./") + "." + t.name }

// fuzz runs the targets in turn and prints a line for each. One that fails does not keep the others from running.
func fuzz(ctx context.Context, w io.Writer, want *regexp.Regexp, each time.Duration) error {
	root := build.FindClone()
	if root == "" {
		return errors.New("the fuzz targets are part of tamanet's sources; run this in a clone of them")
	}
	targets, err := fuzzTargets(root)
	if err != nil {
		return err
	}
	t := &tester{root: root}
	ran, failed := 0, 0
	for _, target := range targets {
		if !want.MatchString(target.String()) {
			continue
		}
		ran++
		cmd := t.command(ctx, "go", "test", "-run=^$", "-fuzz=^"+target.name+"$", "-fuzztime="+each.String(), target.dir)
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed++
			fmt.Fprintf(w, "FAIL  %v\n%s", target, out)
			continue
		}
		fmt.Fprintf(w, "ok    %v\n", target)
	}
	fmt.Fprintf(w, "fuzz: %d targets for %v each, %d failed\n", ran, each, failed)
	switch {
	case ran == 0:
		return &usageError{fmt.Errorf("no fuzz target matches %q", want)}
	case failed > 0:
		return &exitError{code: codeFailure}
	}
	return nil
}

// fuzzFunc is a fuzz target's first line.
var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// fuzzTargets finds the fuzz targets of the sources, in the order of their names.
func fuzzTargets(root string) (targets []fuzzTarget, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(text, -1) {
			targets = append(targets, fuzzTarget{"./" + filepath.ToSlash(dir), string(m[1])})
		}
		return nil
	})
	return targets, err
}
