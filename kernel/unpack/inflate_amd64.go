//go:build !tamago

package unpack

// Sizes in bytes, as in unpack.h.
const (
	scratchSize  = 37552
	inflateSlack = 16384
	inputSlack   = 16
)

// inflate is the decompression of the stub as a function, for its tests: it decompresses in into out and returns how many
// bytes that were, -1 for what is no DEFLATE stream or is longer than out. Behind out there have to be inflateSlack bytes,
// and behind in inputSlack.
//
//go:noescape
func inflate(out, in []byte, scratch *[scratchSize]byte) int

// related is what the stub does with code after that, as a function. Behind code there have to be inputSlack bytes.
//
//go:noescape
func related(code []byte)
