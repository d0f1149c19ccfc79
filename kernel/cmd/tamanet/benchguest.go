package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/kernel/toolchain"
	"github.com/tamanet/tamanet/qemu"
	"github.com/tamanet/tamanet/qemu/bench"
	"github.com/tamanet/tamanet/qemu/impair"
)

// namespaced is set in the environment of a bench command that is in a network namespace of its own.
const namespaced = "TAMANET_BENCH_NAMESPACE"

func benchCommand() *cobra.Command {
	var o bench.Options
	var mem, wire, profile, order string
	var sweep bool
	settings, wires := bench.SweepSettings, bench.SweepWires
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure tamanet beside a Linux guest that runs the same Go source, and print the ratios",
		Long: "Measure tamanet beside a Linux guest that runs the same Go source, and print the ratios.\n\n" +
			"Both guests are built, Linux's from Debian's cloud kernel, and take turns in the same QEMU machine on the same\n" +
			"netdev. The table goes to standard output, bench.json and the plot bench.svg to the folder of --out.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Short {
				shorten(cmd, &o)
			}
			var err error
			if o.Mem, err = qemu.ParseSize(mem); err != nil {
				return &usageError{err}
			}
			if o.Impair, err = impair.Parse(wire); err != nil {
				return &usageError{err}
			}
			if err := contradiction(cmd.Flags()); err != nil {
				return &usageError{err}
			}
			if sweep || wire != "" {
				o.Net = bench.NetWire
			}
			run := measure
			switch {
			case sweep:
				for _, w := range wires {
					if _, err := impair.Parse(w); err != nil {
						return &usageError{fmt.Errorf("--wire=%s: %w", w, err)}
					}
				}
				run = func(ctx context.Context, o bench.Options, stdout, _ io.Writer) error {
					return bench.Sweep(ctx, o, settings, wires, stdout)
				}
			case profile != "":
				if err := writable(profile); err != nil {
					return &usageError{fmt.Errorf("--profile: %w", err)}
				}
				run = func(ctx context.Context, o bench.Options, _, _ io.Writer) error {
					return bench.Profile(ctx, o, profile)
				}
			case order != "":
				if err := writable(order); err != nil {
					return &usageError{fmt.Errorf("--text-order: %w", err)}
				}
				run = func(ctx context.Context, o bench.Options, _, _ io.Writer) error {
					return bench.TextOrder(ctx, o, order)
				}
			}
			return benchGuests(cmd.Context(), o, run, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Board, "board", "microvm", "machine of both guests: microvm, q35")
	f.StringVar(&o.Net, "net", bench.NetUser, "user, tap with offloads, or wire, which can be impaired (the last two as root, in a network namespace of their own)")
	f.StringVar(&wire, "impair", "", "what the wire does to frames, each way: loss=1%,burst=1,delay=20ms,jitter=2ms,reorder=5%,duplicate=1%,seed=7,limit=1000")
	f.BoolVar(&sweep, "sweep", false, "time transfers over impaired wires with other settings of TCP instead, as root: --rounds is the number of seeds")
	f.StringArrayVar(&settings, "setting", settings, "words of tamanet's kernel command line to try in the sweep, in place of these; may be repeated")
	f.StringArrayVar(&wires, "wire", wires, "what to try them on, as for --impair; may be repeated")
	f.StringVar(&o.Accel, "accel", qemu.AccelTCG, "kvm or tcg")
	f.StringVar(&o.Cmdline, "cmdline", "", "words of tamanet's kernel command line, as GOGC=100")
	f.StringVar(&mem, "mem", "256M", "RAM of both guests")
	f.IntVar(&o.Rounds, "rounds", 5, "how often each guest is booted and measured")
	f.DurationVar(&o.Each, "time", 2*time.Second, "how long each load is applied")
	f.BoolVar(&o.Short, "short", false, "one short round, and no search for the smallest RAM: to see that all works")
	f.StringVar(&o.Only, "only", "", "measure this guest alone: tamanet or Linux")
	f.StringVar(&profile, "profile", "", "measure nothing: load tamanet and write its CPU profile to this file, for pprof and for go build -pgo")
	f.StringVar(&order, "text-order", "", "measure nothing: trace tamanet under load and write which functions call one another to this file, for the linker")
	f.StringVarP(&o.Out, "out", "o", "build", "folder for bench.json and bench.svg")
	return cmd
}

// writable says now what would be wrong with a file that is written much later. It leaves none behind.
func writable(path string) error {
	_, err := os.Lstat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if fresh {
		defer os.Remove(path)
	}
	return f.Close()
}

// contradiction says which flags of bench were given that have no meaning beside each other. The sweep has wires of its own,
// profile and text order are tamanet's over user networking.
func contradiction(f *pflag.FlagSet) error {
	given := func(name string) bool {
		return f.Changed(name) && f.Lookup(name).Value.String() != f.Lookup(name).DefValue
	}
	is := func(name, value string) bool { return f.Lookup(name).Value.String() == value }
	both := func(a, b string) error { return fmt.Errorf("--%s and --%s cannot be had together", a, b) }
	alone := []string{"sweep", "profile", "text-order"}
	for i, a := range alone {
		for _, b := range alone[i+1:] {
			if given(a) && given(b) {
				return both(a, b)
			}
		}
		switch {
		case a == "sweep" || !given(a):
		case given("impair"):
			return both(a, "impair")
		case is("only", "Linux"):
			return fmt.Errorf("--%s is of tamanet, but --only is Linux", a)
		case !is("net", bench.NetUser):
			return fmt.Errorf("--%s takes --net=%s", a, bench.NetUser)
		}
	}
	switch {
	case given("sweep") && given("impair"):
		return fmt.Errorf("%w; --wire says what the sweep's wires do", both("sweep", "impair"))
	case !given("sweep") && (given("setting") || given("wire")):
		return errors.New("--setting and --wire are for --sweep; --cmdline and --impair do the same without it")
	case (given("sweep") || given("impair")) && f.Changed("net") && !is("net", bench.NetWire):
		return fmt.Errorf("--sweep and --impair take --net=%s", bench.NetWire)
	}
	return nil
}

// shorten sets what --short stands for and no flag says otherwise.
func shorten(cmd *cobra.Command, o *bench.Options) {
	if !cmd.Flags().Changed("rounds") {
		o.Rounds = 1
	}
	if !cmd.Flags().Changed("time") {
		o.Each = 300 * time.Millisecond
	}
}

// A benchmark measures guests, once all it takes is there, and prints what came of it.
type benchmark func(ctx context.Context, o bench.Options, stdout, stderr io.Writer) error

// benchGuests provides what a benchmark takes and runs it.
func benchGuests(ctx context.Context, o bench.Options, run benchmark, stdout, stderr io.Writer) error {
	switch {
	case o.Net != bench.NetUser && o.Net != bench.NetTap && o.Net != bench.NetWire:
		return &usageError{fmt.Errorf("--net is %q; allowed: %s, %s, %s", o.Net, bench.NetUser, bench.NetTap, bench.NetWire)}
	case o.Rounds < 1 || o.Each <= 0:
		return &usageError{errors.New("--rounds and --time take what is more than 0")}
	case o.Only != "" && o.Only != "tamanet" && o.Only != "Linux":
		return &usageError{fmt.Errorf("--only is %q; allowed: tamanet, Linux", o.Only)}
	}
	if o.Root = build.FindClone(); o.Root == "" {
		return errors.New("the benchmarks are part of tamanet's sources; run this in a clone of them")
	}
	board, err := qemu.LookupBoard(o.Board)
	if err != nil {
		return &usageError{err}
	}
	if err := board.Install(ctx, stderr); err != nil {
		return err
	}
	if o.Go, err = toolchain.Ensure(ctx, toolchain.Options{Progress: stderr}); err != nil {
		return err
	}
	o.Progress = stderr
	if o.Net != bench.NetUser && os.Getenv(namespaced) == "" {
		return benchInNamespace(ctx, o, stdout, stderr)
	}
	return run(ctx, o, stdout, stderr)
}

// measure is the benchmark of all measures.
func measure(ctx context.Context, o bench.Options, stdout, stderr io.Writer) error {
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	if err := report.Print(stdout); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "written: %s and %s\n", filepath.Join(o.Out, "bench.json"), filepath.Join(o.Out, "bench.svg"))
	return nil
}

// benchInNamespace builds the guests, since that may take the network, and runs this command once more where there is
// none.
func benchInNamespace(ctx context.Context, o bench.Options, stdout, stderr io.Writer) error {
	if _, err := bench.Prepare(ctx, o); err != nil {
		return err
	}
	cmd, err := bench.Namespaced(ctx, os.Args[1:])
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), namespaced+"=1")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd.Run()
}
