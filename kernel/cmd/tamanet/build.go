package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/kernel/toolchain"
)

// defaultApp is what is built when nothing else is said.
const defaultApp = "app/status"

// buildFlags adds the flags that say what to build.
func buildFlags(fs *pflag.FlagSet, o *build.Options) {
	fs.StringVar(&o.App, "app", defaultApp, "folder of a main package that imports tamanet, in this module or any other")
	fs.StringVar(&o.Board, "board", "microvm", "machine to build for: "+strings.Join(build.Boards(), ", "))
	fs.BoolVar(&o.Compress, "compress", false, "make the kernel a self-extracting one, less than half as large (amd64 boards)")
	fs.StringSliceVar(&o.Tags, "tags", nil, "further build tags")
}

func buildCommand() *cobra.Command {
	var o build.Options
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build an appliance and print the kernel's path",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := buildKernel(cmd.Context(), o, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), a.Path)
			return err
		},
	}
	buildFlags(cmd.Flags(), &o)
	cmd.Flags().StringVarP(&o.Out, "out", "o", "", "file to write, or a folder (default: a file in the user's cache)")
	return cmd
}

// buildKernel makes sure of the toolchain and builds o with it.
func buildKernel(ctx context.Context, o build.Options, progress io.Writer) (build.Artifact, error) {
	if _, err := build.Output(o); err != nil {
		return build.Artifact{}, &usageError{err} // before minutes are spent on the toolchain
	}
	goCmd, err := toolchain.Ensure(ctx, toolchain.Options{Progress: progress})
	if err != nil {
		return build.Artifact{}, err
	}
	o.Go, o.Progress = goCmd, progress
	return build.Build(ctx, o)
}
