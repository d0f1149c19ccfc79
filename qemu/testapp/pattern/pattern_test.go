package pattern

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"testing/iotest"
)

func TestStreamDoesNotDependOnReadSizes(t *testing.T) {
	const n = 5*blockSize/2 + 7
	whole, err := io.ReadAll(New(1, n))
	if err != nil || len(whole) != n {
		t.Fatalf("got %d bytes, %v", len(whole), err)
	}
	bits, err := io.ReadAll(iotest.OneByteReader(New(1, n)))
	if err != nil || !bytes.Equal(whole, bits) {
		t.Error("byte by byte it is another stream")
	}
	other, err := io.ReadAll(New(2, n))
	if err != nil || bytes.Equal(whole, other) {
		t.Error("another seed is the same stream")
	}
	if sha256.Sum256(whole[:blockSize]) == sha256.Sum256(whole[blockSize:2*blockSize]) {
		t.Error("two blocks are equal")
	}
}
