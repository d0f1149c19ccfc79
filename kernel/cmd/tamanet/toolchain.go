package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/toolchain"
)

func toolchainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "toolchain",
		Short: "Build the go command that knows GOOS=tamago, once, and print its path",
		Long: "Build the go command that knows GOOS=tamago from the stock " + toolchain.Release + ", unless that is done already,\n" +
			"and print its path. The environment variable TAMAGO names another such command to use instead.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := toolchain.Ensure(cmd.Context(), toolchain.Options{Progress: cmd.ErrOrStderr()})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
}
