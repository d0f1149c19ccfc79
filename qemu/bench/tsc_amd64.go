package bench

// hostTicks reads the time stamp counter.
func hostTicks() int64
