package nic

// ChecksumOffload is implemented by a Device that can take checksums off its Handler's hands.
type ChecksumOffload interface {
	// ChecksumOffload says which: tx, that TxFrame.Checksum may be set in TCP
	// and UDP over IP that is not fragmented; rx, that RxFrame.ChecksumGood may be.
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

// End is the offset behind the checksum in the frame, 0 when none is asked for.
func (c Checksum) End() int {
	if c.Start == 0 {
		return 0
	}
	return int(c.Start) + int(c.Offset) + 2
}

// SegmentationOffload is implemented by a Device that can cut a long TCP
// segment into frames, and complete their checksums (Linux: NETIF_F_TSO, NETIF_F_TSO6). For others package
// net/link does it: a driver whose hardware does not need not implement it.
type SegmentationOffload interface {
	// SegmentationOffload says for which of TCP over IPv4 and over IPv6
	// TxFrame.Segmentation may be set. For those TxFrame.Checksum may be set, too,
	// in frames that need not be cut.
	SegmentationOffload() (tcp4, tcp6 bool)
}

// SegmentType is the protocol of a frame that is to be cut.
type SegmentType uint8

// Types of a Segmentation.
const (
	SegmentNone SegmentType = iota
	SegmentTCP4
	SegmentTCP6
)

// Segmentation asks a Device to cut a frame with one TCP segment into several, each
// with its own headers: lengths, identification, sequence number, flags and
// checksums are the Device's to adjust (Linux: gso_type, gso_size). It goes with a
// Checksum, and allows a frame up to MaxSegmented bytes.
type Segmentation struct {
	// Type is SegmentNone when nothing is to be cut.
	Type SegmentType
	// ECN is set when the segment has the CWR flag, which only the first frame is to carry.
	ECN bool
	// HeaderLen is the length of the headers, from Ethernet's to TCP's, in bytes.
	HeaderLen uint16
	// Size is how much payload each frame but the last gets, in bytes.
	Size uint16
}

// MaxSegmented is the longest frame with a Segmentation: the largest IP
// packet, in a frame with a VLAN tag.
const MaxSegmented = HeaderLen + VLANLen + 65535

// Batching is implemented by a Device that hands frames up in batches, of as many as have come at a time.
type Batching interface {
	// OnBatchEnd has end called after the last Receive of each batch, and like it: from the
	// Device's goroutine, with no lock held. It is called before Start, at most once.
	OnBatchEnd(end func())
}
