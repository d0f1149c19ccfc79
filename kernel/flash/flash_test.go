package flash

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamanet/tamanet/kernel/imx"
)

// image returns an image of about n bytes.
func image(t *testing.T, n int) []byte {
	t.Helper()
	i := imx.Image{Load: 0x80010000, Entry: 0x80010000, Kernel: bytes.Repeat([]byte{0xa5, 1, 2}, n/3+1)}
	b, err := i.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// card returns the path of a file that plays a card, of n bytes of 0xff after the boot sector.
func card(t *testing.T, n int, boot []byte) string {
	t.Helper()
	b := bytes.Repeat([]byte{0xff}, n)
	clear(b[:min(n, 1024)])
	copy(b, boot)
	path := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mbr returns a boot sector with partitions that begin at these sectors.
func mbr(starts ...uint32) []byte {
	b := bytes.Repeat([]byte{0x90}, 1024) // boot code, and what follows
	clear(b[mbrTable:510])
	b[510], b[511] = 0x55, 0xaa
	for i, s := range starts {
		e := b[mbrTable+i*mbrEntry:]
		e[4] = 0x83
		binary.LittleEndian.PutUint32(e[8:], s)
		binary.LittleEndian.PutUint32(e[12:], 2048)
	}
	return b
}

func TestWritesAndKeepsTheRest(t *testing.T) {
	for _, tc := range []struct {
		name string
		boot []byte
	}{
		{"blank card", nil},
		{"partition at 5 MiB", mbr(10240)},
		{"second entry is the first on the card", mbr(20480, 10240)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := image(t, 3*mib)
			path := card(t, 8*mib, tc.boot)
			before, _ := os.ReadFile(path)
			var said bytes.Buffer
			if err := Write(context.Background(), Options{Target: path, Image: img, Progress: &said}); err != nil {
				t.Fatal(err)
			}
			after, _ := os.ReadFile(path)
			end := imx.CardOffset + len(img)
			if !bytes.Equal(after[:imx.CardOffset], before[:imx.CardOffset]) {
				t.Error("the partition table was changed")
			}
			if !bytes.Equal(after[imx.CardOffset:end], img) {
				t.Error("the image is not there")
			}
			if len(after) != len(before) || !bytes.Equal(after[end:], before[end:]) {
				t.Error("something behind the image was changed")
			}
			for _, want := range []string{"writing: ", "reading back: ", "100%", "holds the image"} {
				if !strings.Contains(said.String(), want) {
					t.Errorf("progress lacks %q:\n%s", want, said.String())
				}
			}
		})
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	path := card(t, 8*mib, mbr(10240))
	before, _ := os.ReadFile(path)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := Write(context.Background(), Options{Target: path, Image: image(t, mib), DryRun: true, Progress: &said}); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Error("the card was changed")
	}
	if !strings.Contains(said.String(), "nothing was written") {
		t.Errorf("said %q", said.String())
	}
}

func TestRefusals(t *testing.T) {
	gpt := mbr()
	copy(gpt[sector:], gptHeader)
	hybrid := mbr(1)
	hybrid[mbrTable+4] = gptProtected
	img := image(t, 3*mib)
	for _, tc := range []struct {
		name, want string
		image      []byte
		target     string
	}{
		{"no image", "the image", []byte("hello"), card(t, 8*mib, nil)},
		{"ELF file", "ELF file", []byte("\x7fELF and more"), card(t, 8*mib, nil)},
		{"image without its end", "the image", img[:1000], card(t, 8*mib, nil)},
		{"too small", "too small", img, card(t, 2*mib, nil)},
		{"too small by a byte", "too small", img, card(t, imx.CardOffset+len(img)-1, nil)},
		{"first partition in the way", "first partition begins at 1048576", img, card(t, 8*mib, mbr(2048))},
		{"partition by the fourth entry", "first partition begins at 1048576", img, card(t, 8*mib, mbr(10240, 20480, 30720, 2048))},
		{"partition at sector 0", "first partition begins at 512", img, card(t, 8*mib, mbr(0))},
		{"GPT", "GPT", img, card(t, 8*mib, gpt)},
		{"protective MBR", "GPT", img, card(t, 8*mib, hybrid)},
		{"not there", "no such file", img, filepath.Join(t.TempDir(), "none")},
		{"folder", "neither a disk nor a plain file", img, t.TempDir()},
		{"character device", "neither a disk nor a plain file", img, "/dev/null"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, _ := os.ReadFile(tc.target)
			for _, dry := range []bool{true, false} {
				err := Write(context.Background(), Options{Target: tc.target, Image: tc.image, DryRun: dry})
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("dry run %v: %v, want ErrRefused with %q", dry, err, tc.want)
				}
			}
			if after, _ := os.ReadFile(tc.target); !bytes.Equal(after, before) {
				t.Error("something was written")
			}
		})
	}
}

func TestExactFit(t *testing.T) {
	img := image(t, mib)
	path := card(t, imx.CardOffset+len(img), nil)
	if err := Write(context.Background(), Options{Target: path, Image: img}); err != nil {
		t.Error(err)
	}
	end := uint32(imx.CardOffset+len(img)) / sector
	if err := Write(context.Background(), Options{Target: card(t, 8*mib, mbr(end)), Image: img}); err != nil {
		t.Errorf("a partition right behind the image: %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Write(ctx, Options{Target: card(t, 8*mib, nil), Image: image(t, mib)})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrRefused) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestReadBackDiffers has the card change between writing and reading.
func TestReadBackDiffers(t *testing.T) {
	img := image(t, 3*mib)
	path := card(t, 8*mib, nil)
	spoil := writerFunc(func(line []byte) {
		if bytes.HasPrefix(line, []byte("writing")) && bytes.Contains(line, []byte("100%")) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			f.WriteAt([]byte{0}, imx.CardOffset+2*mib+5)
		}
	})
	err := Write(context.Background(), Options{Target: path, Image: img, Progress: spoil})
	if want := "image at 2097157"; !errors.Is(err, ErrVerify) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want ErrVerify with %q", err, want)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

func FuzzFirstPartition(f *testing.F) {
	f.Add(mbr(2048))
	f.Add(mbr())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if first, err := firstPartition(bytes.NewReader(b)); err == nil && first < 0 {
			t.Errorf("first partition at %d", first)
		}
	})
}
