package imx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// noise returns n bytes that are no header.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func sample() *Image {
	return &Image{Load: 0x80010000, Entry: 0x80010040, DCD: []Write{{0x020c4068, 0xffffffff}, {0x021b0000, 0x84180000}}, Kernel: noise(5001)}
}

func marshal(t testing.TB, i *Image) []byte {
	t.Helper()
	b, err := i.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, i := range []*Image{
		sample(),
		{Load: 0x80010000, Entry: 0x80010000, Kernel: []byte{1}},
		{Load: 0x80010000, Entry: 0x80010000, Kernel: noise(pageSize), DCD: make([]Write, MaxWrites)},
	} {
		b := marshal(t, i)
		if (len(b)+CardOffset)%pageSize != 0 {
			t.Errorf("image of %d bytes does not end on a page", len(b))
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		padding := got.Kernel[len(i.Kernel):]
		got.Kernel = got.Kernel[:len(i.Kernel)]
		if !reflect.DeepEqual(got, i) || len(bytes.Trim(padding, "\x00")) > 0 {
			t.Errorf("%d bytes with %d writes come back different", len(i.Kernel), len(i.DCD))
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Image)
	}{
		{"no kernel", func(i *Image) { i.Kernel = nil }},
		{"entry ahead of the kernel", func(i *Image) { i.Entry = i.Load - 4 }},
		{"entry behind the kernel", func(i *Image) { i.Entry = i.Load + 5004 }},
		{"entry between instructions", func(i *Image) { i.Entry++ }},
		{"load address of no header", func(i *Image) { i.Load, i.Entry = 0x800, 0x800 }},
		{"kernel beyond memory", func(i *Image) { i.Load, i.Entry = 0xfffff000, 0xfffff000 }},
		{"too many writes", func(i *Image) { i.DCD = make([]Write, MaxWrites+1) }},
		{"write to no register", func(i *Image) { i.DCD[0].Addr++ }},
	} {
		i := sample()
		tc.change(i)
		if _, err := i.MarshalBinary(); !errors.Is(err, ErrImage) {
			t.Errorf("%s: %v, want ErrImage", tc.name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	le := binary.LittleEndian
	for _, tc := range []struct {
		name, want string
		spoil      func(b []byte) []byte
	}{
		{"ELF", "ELF file", func(b []byte) []byte { return append([]byte("\x7fELF"), b...) }},
		{"empty", "no more than its header", func(b []byte) []byte { return nil }},
		{"header only", "no more than its header", func(b []byte) []byte { return b[:HeaderSize] }},
		{"not an IVT", "IVT begins with", func(b []byte) []byte { b[0] = 0xd2; return b }},
		{"IVT version", "IVT begins with", func(b []byte) []byte { b[3] = 0x50; return b }},
		{"IVT length", "IVT says", func(b []byte) []byte { b[2] = 0x24; return b }},
		{"entry outside", "entry is", func(b []byte) []byte { le.PutUint32(b[4:], 0x80000000); return b }},
		{"boot data elsewhere", "boot data are at", func(b []byte) []byte { le.PutUint32(b[16:], 0); return b }},
		{"start", "boot data load to", func(b []byte) []byte { b[33]++; return b }},
		{"size", "leaves out the end", func(b []byte) []byte { le.PutUint32(b[36:], uint32(len(b))); return b }},
		{"truncated by a page", "", func(b []byte) []byte { return b[:len(b)-pageSize] }},
		{"plugin", "plugin", func(b []byte) []byte { b[40] = 1; return b }},
		{"self at the end of memory", "beyond the end", func(b []byte) []byte { le.PutUint32(b[20:], 0xfffffff0); return b }},
		{"DCD ahead", "DCD is at", func(b []byte) []byte { le.PutUint32(b[12:], 0x8000f400); return b }},
		{"DCD behind", "DCD is at", func(b []byte) []byte { le.PutUint32(b[12:], 0x80010000); return b }},
		{"DCD tag", "DCD begins with", func(b []byte) []byte { b[dcdOffset] = 0; return b }},
		{"DCD length", "DCD says", func(b []byte) []byte { b[dcdOffset+1] = 0xff; return b }},
		{"DCD command", "DCD has the command", func(b []byte) []byte { b[dcdOffset+4] = 0xcf; return b }},
		{"DCD command's length", "DCD has a command", func(b []byte) []byte { b[dcdOffset+6]++; return b }},
		{"DCD command without an end", "DCD has a command", func(b []byte) []byte { b[dcdOffset+6] = 0; return b }},
	} {
		b := marshal(t, sample())
		i, err := Parse(tc.spoil(b))
		if tc.want == "" { // cutting whole pages off leaves an image of less
			if err != nil || len(i.Kernel) >= 5001 {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want ErrImage with %q", tc.name, err, tc.want)
		}
	}
}

// mkimage makes an image by U-Boot's tool, with lines added to its configuration.
func mkimage(t *testing.T, i *Image, lines string) []byte {
	t.Helper()
	tool, err := exec.LookPath("mkimage")
	if err != nil {
		t.Skip("mkimage is not installed (Debian: u-boot-tools)")
	}
	dir := t.TempDir()
	cfg := "IMAGE_VERSION 2\nBOOT_FROM sd\n" + lines
	for _, w := range i.DCD {
		cfg += fmt.Sprintf("DATA 4 %#x %#x\n", w.Addr, w.Value)
	}
	in, out, conf := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "cfg")
	for name, b := range map[string][]byte{in: i.Kernel, conf: []byte(cfg)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if said, err := exec.Command(tool, "-n", conf, "-T", "imximage", "-e", fmt.Sprintf("%#x", i.Entry), "-d", in, out).CombinedOutput(); err != nil {
		t.Fatalf("mkimage: %v\n%s", err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMkimageMakesTheSame(t *testing.T) {
	for _, board := range Boards() {
		for _, n := range []int{1, 5001, pageSize, 100 * pageSize} {
			dcd, err := DCD(board, 0)
			if err != nil {
				t.Fatal(err)
			}
			// mkimage takes the entry for the load address.
			i := &Image{Load: 0x80010000, Entry: 0x80010000, DCD: dcd, Kernel: noise(n)}
			if theirs, ours := mkimage(t, i, ""), marshal(t, i); !bytes.Equal(theirs, ours) {
				t.Errorf("%s, %d bytes: mkimage's %d bytes are not our %d", board, n, len(theirs), len(ours))
			}
		}
	}
}

func TestParseOfMkimage(t *testing.T) {
	i := &Image{Load: 0x80010000, Entry: 0x80010000, DCD: sample().DCD, Kernel: noise(5001)}
	// With room for a signature, as upstream's configuration has it.
	for _, lines := range []string{"", "CSF 0x4000\n"} {
		got, err := Parse(mkimage(t, i, lines))
		if err != nil {
			t.Fatal(err)
		}
		if got.Load != i.Load || got.Entry != i.Entry || !reflect.DeepEqual(got.DCD, i.DCD) || !bytes.Equal(got.Kernel[:5001], i.Kernel) {
			t.Errorf("%q: load %#x entry %#x, %d writes", lines, got.Load, got.Entry, len(got.DCD))
		}
	}
}

func TestDCD(t *testing.T) {
	// The last page of RAM is where MMDC_MDASP says that chip select 0 ends, in 32 MiB (IMX6ULLRM §36.13.17).
	for _, tc := range []struct {
		board string
		ram   uint64
		mdasp uint32
	}{
		{"usbarmory", 0, 0x4f},
		{"usbarmory", 512 << 20, 0x4f},
		{"usbarmory", 1 << 30, 0x5f},
		{"mx6ullevk", 0, 0x4f},
	} {
		dcd, err := DCD(tc.board, tc.ram)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(dcd); n > MaxWrites || n < 100 {
			t.Errorf("%s: %d writes", tc.board, n)
		}
		found := false
		for _, w := range dcd {
			found = found || w == Write{0x021b0040, tc.mdasp}
		}
		if !found {
			t.Errorf("%s with %d MiB: MDASP is not %#x", tc.board, tc.ram>>20, tc.mdasp)
		}
	}
	for _, tc := range []struct {
		board string
		ram   uint64
		want  string
	}{{"microvm", 0, "mx6ullevk, usbarmory"}, {"usbarmory", 256 << 20, "512M, 1024M"}} {
		if _, err := DCD(tc.board, tc.ram); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s with %d MiB: %v", tc.board, tc.ram>>20, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(marshal(f, sample()))
	f.Add([]byte{tagIVT, 0, ivtSize, version40})
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrImage) {
				t.Errorf("%v does not wrap ErrImage", err)
			}
			return
		}
		// What is taken can be written again, and is the same then.
		again, err := Parse(marshal(t, i))
		if err != nil || again.Load != i.Load || again.Entry != i.Entry || !reflect.DeepEqual(again.DCD, i.DCD) ||
			!bytes.Equal(again.Kernel[:len(i.Kernel)], i.Kernel) {
			t.Errorf("written again it is different: %v", err)
		}
	})
}
