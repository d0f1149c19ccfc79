package nic

// MultiQueue is implemented by a Device with several pairs of a receive and a transmit
// queue that can be used side by side (Linux: real_num_rx_queues, real_num_tx_queues).
type MultiQueue interface {
	Device
	// Queues is how many pairs there are, at least 1. It does not change.
	Queues() int
	// StartQueues is Start with a Handler for each pair that is to be used, 1 to Queues, and
	// says how many of the first are: there may not be memory, or another resource, for all. The
	// methods of one Handler are called one at a time, those of different ones
	// concurrently. hs[i] gives the Buffers of pair i and is handed its frames; TransmitReady is
	// called of hs[f.Queue%used] for a frame f; LinkChange, and Announce of an
	// Announcer, of hs[0] alone.
	StartQueues(hs []Handler) (used int, err error)
}
