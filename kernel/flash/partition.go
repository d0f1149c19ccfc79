package flash

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	sector       = 512
	mbrTable     = 446
	mbrEntry     = 16
	mbrEntries   = 4
	gptHeader    = "EFI PART" // UEFI 2.10 §5.3.2
	gptProtected = 0xee       // a partition's type in the MBR of a GPT disk
)

// firstPartition returns where the first partition begins, in bytes, 0 when there is none. A GPT is
// refused: its entries stand at offset 1024, where the boot ROM wants the image.
func firstPartition(t io.ReaderAt) (int64, error) {
	var b [2 * sector]byte
	if n, err := t.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return 0, fmt.Errorf("reading the partition table, %d bytes: %w", n, err)
	}
	if string(b[sector:sector+len(gptHeader)]) == gptHeader {
		return 0, refuse("it has a GPT, whose entries stand at offset 1024, where the boot ROM wants the image; partition it with an MBR (fdisk's o)")
	}
	if b[510] != 0x55 || b[511] != 0xaa {
		return 0, nil
	}
	first := int64(0)
	for i := range mbrEntries {
		e := b[mbrTable+i*mbrEntry:][:mbrEntry]
		start, sectors := int64(binary.LittleEndian.Uint32(e[8:])), binary.LittleEndian.Uint32(e[12:])
		if e[4] == gptProtected {
			return 0, refuse("it has the MBR of a GPT disk; partition it with an MBR (fdisk's o)")
		}
		if e[4] == 0 || sectors == 0 {
			continue
		}
		if at := max(start, 1) * sector; first == 0 || at < first {
			first = at
		}
	}
	return first, nil
}
