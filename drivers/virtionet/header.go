package virtionet

import "encoding/binary"

const (
	// headerLen is the size of struct virtio_net_hdr (§5.1.6): with VERSION_1 it has
	// num_buffers always.
	headerLen = 12
	// headerSlot is the room of a header in the block of those to transmit.
	headerSlot = 16
)

// Flags of a header.
const (
	headerNeedsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	headerDataValid     = 2 // VIRTIO_NET_HDR_F_DATA_VALID
)

// Values of gsoType.
const (
	gsoNone = 0
	gsoTCP4 = 1
	gsoTCP6 = 4
	gsoECN  = 0x80 // a bit beside the others
)

// header is struct virtio_net_hdr (§5.1.6), with the fields of the same names.
type header struct {
	flags, gsoType        uint8
	hdrLen, gsoSize       uint16
	csumStart, csumOffset uint16
	numBuffers            uint16
}

// put writes h into b.
func (h *header) put(b []byte) {
	_ = b[headerLen-1]
	b[0], b[1] = h.flags, h.gsoType
	binary.LittleEndian.PutUint16(b[2:], h.hdrLen)
	binary.LittleEndian.PutUint16(b[4:], h.gsoSize)
	binary.LittleEndian.PutUint16(b[6:], h.csumStart)
	binary.LittleEndian.PutUint16(b[8:], h.csumOffset)
	binary.LittleEndian.PutUint16(b[10:], h.numBuffers)
}

// parseHeader reads what put writes. b has at least headerLen bytes.
func parseHeader(b []byte) header {
	_ = b[headerLen-1]
	return header{
		flags: b[0], gsoType: b[1],
		hdrLen:     binary.LittleEndian.Uint16(b[2:]),
		gsoSize:    binary.LittleEndian.Uint16(b[4:]),
		csumStart:  binary.LittleEndian.Uint16(b[6:]),
		csumOffset: binary.LittleEndian.Uint16(b[8:]),
		numBuffers: binary.LittleEndian.Uint16(b[10:]),
	}
}
