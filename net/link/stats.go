package link

import "sync/atomic"

type counters struct {
	rxDetached, rxShort, rxOtherHost, rxACKsJoined                            atomic.Uint64
	txPackets, txQueued, txQueueFull, txCopied, txInvalid, txClosed, txFailed atomic.Uint64
}

// Stats count what the Endpoint did beside the device's own statistics.
type Stats struct {
	// RxDetached frames came while no stack was attached, RxShort ones are
	// shorter than an Ethernet header, RxOtherHost ones are for other
	// stations: all were dropped.
	RxDetached, RxShort, RxOtherHost uint64
	// RxACKsJoined acknowledgements of TCP were not delivered, for the next of the batch said more.
	RxACKsJoined uint64
	// TxPackets were given to the device, a long segment as one.
	TxPackets uint64
	// TxQueued of them waited for room in its ring.
	TxQueued uint64
	// TxQueueFull packets were refused for a full queue: the writer was told.
	TxQueueFull uint64
	// TxCopied packets, or frames of one, had more parts than the device gathers, and were copied into one.
	TxCopied uint64
	// TxInvalid packets the device could not send, TxClosed ones came after
	// Close, TxFailed ones when the device had been given up.
	TxInvalid, TxClosed, TxFailed uint64
}

// Stats returns the counters.
func (e *Endpoint) Stats() Stats {
	c := &e.stats
	return Stats{
		RxDetached:   c.rxDetached.Load(),
		RxShort:      c.rxShort.Load(),
		RxOtherHost:  c.rxOtherHost.Load(),
		RxACKsJoined: c.rxACKsJoined.Load(),
		TxPackets:    c.txPackets.Load(),
		TxQueued:     c.txQueued.Load(),
		TxQueueFull:  c.txQueueFull.Load(),
		TxCopied:     c.txCopied.Load(),
		TxInvalid:    c.txInvalid.Load(),
		TxClosed:     c.txClosed.Load(),
		TxFailed:     c.txFailed.Load(),
	}
}
