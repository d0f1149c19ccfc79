package nic

// Statistics is implemented by a Device that counts.
type Statistics interface {
	// Stats returns the counters. They are read one after another, so that two of
	// them need not be of the same instant.
	Stats() Stats
}

// QueueStatistics is implemented by a MultiQueue that counts by pair of queues.
type QueueStatistics interface {
	Statistics
	// QueueStats returns the counters of each pair that is in use, in the order of the handlers that
	// StartQueues was given. What belongs to no pair is in Stats only.
	QueueStats() []Stats
}

// Stats are a Device's counters since it was created. A received frame is in exactly one
// of the Rx counters, and one given to Transmit while the Device runs in exactly one of
// TxFrames, TxFull, TxInvalid and TxUnmapped.
type Stats struct {
	// RxFrames and RxBytes were handed to the Handler; bytes count from the Ethernet header on.
	RxFrames, RxBytes uint64
	// RxNoBuffer frames were dropped since the Handler had no memory.
	RxNoBuffer uint64
	// RxLength frames were dropped for a length that cannot be.
	RxLength uint64
	// RxOffload frames were dropped for what the hardware said about their
	// checksum or segmentation, which cannot be.
	RxOffload uint64
	// RxFCS frames failed the frame check sequence.
	RxFCS uint64
	// RxOverrun frames came faster than the hardware could store them.
	RxOverrun uint64

	// TxFrames and TxBytes were queued to the hardware.
	TxFrames, TxBytes uint64
	// TxChecksum of them left their checksum to the hardware, TxSegmented were
	// cut into several by it; RxChecksum of the RxFrames came with ChecksumGood, and
	// RxSegmented are TCP segments that the hardware has left, or put, together.
	TxChecksum, TxSegmented, RxChecksum, RxSegmented uint64
	// TxFull frames were refused with ErrFull.
	TxFull uint64
	// TxInvalid frames were refused with ErrFrame.
	TxInvalid uint64
	// TxUnmapped frames were dropped since the device cannot reach their memory.
	TxUnmapped uint64
	// TxErrors frames were queued, but not sent, for an error that the
	// hardware reported or a reset. They are in TxFrames too.
	TxErrors uint64
	// TxTimeouts is how often no frame had left for some time, while there were some in the ring, and the
	// hardware was told of them again.
	TxTimeouts uint64

	// Interrupts is how often the Device's goroutine was woken.
	Interrupts uint64
	// Kicks is how often the hardware was told of new work, and KicksSaved
	// how often it had said that it needs no telling.
	Kicks, KicksSaved uint64
	// RingErrors is how often the hardware wrote nonsense into a ring.
	RingErrors uint64
	// Resets is how often the hardware was reset to get it going again.
	Resets uint64
}

// Each calls f with each counter's name and value, in the order of the fields.
// The names are those of Linux's ip -s link and ethtool -S where they have one.
func (s *Stats) Each(f func(name string, value uint64)) {
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"rx_packets", s.RxFrames},
		{"rx_bytes", s.RxBytes},
		{"rx_no_buffer", s.RxNoBuffer},
		{"rx_length_errors", s.RxLength},
		{"rx_offload_errors", s.RxOffload},
		{"rx_crc_errors", s.RxFCS},
		{"rx_over_errors", s.RxOverrun},
		{"tx_packets", s.TxFrames},
		{"tx_bytes", s.TxBytes},
		{"tx_csum_offload", s.TxChecksum},
		{"tx_tso_packets", s.TxSegmented},
		{"rx_csum_offload", s.RxChecksum},
		{"rx_lro_packets", s.RxSegmented},
		{"tx_full", s.TxFull},
		{"tx_invalid", s.TxInvalid},
		{"tx_unmapped", s.TxUnmapped},
		{"tx_errors", s.TxErrors},
		{"tx_timeouts", s.TxTimeouts},
		{"interrupts", s.Interrupts},
		{"kicks", s.Kicks},
		{"kicks_saved", s.KicksSaved},
		{"ring_errors", s.RingErrors},
		{"resets", s.Resets},
	} {
		f(c.name, c.value)
	}
}
