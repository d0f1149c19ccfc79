// Command tamanet builds, boots and tests appliances; the Makefile is a thin front of it.
//
//	tamanet run --app ./app/status --ports 8080:80
//	tamanet build --app ./my/appliance --out kernel.elf
//	tamanet test
//
// What it does and how long that takes goes to standard error; a result that another program may want (the guest's
// console, the URL that answers, a path) goes to standard output, each on lines of its own.
//
// It exits with 0, with the guest's exit code (run), 124 when a time limit was reached (as timeout(1) does), 130 after
// Ctrl-C, 2 for wrong usage, and 1 for all else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes that are not the guest's.
const (
	codeFailure   = 1
	codeUsage     = 2
	codeTimeout   = 124
	codeInterrupt = 130
)

// exitError ends the command with a code. Its error, if any, is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once; the machine goes with it
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs the command line args and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := rootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := codeFailure
	var exit *exitError
	var usage *usageError
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case errors.As(err, &usage):
		code = codeUsage
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "tamanet: interrupted")
		return codeInterrupt
	}
	fmt.Fprintln(stderr, "tamanet:", err)
	return code
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tamanet",
		Short: "Build, boot and test single-purpose network appliances in Go",
		// An error is one line; the usage text would bury it.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("there is no command %q; see: tamanet --help", args[0])}
			}
			return cmd.Help()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(runCommand(), buildCommand(), imageCommand(), flashCommand(), loadCommand(), testCommand(), oracleCommand(), fuzzCommand(), benchCommand(), benchSocketsCommand(), toolchainCommand(), doctorCommand(), versionCommand())
	return root
}

// noArgs refuses arguments: all that a command is told, it is told by flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("%s takes no argument, but got %q; see: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())}
	}
	return nil
}
