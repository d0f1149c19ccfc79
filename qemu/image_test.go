package qemu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/kernel/imx"
)

func TestImageIsLoadedWhereItsIVTSays(t *testing.T) {
	image := imx.Image{Load: 0x80010000, Entry: 0x80010040, Kernel: make([]byte, 1000)}
	b, err := image.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a,b.imx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, args, err := Config{Board: "usbarmory", Kernel: path, Cmdline: "ip=10.0.0.1/24 dns=1.1.1.1,8.8.8.8"}.Args()
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(args, " ")
	for _, want := range []string{
		"loader,file=" + strings.ReplaceAll(path, ",", ",,") + ",addr=0x8000f400,force-raw=on",
		"loader,addr=0x80010040,cpu-num=0",
		"arg=tamanet,arg=ip=10.0.0.1/24 dns=1.1.1.1,,8.8.8.8",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("the command line lacks %q:\n%s", want, line)
		}
	}
	if strings.Contains(line, "-kernel") || strings.Contains(line, "-append") {
		t.Errorf("QEMU is given a kernel besides:\n%s", line)
	}
}

func TestImageThatCannotBeBooted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.imx")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Config{
		{Board: "usbarmory", Kernel: path},
		{Board: "usbarmory", Kernel: path + ".not.imx"},
		{Board: "microvm", Kernel: path},
	} {
		var bad *ConfigError
		if _, _, err := c.Args(); !errors.As(err, &bad) || bad.Field != "Kernel" {
			t.Errorf("%s on %s: %v, want a ConfigError about Kernel", filepath.Base(c.Kernel), c.Board, err)
		}
	}
}
