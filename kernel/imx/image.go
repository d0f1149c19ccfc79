// Package imx writes and reads the images that the boot ROM of NXP's i.MX6 processors
// starts: an image vector table (IVT), boot data, device configuration data (DCD) and the
// kernel. mkimage of U-Boot calls them imximage, version 2.
//
// On a memory card or eMMC an image stands at [CardOffset], ahead of the first partition. The ROM reads
// its beginning, does the writes of the DCD, which set the memory up, copies the image to the
// address that the boot data names, and jumps to the entry.
//
// Images are not signed: a processor whose fuses demand signatures (HAB closed) refuses them.
//
// Reference: IMX6ULLRM Rev 1 §8.7 (program image).
package imx

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// CardOffset is where an image stands on a card, in bytes (§8.5.3.6).
	CardOffset = 0x400
	// initialLoad is what lies ahead of the kernel from the card's beginning: the
	// ROM's first read, a page (§8.7.1).
	initialLoad = 0x1000
	// HeaderSize is what lies ahead of the kernel in an image.
	HeaderSize = initialLoad - CardOffset
	// pageSize is what the image ends on a multiple of, from the card's beginning.
	pageSize = 0x1000

	// MaxWrites is how many writes the ROM's DCD can have (§8.7.2: at most 1768 bytes).
	MaxWrites = (maxDCD - 8) / 8
	maxDCD    = 1768
)

// Tags and versions (§8.7.1.1, §8.7.2).
const (
	tagIVT  = 0xd1
	tagDCD  = 0xd2
	tagData = 0xcc

	version40 = 0x40 // HAB 4.0
	version41 = 0x41
	write32   = 4 // 4 bytes at a time, written as they are

	ivtSize      = 32
	bootDataSize = 12
	dcdOffset    = ivtSize + bootDataSize
)

// Write is a write of the DCD: a 32-bit value to a register.
type Write struct {
	Addr, Value uint32
}

// Image is a kernel as the boot ROM takes it.
type Image struct {
	// Load is where the kernel's first byte goes in memory, Entry where it begins.
	Load, Entry uint32
	// DCD are the writes that come first.
	DCD []Write
	// Kernel is what follows the header. Parse returns it with the padding behind it.
	Kernel []byte
}

// ErrImage is wrapped by errors about an image's content.
var ErrImage = errors.New("imx: bad image")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrImage, fmt.Sprintf(format, args...))
}

// Self is the address at which the image's first byte, its IVT, goes in memory.
func (i *Image) Self() uint32 { return i.Load - HeaderSize }

// Size is the length of the marshalled image in bytes.
func (i *Image) Size() int {
	return (initialLoad+len(i.Kernel)+pageSize-1)&^(pageSize-1) - CardOffset
}

// check says what is wrong with i. The error wraps ErrImage.
func (i *Image) check() error {
	end := uint64(i.Load) + uint64(len(i.Kernel))
	switch {
	case len(i.Kernel) == 0:
		return bad("there is no kernel")
	case i.Load < initialLoad || i.Load%4 != 0:
		return bad("load address is %#x, want a multiple of 4 from %#x", i.Load, initialLoad)
	case end > 1<<32:
		return bad("a kernel of %d bytes does not fit at %#x", len(i.Kernel), i.Load)
	case i.Entry < i.Load || uint64(i.Entry) >= end || i.Entry%4 != 0:
		return bad("entry is %#x, want a multiple of 4 from %#x to %#x", i.Entry, i.Load, end)
	case len(i.DCD) > MaxWrites:
		return bad("DCD has %d writes, want at most %d", len(i.DCD), MaxWrites)
	}
	for n, w := range i.DCD {
		if w.Addr%4 != 0 {
			return bad("DCD write %d goes to %#x, want a multiple of 4", n, w.Addr)
		}
	}
	return nil
}

// MarshalBinary returns the image as it stands on a card from CardOffset on. The error wraps ErrImage.
func (i *Image) MarshalBinary() ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	le, be := binary.LittleEndian, binary.BigEndian
	b := make([]byte, i.Size())
	putHeader(b, tagIVT, ivtSize, version40)
	le.PutUint32(b[4:], i.Entry)
	le.PutUint32(b[16:], i.Self()+ivtSize)
	le.PutUint32(b[20:], i.Self())
	le.PutUint32(b[32:], i.Load-initialLoad)
	le.PutUint32(b[36:], uint32(len(b)+CardOffset))
	if n := len(i.DCD); n > 0 {
		le.PutUint32(b[12:], i.Self()+dcdOffset)
		d := b[dcdOffset:]
		putHeader(d, tagDCD, 8+8*n, version40)
		putHeader(d[4:], tagData, 4+8*n, write32)
		for k, w := range i.DCD {
			be.PutUint32(d[8+8*k:], w.Addr)
			be.PutUint32(d[12+8*k:], w.Value)
		}
	}
	copy(b[HeaderSize:], i.Kernel)
	return b, nil
}

// putHeader writes a header: a tag, a length in big-endian order, a version or parameter.
func putHeader(b []byte, tag byte, length int, version byte) {
	b[0], b[3] = tag, version
	binary.BigEndian.PutUint16(b[1:], uint16(length))
}
