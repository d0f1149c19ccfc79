package qemu

import (
	"fmt"
	"os"
	"strings"

	"github.com/tamanet/tamanet/kernel/imx"
)

// imageSuffix tells a boot image of an i.MX6 from a kernel.
const imageSuffix = ".imx"

// kernelArgs returns the arguments that load c.Kernel and hand its command line over.
func (c Config) kernelArgs(b *Board) ([]string, error) {
	if strings.HasSuffix(c.Kernel, imageSuffix) {
		return c.imageArgs(b)
	}
	args := []string{"-kernel", c.Kernel}
	if c.Cmdline != "" {
		args = append(args, "-append", c.Cmdline)
	}
	if c.Initrd != "" {
		args = append(args, "-initrd", c.Initrd)
	}
	return args, nil
}

// imageArgs does with an image what the board's boot ROM does: it puts its bytes where the IVT wants
// them, and enters the kernel. The DCD is left out, since QEMU's memory needs no setting up.
func (c Config) imageArgs(b *Board) ([]string, error) {
	if b.Arch != "arm" {
		return nil, badConfig("Kernel", c.Kernel, "the path of a kernel's ELF file for board "+b.Name)
	}
	file, err := os.ReadFile(c.Kernel)
	if err != nil {
		return nil, badConfig("Kernel", c.Kernel, "the path of an image: "+err.Error())
	}
	image, err := imx.Parse(file)
	if err != nil {
		return nil, badConfig("Kernel", c.Kernel, "an image: "+err.Error())
	}
	args := []string{
		"-device", fmt.Sprintf("loader,file=%s,addr=%#x,force-raw=on", optionValue(c.Kernel), image.Self()),
		"-device", fmt.Sprintf("loader,addr=%#x,cpu-num=0", image.Entry),
	}
	if c.Cmdline != "" {
		// QEMU takes -append only with -kernel. The first argument stands for the kernel's name.
		args = append(args, "-semihosting-config", "arg=tamanet,arg="+optionValue(c.Cmdline))
	}
	return args, nil
}

// optionValue writes s as the value of a QEMU option, in which a comma ends.
func optionValue(s string) string { return strings.ReplaceAll(s, ",", ",,") }
