// Package digest computes one number from much of Go's vector code, to compare
// that number between machines.
package digest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
)

// Sum hashes, encrypts, copies, clears, compares and searches blocks of all lengths up
// to 600 bytes and of some greater ones, and returns a digest of all results.
func Sum() [sha256.Size]byte {
	var seed [32]byte
	src := rand.NewChaCha8(seed)
	data := make([]byte, 70_000)
	src.Read(data)

	block, err := aes.NewCipher(data[:16])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}

	var out bytes.Buffer
	for _, n := range lengths() {
		b := data[:n]
		s1, s256, s512 := sha1.Sum(b), sha256.Sum256(b), sha512.Sum512(b)
		out.Write(s1[:])
		out.Write(s256[:])
		out.Write(s512[:])
		out.Write(gcm.Seal(nil, data[:12], b, data[:n/3]))

		c := make([]byte, n+64)
		copy(c[n%61:], b)
		copy(c[n%7:], c[n%61:])
		clear(c[n/4 : n/3])
		out.Write(c)

		for _, v := range []int{
			int(crc32.ChecksumIEEE(b)), int(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))),
			bytes.IndexByte(b, byte(n)), bytes.Index(b, data[n/2:n/2+3]), bytes.Count(b, []byte{7}),
			bytes.Compare(b, c[:n]), bytes.LastIndexByte(c, byte(n)),
		} {
			binary.Write(&out, binary.LittleEndian, int64(v))
		}
	}
	return sha256.Sum256(out.Bytes())
}

// lengths are the lengths of blocks.
func lengths() []int {
	var l []int
	for n := range 600 {
		l = append(l, n)
	}
	return append(l, 1023, 1024, 1500, 4095, 4096, 8193, 32768, 65537)
}
