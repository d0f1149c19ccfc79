package nic

// ChecksumOffload is implemented by a Device that can take checksums off its Handler's hands.
type ChecksumOffload interface {
	// ChecksumOffload says which: tx, that TxFrame.Checksum may be set in TCP
	// and UDP over IPv4 that is not fragmented; rx, that RxFrame.ChecksumGood may be.
	ChecksumOffload() (tx, rx bool)
}

// Checksum asks a Device to complete an Internet checksum: the field at
// Start+Offset holds the sum of the pseudo-header, not inverted, and the
// checksum covers everything from Start on (Linux: CHECKSUM_PARTIAL, csum_start, csum_offset).
type Checksum struct {
	// Start is where the transport header begins, in bytes from the frame's
	// first; 0 asks for nothing. Offset is that of the checksum in this header.
	Start, Offset uint16
}

// Multicast is implemented by a Device that can leave out frames for groups in
// which nobody is interested. Without a call all of them are received.
type Multicast interface {
	// SetMulticast has frames for groups received, and others dropped as far
	// as the hardware can tell; nil has all received. Broadcasts always are.
	SetMulticast(groups []MAC) error
}

// End is the offset behind the checksum in the frame, 0 when none is asked for.
func (c Checksum) End() int {
	if c.Start == 0 {
		return 0
	}
	return int(c.Start) + int(c.Offset) + 2
}
