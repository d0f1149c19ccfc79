package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/flash"
)

// oneImage refuses all but one argument, an image's path.
func oneImage(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return &usageError{fmt.Errorf("%s takes the path of one image, which 'tamanet image' prints, but got %q; see: %s --help",
			cmd.CommandPath(), args, cmd.CommandPath())}
	}
	return nil
}

func flashCommand() *cobra.Command {
	var o flash.Options
	cmd := &cobra.Command{
		Use:   "flash IMAGE --dev /dev/sdX",
		Short: "Write a boot image to a memory card or eMMC, and read it back",
		Long: "Write a boot image to a memory card or eMMC, and read it back.\n\n" +
			"The partition table stays. Refused are: what the boot ROM would not start, a disk in use or that the system\n" +
			"runs from, a partition, a device that is too small, and one whose first partition is in the way. --dev also\n" +
			"takes a plain file.",
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Target == "" {
				return &usageError{errors.New("--dev is missing: the card's device, such as /dev/sdb; lsblk lists them")}
			}
			if o.Image, err = os.ReadFile(args[0]); err != nil {
				return err
			}
			o.Progress = cmd.ErrOrStderr()
			return flash.Write(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Target, "dev", "", "the whole card's block device, or a plain file")
	f.BoolVar(&o.DryRun, "dry-run", false, "check everything and write nothing")
	return cmd
}
