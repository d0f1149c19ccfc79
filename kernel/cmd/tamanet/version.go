package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/toolchain"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of tamanet, of the Go it was built with and of the Go that kernels are built with",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "tamanet %s\nbuilt with %s %s/%s\nkernels with %s\n",
				moduleVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, toolchain.Release)
			return err
		},
	}
}

// moduleVersion returns the module's version and, where it was built in a clone, the commit.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	version, revision, changed := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = " " + s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+"
			}
		}
	}
	if revision == "" {
		return version
	}
	return version + revision + changed
}
