package unpack

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	compress "github.com/tamanet/tamanet/kernel/deflate"
)

// expand is inflate with memory of its own. It fails the test when anything outside of the promised memory was written.
func expand(t testing.TB, in []byte, size int) ([]byte, bool) {
	t.Helper()
	const guard = 64
	memory := make([]byte, guard+size+inflateSlack+guard)
	for i := range memory {
		memory[i] = 0xa5
	}
	stream := append(bytes.Clone(in), make([]byte, inputSlack)...)
	n := inflate(memory[guard:guard+size], stream[:len(in)], new([scratchSize]byte))
	for i := range guard {
		if memory[i] != 0xa5 || memory[len(memory)-1-i] != 0xa5 {
			t.Fatalf("written outside of the output, %d bytes from an end", i)
		}
	}
	if n < 0 {
		return nil, false
	}
	return memory[guard : guard+n], true
}

func deflate(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// samples are texts with matches far and near, long codes, no redundancy and nothing at all.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 300_000)
	for i := range skewed {
		skewed[i] = byte(min(r.ExpFloat64()*12, 255))
	}
	return map[string][]byte{
		"empty":   {},
		"a byte":  {7},
		"zeros":   make([]byte, 1_000_000),
		"noise":   noise,
		"skewed":  skewed,
		"far":     bytes.Repeat(noise[:32768], 4),
		"periods": bytes.Join([][]byte{bytes.Repeat([]byte("ab"), 999), bytes.Repeat([]byte("abcdefg"), 999), bytes.Repeat([]byte("12345678"), 999)}, nil),
	}
}

func TestInflate(t *testing.T) {
	for name, want := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
			got, ok := expand(t, deflate(t, want, level), len(want))
			if !ok || !bytes.Equal(got, want) {
				t.Errorf("%s, level %d: %d bytes, %v; want %d", name, level, len(got), ok, len(want))
			}
		}
	}
}

// TestInflateFarDistances has matches on both sides of where each code of far distances begins, and as far as there are any.
func TestInflateFarDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	want := make([]byte, 18<<20)
	for i := range 1 << 20 {
		want[i] = byte(r.Uint32())
	}
	at := 1 << 20
	for i, distance := range []int{32767, 32768, 32769, 100_000, 32766 + 1<<20, 32767 + 1<<20, 32768 + 1<<20, 5 << 20, 32766 + 1<<24, 32767 + 1<<24} {
		at = max(at, distance) + 1000*(i+1) // of what occurs nowhere else
		copy(want[at:at+300], want[at-distance:])
		at += 300
	}
	want = want[:at]
	got, ok := expand(t, compress.Compress(want), len(want))
	if !ok || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want %d", len(got), ok, len(want))
	}
}

func TestInflateRefusesWhatIsTooLong(t *testing.T) {
	for name, b := range samples() {
		if len(b) == 0 {
			continue
		}
		stream := deflate(t, b, flate.BestCompression)
		if got, ok := expand(t, stream, len(b)-1); ok {
			t.Errorf("%s: %d bytes where there is room for %d", name, len(got), len(b)-1)
		}
		if got, ok := expand(t, stream[:len(stream)-1], len(b)); ok && bytes.Equal(got, b) && name != "empty" {
			t.Errorf("%s: whole without its last byte", name)
		}
	}
}

// FuzzInflate compares inflate with compress/flate on streams that mean ill.
func FuzzInflate(f *testing.F) {
	for _, b := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
			f.Add(deflate(f, b[:min(len(b), 3000)], level))
		}
	}
	const size = 100_000
	f.Fuzz(func(t *testing.T, in []byte) {
		got, ok := expand(t, in, size)
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(in)), size+1))
		if err != nil || len(want) > size {
			// Codes with gaps are refused by one and harmless to the other, as long as the gap is not met.
			return
		}
		if !ok || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v; want %d", len(got), ok, len(want))
		}
	})
}

func TestRelated(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	likely := []byte{0xe8, 0x05, 0x3d, 0x80, 0x8b, 0x8f}
	for n := range 300 {
		code := make([]byte, n)
		for i := range code {
			code[i] = byte(r.Uint32())
			if r.IntN(3) == 0 {
				code[i] = likely[r.IntN(len(likely))]
			}
		}
		behind := bytes.Repeat([]byte{0xe8}, inputSlack)
		changed := append(bytes.Clone(code), behind...)
		for i := 1; i+5 <= n; i++ {
			if changed[i] == 0xe8 || changed[i]&0xc7 == 0x05 && changed[i-1]&0xf0 == 0x80 {
				binary.LittleEndian.PutUint32(changed[i+1:], binary.LittleEndian.Uint32(changed[i+1:])+uint32(i))
				i += 4
			}
		}
		related(changed[:n])
		if !bytes.Equal(changed[:n], code) || !bytes.Equal(changed[n:], behind) {
			t.Errorf("%d bytes: got %x, want %x", n, changed, code)
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	text := samples()["skewed"]
	stream := append(deflate(b, text, flate.BestCompression), make([]byte, inputSlack)...)
	out := make([]byte, len(text)+inflateSlack)
	scratch := new([scratchSize]byte)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if inflate(out[:len(text)], stream[:len(stream)-inputSlack], scratch) != len(text) {
			b.Fatal("no stream")
		}
	}
}
