package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/qemu"
)

// runOptions is what the flags of run say.
type runOptions struct {
	build   build.Options
	vm      qemu.Config
	ports   string
	mem     string
	dryRun  bool
	timeout time.Duration
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Build an appliance, boot it in QEMU and print the URL that answers",
		Long: "Build an appliance, boot it in QEMU and print the URL that answers.\n\n" +
			"QEMU is installed by apt-get when it is missing, and the toolchain is built the first time. The console is\n" +
			"copied to standard output until the guest exits, whose exit code becomes this command's, or Ctrl-C.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	buildFlags(f, &o.build)
	f.StringVar(&o.vm.Kernel, "kernel", "", "boot this kernel instead of building one")
	f.StringVar(&o.ports, "ports", "8080:80", "ports of the host that lead to the guest: host:guest[/tcp|/udp],…")
	f.StringVar(&o.mem, "mem", "", "RAM, such as 64M or 4G (default: the board's)")
	f.IntVar(&o.vm.CPUs, "cpus", 0, "number of CPUs (default 1)")
	f.StringVar(&o.vm.CPU, "cpu", "", "CPU model, such as qemu64,+rdrand (default: the board's)")
	f.StringVar(&o.vm.Cmdline, "cmdline", "", "kernel command line, such as 'hostname=gw ip=10.0.2.15/24'")
	f.StringArrayVar(&o.vm.Devices, "device", nil, "a further device for QEMU; may be repeated")
	f.StringVar(&o.vm.Accel, "accel", qemu.AccelAuto, "auto, kvm or tcg")
	f.BoolVar(&o.dryRun, "dry-run", false, "print QEMU's command line, and build and boot nothing")
	f.DurationVar(&o.timeout, "timeout", 0, "end the machine after this long, such as 90s (default: never)")
	return cmd
}

// run builds and boots, as the flags say. It returns when the machine is gone.
func (o *runOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	cfg, err := o.config()
	if err != nil {
		return err
	}
	if o.dryRun {
		program, args, err := cfg.Args()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, qemu.CommandLine(program, args))
		return err
	}
	if err := qemu.CheckPorts(ctx, cfg.Ports); err != nil {
		return err
	}
	board, err := qemu.LookupBoard(cfg.Board)
	if err != nil {
		return err
	}
	if err := board.Install(ctx, stderr); err != nil {
		return err
	}
	if o.vm.Kernel == "" {
		kernel, err := buildKernel(ctx, o.build, stderr)
		if err != nil {
			return err
		}
		cfg.Kernel = kernel.Path
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, errTimeLimit)
		defer cancel()
	}
	return boot(ctx, cfg, stdout, stderr)
}

// config turns the flags into a Config. What cannot work is refused here, before minutes of building. The kernel is
// where it is going to be.
func (o *runOptions) config() (cfg qemu.Config, err error) {
	cfg = o.vm
	cfg.Board = o.build.Board
	if cfg.Ports, err = qemu.ParsePorts(o.ports); err != nil {
		return cfg, &usageError{err}
	}
	if o.mem != "" {
		if cfg.Mem, err = qemu.ParseSize(o.mem); err != nil {
			return cfg, &usageError{err}
		}
	}
	if o.timeout < 0 {
		return cfg, &usageError{fmt.Errorf("--timeout is %v; allowed: a time such as 90s", o.timeout)}
	}
	if cfg.Kernel == "" {
		if cfg.Kernel, err = build.Output(o.build); err != nil {
			return cfg, &usageError{err}
		}
	}
	if _, _, err = cfg.Args(); err != nil {
		return cfg, &usageError{err}
	}
	return cfg, nil
}

var errTimeLimit = errors.New("the time limit of --timeout was reached")

// boot runs a machine until it ends or ctx does, and passes the guest's exit code on as an error.
func boot(ctx context.Context, cfg qemu.Config, stdout, stderr io.Writer) error {
	out := &lineWriter{w: stdout}
	cfg.Console = out
	fmt.Fprintf(stderr, "booting %s\n", filepath.Base(cfg.Kernel))
	vm, err := qemu.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer vm.Stop()
	fmt.Fprintln(stderr, vm.CommandLine())
	announcing, quiet := context.WithCancel(ctx)
	var announcer sync.WaitGroup
	announcer.Go(func() { announce(announcing, vm, out, stderr) })
	code, err := vm.Wait(context.WithoutCancel(ctx)) // the end of ctx ends the machine
	quiet()
	announcer.Wait()
	switch {
	case errors.Is(err, qemu.ErrStopped) && context.Cause(ctx) == errTimeLimit:
		return &exitError{code: codeTimeout, err: errTimeLimit}
	case errors.Is(err, qemu.ErrStopped):
		return &exitError{code: codeInterrupt, err: errors.New("interrupted; the machine is stopped")}
	case err != nil:
		return err
	case code != 0:
		return &exitError{code: code, err: fmt.Errorf("the guest exited with code %d", code)}
	}
	return nil
}

// lineWriter lets whole lines of several writers through, one at a time.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(line)
}
