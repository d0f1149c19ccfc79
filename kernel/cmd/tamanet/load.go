package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/imx"
	"github.com/tamanet/tamanet/qemu"
)

// loaders are the tools that speak the boot ROM's serial download protocol (SDP) over USB.
var loaders = []struct {
	name string
	args func(image string) []string
}{
	{"uuu", func(image string) []string { return []string{"SDP:", "boot", "-f", image} }},
	{"imx_usb", func(image string) []string { return []string{image} }},
}

const sdpHelp = "The board must be in serial download mode, in which lsusb shows 15a2:0080 or 15a2:007d: on the USB armory, set the boot switch to the\n" +
	"position of the memory card and take the card out (LAN model: hold the switch at eMMC with an empty eMMC), then plug it in."

func loadCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "load IMAGE",
		Short: "Load a boot image into a board's RAM over USB; it is gone after a reset",
		Long: "Load a boot image into a board's RAM over USB, and start it. Nothing is written to the board: the image is gone\n" +
			"after a reset. 'tamanet flash' is for keeps.\n\n" + sdpHelp + "\n\nIt takes uuu (Debian: uuu) or imx_usb (Debian: imx-usb-loader).",
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return load(cmd.Context(), args[0], dryRun, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the loader's command line and load nothing")
	return cmd
}

// load checks the image and has a loader send it.
func load(ctx context.Context, path string, dryRun bool, stdout, stderr io.Writer) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := imx.Parse(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	for _, l := range loaders {
		tool, err := exec.LookPath(l.name)
		if err != nil {
			continue
		}
		args := l.args(path)
		if dryRun {
			_, err := fmt.Fprintln(stdout, qemu.CommandLine(tool, args))
			return err
		}
		fmt.Fprintf(stderr, "%s\n%s\nloading into RAM: it does not persist\n", qemu.CommandLine(tool, args), sdpHelp)
		c := exec.CommandContext(ctx, tool, args...)
		c.Stdout, c.Stderr = stdout, stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		fmt.Fprintln(stderr, "loaded into RAM; after a reset it is gone")
		return nil
	}
	return errors.New("neither uuu nor imx_usb is installed, which speak to the boot ROM (Debian: apt-get install uuu, or imx-usb-loader)")
}
