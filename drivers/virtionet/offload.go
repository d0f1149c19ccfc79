package virtionet

import (
	"encoding/binary"
	"fmt"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

var (
	_ nic.ChecksumOffload     = (*Device)(nil)
	_ nic.SegmentationOffload = (*Device)(nil)
)

// ChecksumOffload implements nic.ChecksumOffload.
func (d *Device) ChecksumOffload() (tx, rx bool) {
	return d.features.Has(FeatureCsum), d.features.Has(FeatureGuestCsum)
}

// SegmentationOffload implements nic.SegmentationOffload.
func (d *Device) SegmentationOffload() (tcp4, tcp6 bool) {
	return d.features.Has(FeatureHostTSO4), d.features.Has(FeatureHostTSO6)
}

// txHeader describes what f asks of the device by §5.1.6.2. The error wraps
// nic.ErrFrame: what f asks for was not negotiated, or makes no sense.
func (d *Device) txHeader(f *nic.TxFrame, size int) (h header, err error) {
	if f.Checksum.Start != 0 {
		if !d.features.Has(FeatureCsum) || f.Checksum.Start < nic.HeaderLen || f.Checksum.End() > size {
			return h, fmt.Errorf("%w: checksum at %d+%d in %d bytes: beyond the frame or what the device does",
				nic.ErrFrame, f.Checksum.Start, f.Checksum.Offset, size)
		}
		h.flags, h.csumStart, h.csumOffset = headerNeedsChecksum, f.Checksum.Start, f.Checksum.Offset
	}
	s := &f.Segmentation
	switch {
	case s.Type == nic.SegmentNone:
		return h, nil
	case s.Type == nic.SegmentTCP4 && d.features.Has(FeatureHostTSO4):
		h.gsoType = gsoTCP4
	case s.Type == nic.SegmentTCP6 && d.features.Has(FeatureHostTSO6):
		h.gsoType = gsoTCP6
	default:
		return h, fmt.Errorf("%w: device does not cut segments of type %d", nic.ErrFrame, s.Type)
	}
	if s.ECN {
		if !d.features.Has(FeatureHostECN) {
			return h, fmt.Errorf("%w: device does not cut segments with CWR", nic.ErrFrame)
		}
		h.gsoType |= gsoECN
	}
	// A device needs the checksum of each piece to be its own business.
	if f.Checksum.Start == 0 || s.Size == 0 || int(s.HeaderLen) < f.Checksum.End() || int(s.HeaderLen) > size ||
		int(s.HeaderLen)+int(s.Size) > d.maxFrame() {
		return h, fmt.Errorf("%w: %d bytes with a header of %d, checksum at %d+%d, cannot be cut into %d each",
			nic.ErrFrame, size, s.HeaderLen, f.Checksum.Start, f.Checksum.Offset, s.Size)
	}
	h.hdrLen, h.gsoSize = s.HeaderLen, s.Size
	return h, nil
}

// checksum says what the device's word on a received frame comes to. bytes is what of the
// frame lies in its first part, size the length of all of it. With needed set, the frame has
// only the sum of the pseudo-header in its checksum field (§5.1.6.4.1). ok is
// false when the header cannot be.
func (d *Device) checksum(h *header, bytes []byte, size int) (good, needed, ok bool) {
	if !d.features.Has(FeatureGuestCsum) {
		// The device must have left the flags zero (§5.1.6.4.1): not looked at.
		return false, false, true
	}
	needed = h.flags&headerNeedsChecksum != 0
	if needed && (h.csumStart < nic.HeaderLen || int(h.csumStart)+int(h.csumOffset)+2 > size) {
		return false, false, false
	}
	if !needed && h.flags&headerDataValid == 0 {
		return false, false, true
	}
	start, plain := transportStart(bytes)
	return plain && (!needed || start == int(h.csumStart)), needed, true
}

// gsoNegotiated says whether the device may put h's gso_type before a frame (§5.1.6.4.1).
func (d *Device) gsoNegotiated(h *header) bool {
	if !d.features.Has(FeatureGuestCsum) {
		return true // not looked at, either
	}
	needed := virtio.Features(0)
	switch h.gsoType &^ gsoECN {
	case gsoNone:
		return h.gsoType == gsoNone
	case gsoTCP4:
		needed = FeatureGuestTSO4
	case gsoTCP6:
		needed = FeatureGuestTSO6
	default:
		return false
	}
	if h.gsoType&gsoECN != 0 {
		needed |= FeatureGuestECN
	}
	return d.features.Has(needed) && h.gsoSize != 0
}

// Protocols that transportStart knows.
const (
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
	protocolTCP   = 6
	protocolUDP   = 17
)

// transportStart returns where the TCP or UDP header begins in a frame of IP without
// extension headers that is no fragment, and false for any other: a device's word is
// about one checksum, and in the others the stack looks at more. For IPv4 it has verified the
// checksum of the IP header, which no device does.
func transportStart(b []byte) (start int, ok bool) {
	const minIPv4, minIPv6 = 20, 40
	if len(b) < nic.HeaderLen+minIPv4 {
		return 0, false
	}
	ip := b[nic.HeaderLen:]
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherTypeIPv4:
		n := int(ip[0]&15) * 4
		fragment := binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 // more fragments, or an offset
		if ip[0]>>4 != 4 || n < minIPv4 || n > len(ip) || fragment || fold(sum(ip[:n], 0)) != 0xffff {
			return 0, false
		}
		return nic.HeaderLen + n, ip[9] == protocolTCP || ip[9] == protocolUDP
	case etherTypeIPv6:
		if len(ip) < minIPv6 || ip[0]>>4 != 6 {
			return 0, false
		}
		return nic.HeaderLen + minIPv6, ip[6] == protocolTCP || ip[6] == protocolUDP
	}
	return 0, false
}

// sum adds the big-endian 16-bit words of b to s (RFC 1071 §1). b has at most 64 KiB.
func sum(b []byte, s uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold adds the carries of s.
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s)
}

// complete puts the checksum into a frame that lies in parts and of which the device has
// said that it begins at start, and belongs at start+offset; both were checked.
func complete(parts []nic.RxPart, start, offset int) {
	var s uint32
	pos, odd := 0, false
	for _, p := range parts {
		b := p.Buffer.Bytes()[p.Off : p.Off+p.Len]
		skip := min(max(start-pos, 0), len(b))
		pos += len(b)
		b = b[skip:]
		if odd && len(b) > 0 {
			s += uint32(b[0])
			b, odd = b[1:], false
		}
		s = uint32(fold(sum(b, s)))
		odd = odd || len(b)%2 == 1
	}
	v := ^fold(s)
	if v == 0 && offset == udpChecksumOffset {
		// For UDP, zero says that there is no checksum (RFC 768); for TCP both are the same.
		v = 0xffff
	}
	put(parts, start+offset, byte(v>>8))
	put(parts, start+offset+1, byte(v))
}

// udpChecksumOffset is where the checksum stands in a UDP header (RFC 768).
const udpChecksumOffset = 6

// put stores the byte at a position of the frame.
func put(parts []nic.RxPart, at int, v byte) {
	for _, p := range parts {
		if at < p.Len {
			p.Buffer.Bytes()[p.Off+at] = v
			return
		}
		at -= p.Len
	}
}
