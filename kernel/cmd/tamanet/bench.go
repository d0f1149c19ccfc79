package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/build"
)

func benchSocketsCommand() *cobra.Command {
	var each time.Duration
	var match string
	cmd := &cobra.Command{
		Use:   "bench-sockets",
		Short: "Measure socket calls on tamanet and on Linux, in one run, and print the ratios",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return benchSockets(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), match, each)
		},
	}
	cmd.Flags().DurationVar(&each, "time", time.Second, "how long each call is measured on each system")
	cmd.Flags().StringVar(&match, "match", ".", "measure only what matches, such as TCP")
	return cmd
}

// benchSockets runs the benchmarks and prints their table.
func benchSockets(ctx context.Context, w, progress io.Writer, match string, each time.Duration) error {
	root := build.FindClone()
	if root == "" {
		return errors.New("the benchmarks are part of tamanet's sources; run this in a clone of them")
	}
	t := &tester{root: root}
	cmd := t.command(ctx, "go", "test", "-run=^$", "-bench="+match, "-benchtime="+each.String(), "-benchmem", oraclePackage)
	cmd.Stderr = progress
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var table benchTable
	var other strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !table.add(lines.Text()) {
			fmt.Fprintln(&other, lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		io.WriteString(progress, other.String())
		return fmt.Errorf("go test -bench %s: %w", oraclePackage, err)
	}
	if len(table.rows) == 0 {
		return &usageError{fmt.Errorf("no benchmark matches %q", match)}
	}
	return table.print(w)
}

// A benchTable holds the results by benchmark, in the order in which they came.
type benchTable struct{ rows []*benchRow }

type benchRow struct {
	name string
	on   map[string]benchResult // by system
}

// A benchResult is one line of go test -bench.
type benchResult struct{ ns, bytesPerSecond, allocs float64 }

// add takes in a line such as
//
//	BenchmarkPoll/linux-2  541134  706.9 ns/op  0 B/op  0 allocs/op
//
// and reports whether it is one.
func (t *benchTable) add(line string) bool {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return false
	}
	name, system, ok := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "/")
	if i := strings.LastIndexByte(system, '-'); i > 0 {
		system = system[:i] // GOMAXPROCS
	}
	var r benchResult
	for i := 2; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return false
		}
		switch fields[i+1] {
		case "ns/op":
			r.ns = v
		case "MB/s":
			r.bytesPerSecond = v * 1e6
		case "allocs/op":
			r.allocs = v
		}
	}
	if !ok || r.ns == 0 {
		return false
	}
	t.row(name).on[system] = r
	return true
}

func (t *benchTable) row(name string) *benchRow {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	r := &benchRow{name: name, on: map[string]benchResult{}}
	t.rows = append(t.rows, r)
	return r
}

// print writes the table. A ratio below 1 says that tamanet takes less time.
func (t *benchTable) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "operation\ttamanet\tLinux\tratio\tallocations\t")
	for _, r := range t.rows {
		ours, linux := r.on["tamanet"], r.on["linux"]
		if ours.ns == 0 || linux.ns == 0 {
			continue
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.2f\t%.0f\t\n", r.name, ours, linux, ours.ns/linux.ns, ours.allocs)
	}
	return tw.Flush()
}

// String writes the rate where there is one, or else the time of an operation.
func (r benchResult) String() string {
	switch {
	case r.bytesPerSecond != 0:
		return fmt.Sprintf("%.2f GB/s", r.bytesPerSecond/1e9)
	case r.ns >= 10e3:
		return fmt.Sprintf("%.1f µs", r.ns/1e3)
	}
	return fmt.Sprintf("%.0f ns", r.ns)
}
