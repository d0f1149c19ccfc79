package virtionettest

import (
	"encoding/binary"
	"fmt"

	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
)

// Flags and types of a Header (VIRTIO 1.2 §5.1.6).
const (
	NeedsCsum = 1
	DataValid = 2

	GSOTCP4 = 1
	GSOTCP6 = 4
	GSOECN  = 0x80
)

// Header is struct virtio_net_hdr (VIRTIO 1.2 §5.1.6).
type Header struct {
	Flags, GSOType                                     uint8
	HdrLen, GSOSize, CsumStart, CsumOffset, NumBuffers uint16
}

func (h Header) bytes() (b [headerLen]byte) {
	b[0], b[1] = h.Flags, h.GSOType
	for i, v := range [...]uint16{h.HdrLen, h.GSOSize, h.CsumStart, h.CsumOffset, h.NumBuffers} {
		binary.LittleEndian.PutUint16(b[2+2*i:], v)
	}
	return b
}

func parseHeader(b []byte) (h Header) {
	h.Flags, h.GSOType = b[0], b[1]
	for i, p := range [...]*uint16{&h.HdrLen, &h.GSOSize, &h.CsumStart, &h.CsumOffset, &h.NumBuffers} {
		*p = binary.LittleEndian.Uint16(b[2+2*i:])
	}
	return h
}

// check says what is wrong with the header of a frame to transmit, by the drivers'
// requirements of §5.1.6.2.1.
func (h Header) check(frame []byte, f virtio.Features) error {
	bad := func(what string) error { return fmt.Errorf("%s: header %+v of %d bytes", what, h, len(frame)) }
	if h.NumBuffers != 0 {
		return bad("num_buffers is not zero")
	}
	if h.Flags&^NeedsCsum != 0 || h.Flags != 0 && !f.Has(virtionet.FeatureCsum) {
		return bad("flags that were not negotiated")
	}
	if h.Flags&NeedsCsum != 0 && int(h.CsumStart)+int(h.CsumOffset)+2 > len(frame) {
		return bad("checksum outside of the frame")
	}
	needed := virtio.Features(0)
	switch h.GSOType &^ GSOECN {
	case 0:
		if h.GSOType == 0 {
			return nil
		}
		return bad("ECN without a type")
	case GSOTCP4:
		needed = virtionet.FeatureHostTSO4
	case GSOTCP6:
		needed = virtionet.FeatureHostTSO6
	default:
		return bad("unknown gso_type")
	}
	if h.GSOType&GSOECN != 0 {
		needed |= virtionet.FeatureHostECN
	}
	switch {
	case !f.Has(needed):
		return bad("gso_type that was not negotiated")
	case h.Flags&NeedsCsum == 0 || h.GSOSize == 0 || h.HdrLen == 0:
		return bad("segmentation without NEEDS_CSUM, gso_size or hdr_len")
	}
	return nil
}

// Perform does what the header asks for: it completes the checksum, or cuts the
// frame into several, and calls send with what comes of it. The frame may be changed.
func (h Header) Perform(frame []byte, send func([]byte)) {
	if h.GSOType != 0 {
		for _, f := range h.segment(frame) {
			send(f)
		}
		return
	}
	if h.Flags&NeedsCsum != 0 {
		at := int(h.CsumStart) + int(h.CsumOffset)
		v := ^onesSum(frame[h.CsumStart:])
		if v == 0 {
			v = 0xffff
		}
		binary.BigEndian.PutUint16(frame[at:], v)
	}
	send(frame)
}

// segment cuts a TCP segment. It goes by the packet, and takes only the size from the header.
func (h Header) segment(frame []byte) (frames [][]byte) {
	ip := frame[14:]
	v4, l3 := ip[0]>>4 == 4, 40
	if v4 {
		l3 = int(ip[0]&15) * 4
	}
	tcp := 14 + l3
	data := tcp + int(frame[tcp+12]>>4)*4
	const fin, psh, cwr = 1, 8, 0x80
	for off := data; off < len(frame); off += int(h.GSOSize) {
		end := min(off+int(h.GSOSize), len(frame))
		f := append(append([]byte(nil), frame[:data]...), frame[off:end]...)
		binary.BigEndian.PutUint32(f[tcp+4:], binary.BigEndian.Uint32(f[tcp+4:])+uint32(off-data))
		if off != data {
			f[tcp+13] &^= cwr
		}
		if end != len(frame) {
			f[tcp+13] &^= fin | psh
		}
		n := len(f) - tcp
		var pseudo []byte
		if v4 {
			binary.BigEndian.PutUint16(f[16:], uint16(len(f)-14))
			binary.BigEndian.PutUint16(f[18:], binary.BigEndian.Uint16(f[18:])+uint16(len(frames)))
			binary.BigEndian.PutUint16(f[24:], 0)
			binary.BigEndian.PutUint16(f[24:], ^onesSum(f[14:tcp]))
			pseudo = append(append(pseudo, f[26:34]...), 0, 6, byte(n>>8), byte(n))
		} else {
			binary.BigEndian.PutUint16(f[18:], uint16(n))
			pseudo = append(append(pseudo, f[22:54]...), 0, 0, byte(n>>8), byte(n), 0, 0, 0, 6)
		}
		binary.BigEndian.PutUint16(f[tcp+16:], 0)
		binary.BigEndian.PutUint16(f[tcp+16:], ^onesSum(append(pseudo, f[tcp:]...)))
		frames = append(frames, f)
	}
	return frames
}

// Takes says whether the driver takes a frame with what is left to do in h.
func (n *Net) Takes(h Header) bool {
	f := n.Accepted()
	needed := virtio.Features(0)
	if h.Flags != 0 {
		needed |= virtionet.FeatureGuestCsum
	}
	switch h.GSOType &^ GSOECN {
	case GSOTCP4:
		needed |= virtionet.FeatureGuestTSO4
	case GSOTCP6:
		needed |= virtionet.FeatureGuestTSO6
	}
	if h.GSOType&GSOECN != 0 {
		needed |= virtionet.FeatureGuestECN
	}
	return f.Has(needed)
}

// onesSum is the sum of RFC 1071, not inverted.
func onesSum(b []byte) uint16 {
	s := uint64(0)
	for i, v := range b {
		s += uint64(v) << (8 * (1 - i%2))
	}
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
