package imx

import (
	"bytes"
	"encoding/binary"
)

// Parse reads an image and checks that the boot ROM can start it: that its headers are whole and
// agree with each other, that everything it points to lies in it, and that it enters the kernel. The
// Image shares b's memory. The error wraps ErrImage and says what was wrong.
func Parse(b []byte) (*Image, error) {
	if bytes.HasPrefix(b, []byte("\x7fELF")) {
		return nil, bad("this is an ELF file, which the boot ROM does not know; make an image of it first")
	}
	if len(b) <= HeaderSize {
		return nil, bad("%d bytes are no more than its header, of %d", len(b), HeaderSize)
	}
	le := binary.LittleEndian
	if err := header(b, tagIVT, "IVT"); err != nil {
		return nil, err
	}
	if n := int(binary.BigEndian.Uint16(b[1:])); n != ivtSize {
		return nil, bad("IVT says that it has %d bytes, want %d", n, ivtSize)
	}
	i := &Image{Entry: le.Uint32(b[4:])}
	self := le.Uint32(b[20:])
	i.Load = self + HeaderSize
	if i.Load < self {
		return nil, bad("IVT's own address is %#x: the kernel lies beyond the end of memory", self)
	}
	if at := le.Uint32(b[16:]); at != self+ivtSize {
		return nil, bad("boot data are at %#x, want them behind the IVT at %#x", at, self+ivtSize)
	}
	if start := le.Uint32(b[32:]); start != i.Load-initialLoad {
		return nil, bad("boot data load to %#x, want %#x, from where the IVT is at its own address", start, i.Load-initialLoad)
	}
	// It may have room for a signature behind its end (mkimage's CSF).
	if size := uint64(le.Uint32(b[36:])); size < uint64(len(b)+CardOffset) {
		return nil, bad("boot data load %d bytes, which leaves out the end of %d", size, len(b)+CardOffset)
	}
	if plugin := le.Uint32(b[40:]); plugin != 0 {
		return nil, bad("it is a plugin (%#x), not a kernel", plugin)
	}
	if dcd := le.Uint32(b[12:]); dcd != 0 {
		if dcd < self+dcdOffset || dcd > i.Load-8 {
			return nil, bad("DCD is at %#x, want it in the header, %#x to %#x", dcd, self+dcdOffset, i.Load-8)
		}
		var err error
		if i.DCD, err = parseDCD(b[dcd-self : HeaderSize]); err != nil {
			return nil, err
		}
	}
	i.Kernel = b[HeaderSize:]
	return i, i.check()
}

// header checks the tag and the version of a header.
func header(b []byte, tag byte, name string) error {
	if b[0] != tag || b[3] != version40 && b[3] != version41 {
		return bad("%s begins with % x, want %02x .. .. %02x", name, b[:4], tag, version40)
	}
	return nil
}

// parseDCD reads the writes of a DCD that begins at b's beginning and ends in b. Other
// commands than writes of 32 bits are refused: no image for these boards has them.
func parseDCD(b []byte) (writes []Write, err error) {
	be := binary.BigEndian
	if err := header(b, tagDCD, "DCD"); err != nil {
		return nil, err
	}
	n := int(be.Uint16(b[1:]))
	if n < 4 || n > maxDCD || n > len(b) {
		return nil, bad("DCD says that it has %d bytes, want at most %d", n, min(maxDCD, len(b)))
	}
	for b = b[4:n]; len(b) > 0; {
		if len(b) < 4 || b[0] != tagData || b[3] != write32 {
			return nil, bad("DCD has the command % x, want writes of 32 bits (cc .. .. 04)", b[:min(4, len(b))])
		}
		n := int(be.Uint16(b[1:]))
		if n < 4 || n > len(b) || n%8 != 4 {
			return nil, bad("DCD has a command of %d bytes in the %d that are left", n, len(b))
		}
		for w := b[4:n]; len(w) > 0; w = w[8:] {
			writes = append(writes, Write{be.Uint32(w), be.Uint32(w[4:])})
		}
		b = b[n:]
	}
	return writes, nil
}
