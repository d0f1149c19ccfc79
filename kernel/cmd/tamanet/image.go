package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamanet/tamanet/kernel/build"
	"github.com/tamanet/tamanet/kernel/imx"
	"github.com/tamanet/tamanet/kernel/imx6ul"
	"github.com/tamanet/tamanet/qemu"
)

// imageOptions is what the flags of image say.
type imageOptions struct {
	build  build.Options
	kernel string
	out    string
	ram    string
}

func imageCommand() *cobra.Command {
	var o imageOptions
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Build an appliance and print the path of its boot image",
		Long: "Build an appliance and print the path of its boot image, as the boot ROM of an i.MX6 starts it.\n\n" +
			"The image goes to a card or eMMC by 'tamanet flash', or into RAM by 'tamanet load'; 'tamanet run --kernel'\n" +
			"boots it in QEMU. A board has no loader that could give it a command line, so the one of --cmdline is compiled in.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := o.make(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
	f := cmd.Flags()
	buildFlags(f, &o.build)
	board := f.Lookup("board")
	o.build.Board, board.DefValue = "usbarmory", "usbarmory"
	board.Usage = "board to make an image for: " + strings.Join(imx.Boards(), ", ")
	f.StringVar(&o.build.Cmdline, "cmdline", "", "kernel command line, such as 'hostname=gw ip=10.0.0.1/24'")
	f.StringVar(&o.ram, "ram", "", "the board's RAM: 512M or 1G (default: what most have)")
	f.StringVar(&o.kernel, "kernel", "", "make the image of this kernel instead of building one")
	f.StringVarP(&o.out, "out", "o", "", "file to write, or a folder (default: beside the kernel)")
	return cmd
}

// make builds what is to be built and returns the image's path.
func (o *imageOptions) make(ctx context.Context, progress io.Writer) (string, error) {
	ram := uint64(0)
	if o.ram != "" {
		var err error
		if ram, err = qemu.ParseSize(o.ram); err != nil {
			return "", &usageError{err}
		}
	}
	dcd, err := imx.DCD(o.build.Board, ram)
	if err != nil {
		return "", &usageError{err}
	}
	kernel := o.kernel
	if kernel == "" {
		a, err := buildKernel(ctx, o.build, progress)
		if err != nil {
			return "", err
		}
		kernel = a.Path
	}
	f, err := os.Open(kernel)
	if err != nil {
		return "", err
	}
	defer f.Close()
	image, err := imx.FromELF(f, imx6ul.TextStart)
	if err != nil {
		return "", fmt.Errorf("%s: %w", kernel, err)
	}
	image.DCD = dcd
	b, err := image.MarshalBinary()
	if err != nil {
		return "", err
	}
	// What the boot ROM would refuse is found here, not on the board.
	if _, err := imx.Parse(b); err != nil {
		return "", err
	}
	path := o.path(kernel)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "image of %.1f MB for %s: loads to %#x, enters at %#x\n", float64(len(b))/1e6, o.build.Board, image.Load, image.Entry)
	return path, os.WriteFile(path, b, 0o644)
}

// path is where the image goes.
func (o *imageOptions) path(kernel string) string {
	name := strings.TrimSuffix(filepath.Base(kernel), ".elf") + ".imx"
	if o.out == "" {
		return filepath.Join(filepath.Dir(kernel), name)
	}
	if info, err := os.Stat(o.out); err == nil && info.IsDir() || strings.HasSuffix(o.out, "/") {
		app := strings.TrimSuffix(filepath.Base(kernel), ".elf")
		if o.kernel == "" {
			app = filepath.Base(o.build.App) + "-" + o.build.Board
		}
		return filepath.Join(o.out, app+".imx")
	}
	return o.out
}
