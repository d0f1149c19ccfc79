package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// What refers back further than compress/flate knows is tested in package unpack.

// samples are data with matches and runs, long codes, no redundancy and nothing at all, without far matches.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	skewed := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
		skewed[i] = byte(min(r.ExpFloat64()*12, 255))
	}
	var growing []byte // its code would have words of up to 21 bits, without a limit
	for i, n := range fibonacci(21) {
		growing = append(growing, bytes.Repeat([]byte{byte(i)}, n)...)
	}
	r.Shuffle(len(growing), func(i, j int) { growing[i], growing[j] = growing[j], growing[i] })
	return map[string][]byte{
		"nothing": {}, "a byte": {7}, "three bytes": []byte("abc"), "zeros": make([]byte, 300_000), "noise": noise,
		"skewed": skewed[:maxNear], "long codes": growing, "near": bytes.Repeat(noise[:30_000], 12), "a block": noise[:blockSize],
		"overlapping": bytes.Repeat([]byte("abcabcab"), 40_000),
	}
}

// fibonacci returns n numbers whose best code is as long as can be.
func fibonacci(n int) []int {
	list := []int{1, 1}
	for len(list) < n {
		list = append(list, list[len(list)-1]+list[len(list)-2])
	}
	return list
}

func TestCompressIsRead(t *testing.T) {
	for name, want := range samples() {
		stream := Compress(want)
		got, err := io.ReadAll(flate.NewReader(bytes.NewReader(stream)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
	}
}

// TestCompressIsSmaller compares with compress/flate's best; noise, which that leaves as it is, may take a little more.
func TestCompressIsSmaller(t *testing.T) {
	for name, b := range samples() {
		var best bytes.Buffer
		w, _ := flate.NewWriter(&best, flate.BestCompression)
		w.Write(b)
		w.Close()
		if n := len(Compress(b)); n > best.Len()+len(b)/200+80 {
			t.Errorf("%s: %d bytes, %d by compress/flate", name, n, best.Len())
		}
	}
	noise := samples()["noise"]
	if far := append(bytes.Repeat(noise[:200_000], 2), noise...); len(Compress(far)) > 320_000 {
		t.Errorf("of twice the same, far apart, %d bytes are left", len(Compress(far)))
	}
}

// TestCodes checks that words begin with no other word, in the order of DEFLATE, and that none is too long.
func TestCodes(t *testing.T) {
	for name, counts := range map[string][]int{"alike": slices.Repeat([]int{5}, 286), "long": fibonacci(30), "gaps": {0, 3, 0, 0, 1, 9}, "two": {1, 1}} {
		c := makeCode(counts, longestCode)
		room := 0.0
		for i, n := range c.lengths {
			if (n > 0) != (counts[i] > 0) || n > longestCode {
				t.Errorf("%s: symbol %d occurs %d times and has %d bits", name, i, counts[i], n)
			}
			if n > 0 {
				room += 1 / float64(int(1)<<n)
			}
			for j, m := range c.lengths {
				if i != j && n > 0 && n <= m && c.words[j]&(1<<n-1) == c.words[i] {
					t.Errorf("%s: the word of %d begins with that of %d", name, j, i)
				}
			}
		}
		if room != 1 {
			t.Errorf("%s: the words take %v of what there is", name, room)
		}
	}
	if got := huffman([]int{1, 2, 4, 8, 16, 0}); !slices.Equal(got, []uint8{4, 4, 3, 2, 1, 0}) {
		t.Errorf("lengths %v", got)
	}
}

func FuzzCompress(f *testing.F) {
	for _, b := range samples() {
		f.Add(b[:min(len(b), 2000)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := io.ReadAll(flate.NewReader(bytes.NewReader(Compress(b))))
		if len(b) <= maxNear && (err != nil || !bytes.Equal(got, b)) {
			t.Errorf("%d bytes of %d, %v", len(got), len(b), err)
		}
	})
}
