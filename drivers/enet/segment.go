package enet

import (
	"encoding/binary"
	"fmt"

	"github.com/tamanet/tamanet/drivers/nic"
)

// The MAC cannot cut a TCP segment. Doing it here, with the copy into the ring that there is anyway, saves the
// stack the way down for each frame (Linux: net/core/tso.c).

const (
	// maxSegments is how many frames a segment can make: the longest one, at the smallest MSS that we take.
	maxSegments = 64
	// maxHeaders bounds the headers of a segment: Ethernet's, IPv6's with extensions, TCP's with options.
	maxHeaders = 256

	etherType     = 12
	etherTypeIPv4 = 0x0800

	ip4Total, ip4ID, ip4Sum = 2, 4, 10
	ip6Payload, ip6Header   = 4, 40
	tcpSeq, tcpFlags        = 4, 13
	tcpHeader               = 20

	tcpFinPsh = 0x09
	tcpCwr    = 0x80
)

// SegmentationOffload implements nic.SegmentationOffload.
func (d *Device) SegmentationOffload() (tcp4, tcp6 bool) {
	ok := d.c.TxRing >= maxSegments
	return ok, ok
}

// addSegments cuts f into frames and gives them to the MAC.
func (d *Device) addSegments(f *nic.TxFrame) error {
	size, s, t := f.Len(), f.Segmentation, &d.tx
	payload := size - int(s.HeaderLen)
	if err := d.checkSegments(f, size); err != nil {
		d.stats.txInvalid.Add(1)
		return err
	}
	n := (payload + int(s.Size) - 1) / int(s.Size)
	if n > len(t.bd)-t.used {
		t.stopped = true
		d.stats.txFull.Add(1)
		return nic.ErrFull
	}
	src := gather{parts: f.Parts}
	headers := t.headers[:s.HeaderLen]
	src.copy(headers)
	for i := range n {
		buf, addr := t.copyBuffer(t.head)
		length := min(int(s.Size), payload-i*int(s.Size))
		frame := buf[:len(headers)+length]
		copy(frame, headers)
		src.copy(frame[len(headers):])
		ext := adjust(frame, f, i, i == n-1)
		if t.frames++; t.frames >= txIntr {
			t.frames = 0
			ext |= bdTxInt
		}
		t.slots[t.head] = txSlot{}
		t.bd[t.head].set(addr, ext)
		t.give(t.head, uint32(len(frame))|bdTxCRC|bdLast)
		t.head = t.next(t.head)
		t.used++
	}
	t.kickDue = true
	d.stats.txFrames.Add(1)
	d.stats.txBytes.Add(uint64(size))
	d.stats.txSegmented.Add(1)
	return nil
}

// checkSegments says what is wrong with a frame that is to be cut. The error wraps nic.ErrFrame.
func (d *Device) checkSegments(f *nic.TxFrame, size int) error {
	s, c := f.Segmentation, f.Checksum
	header := int(s.HeaderLen)
	least := nic.HeaderLen + tcpHeader + ip6Header
	if s.Type == nic.SegmentTCP4 {
		least = nic.HeaderLen + 2*tcpHeader // IPv4's is as long
	}
	switch {
	case !d.segments() || s.Type != nic.SegmentTCP4 && s.Type != nic.SegmentTCP6,
		size > nic.MaxSegmented, len(f.Parts) > maxParts, s.Size == 0,
		header < least || header > maxHeaders || header >= size || header+int(s.Size) > d.maxFrame(),
		int(c.Start) < least-tcpHeader || int(c.Start)+tcpHeader > header || c.End() > header,
		(size-header+int(s.Size)-1)/int(s.Size) > maxSegments:
		return fmt.Errorf("%w: %d bytes in %d parts, to be cut into %+v with a checksum at %d+%d",
			nic.ErrFrame, size, len(f.Parts), s, c.Start, c.Offset)
	}
	return nil
}

func (d *Device) segments() bool {
	ok, _ := d.SegmentationOffload()
	return ok
}

// adjust makes the headers of frame those of the i-th of a segment, and returns what its
// descriptor asks for.
func adjust(frame []byte, f *nic.TxFrame, i int, last bool) (ext uint32) {
	be, ip, tcp := binary.BigEndian, frame[nic.HeaderLen:], frame[f.Checksum.Start:]
	be.PutUint32(tcp[tcpSeq:], be.Uint32(tcp[tcpSeq:])+uint32(i)*uint32(f.Segmentation.Size))
	if !last {
		tcp[tcpFlags] &^= tcpFinPsh
	}
	if i > 0 {
		tcp[tcpFlags] &^= tcpCwr
	}
	sum := tcp[f.Checksum.Offset:]
	if f.Segmentation.Type == nic.SegmentTCP4 {
		header := ip[:int(f.Checksum.Start)-nic.HeaderLen]
		be.PutUint16(header[ip4Total:], uint16(len(ip)))
		be.PutUint16(header[ip4ID:], be.Uint16(header[ip4ID:])+uint16(i))
		clear(header[ip4Sum : ip4Sum+2])
		be.PutUint16(header[ip4Sum:], ^onesSum(header, 0))
		clear(sum[:2])
		return bdTxProtocol
	}
	be.PutUint16(ip[ip6Payload:], uint16(len(ip)-ip6Header))
	clear(sum[:2])
	pseudo := onesSum(ip[8:ip6Header], uint32(len(tcp))+6) // addresses, length, TCP's number
	be.PutUint16(sum, ^onesSum(tcp, uint32(pseudo)))
	return 0
}

// finish completes the checksum of a frame that lies in one piece, as nic.Checksum says.
func finish(frame []byte, c nic.Checksum) {
	sum := ^onesSum(frame[c.Start:], 0)
	binary.BigEndian.PutUint16(frame[c.End()-2:], sum)
}

// onesSum is the sum of RFC 1071 over b, not inverted, with initial added.
func onesSum(b []byte, initial uint32) uint16 {
	sum := uint64(initial)
	for ; len(b) >= 4; b = b[4:] {
		sum += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		sum += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) > 0 {
		sum += uint64(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// isIPv4 says whether a frame's first part shows IPv4, for which the MAC completes checksums everywhere: QEMU's
// does not for IPv6.
func isIPv4(f *nic.TxFrame) bool {
	for _, p := range f.Parts {
		if len(p) > 0 {
			return len(p) >= nic.HeaderLen && binary.BigEndian.Uint16(p[etherType:]) == etherTypeIPv4
		}
	}
	return false
}
