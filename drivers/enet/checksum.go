package enet

import (
	"encoding/binary"

	"github.com/tamanet/tamanet/drivers/nic"
)

const (
	etherType     = 12
	etherTypeIPv4 = 0x0800
)

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
