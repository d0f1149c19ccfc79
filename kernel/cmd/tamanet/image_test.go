package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/kernel/imx"
)

// testImage writes an image and returns its path.
func testImage(t *testing.T) string {
	t.Helper()
	dcd, err := imx.DCD("usbarmory", 0)
	if err != nil {
		t.Fatal(err)
	}
	image := imx.Image{Load: 0x80010000, Entry: 0x80010000, DCD: dcd, Kernel: bytes.Repeat([]byte{1, 2, 3, 4}, 100_000)}
	b, err := image.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kernel.imx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlashIntoAFile(t *testing.T) {
	image, card := testImage(t), filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(card, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := tamanet(t, "flash", image, "--dev", card); code != 0 || !strings.Contains(stderr, "holds the image") {
		t.Fatalf("code %d:\n%s", code, stderr)
	}
	want, _ := os.ReadFile(image)
	got, _ := os.ReadFile(card)
	if !bytes.Equal(got[imx.CardOffset:][:len(want)], want) {
		t.Error("the image is not where the boot ROM looks for it")
	}
}

func TestFlashAndLoadRefuse(t *testing.T) {
	image, text := testImage(t), filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"flash"}, codeUsage, "takes the path of one image"},
		{[]string{"flash", image}, codeUsage, "--dev is missing"},
		{[]string{"flash", image, "--dev", "/dev/null"}, codeFailure, "neither a disk nor a plain file"},
		{[]string{"flash", text, "--dev", image}, codeFailure, "bad image"},
		{[]string{"load"}, codeUsage, "takes the path of one image"},
		{[]string{"load", text}, codeFailure, "bad image"},
		{[]string{"image", "--board", "microvm"}, codeUsage, "mx6ullevk, usbarmory"},
		{[]string{"image", "--ram", "2G"}, codeUsage, "512M, 1024M"},
		{[]string{"image", "--ram", "much"}, codeUsage, "512M"},
		{[]string{"image", "--kernel", text}, codeFailure, "reading the kernel"},
	} {
		code, _, stderr := tamanet(t, tc.args...)
		if code != tc.code || !strings.Contains(stderr, tc.want) {
			t.Errorf("%q: code %d, %q; want %d and %q", tc.args, code, stderr, tc.code, tc.want)
		}
	}
}

func TestLoadNamesTheToolOrSaysWhatIsMissing(t *testing.T) {
	image, bin := testImage(t), t.TempDir()
	t.Setenv("PATH", bin)
	if code, _, stderr := tamanet(t, "load", image); code != codeFailure || !strings.Contains(stderr, "neither uuu nor imx_usb") {
		t.Errorf("without a tool: code %d, %s", code, stderr)
	}
	for _, tool := range []string{"imx_usb", "uuu"} {
		path := filepath.Join(bin, tool)
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho called \"$@\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if code, stdout, _ := tamanet(t, "load", image, "--dry-run"); code != 0 || !strings.HasPrefix(stdout, path) || !strings.Contains(stdout, image) {
			t.Errorf("%s: code %d, %q", tool, code, stdout)
		}
		code, stdout, stderr := tamanet(t, "load", image)
		if code != 0 || !strings.Contains(stdout, "called") || !strings.Contains(stderr, "does not persist") {
			t.Errorf("%s: code %d, %q, %q", tool, code, stdout, stderr)
		}
	}
}
