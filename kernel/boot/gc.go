package boot

import (
	"fmt"
	"math"
	"strconv"
)

// heapReserve is the part of the heap's room, as a fraction, that the garbage collector
// tries not to use. It cannot move what is in use, so it needs some.
const heapReserve = 16

// growth is GOGC where the command line does not say. A machine has all of its RAM to itself, and a heap of some MiB with Go's own
// 100 is collected for every few MiB that are allocated. Instructions on microvm over 8,000 requests and 1,000 connections,
// and the RAM touched after that:
//
//	GOGC  256 MiB: request  connection  touched   64 MiB: request  connection  touched
//	 100             96.6k        430k  34 MiB              97.9k        433k   34 MiB
//	 200             95.0k        400k  32 MiB              94.4k        398k   32 MiB
//	 400             94.6k        382k  34 MiB              94.8k        388k   36 MiB
//	 800             93.5k        378k  46 MiB              93.1k        377k   46 MiB
//
// It needs not hang on the RAM: where that is scarce, the limit has collections begin earlier.
const growth = 400

// GC returns how the garbage collector of a machine is set whose heap has usable bytes of RAM: the growth
// between collections for runtime/debug.SetGCPercent, and the bound for SetMemoryLimit.
func GC(usable uint64, c Config) (percent int, limit int64) {
	percent = growth
	if c.GOGC != 0 {
		percent = c.GOGC
	}
	return percent, int64(usable - usable/heapReserve)
}

func (c *Config) setGOGC(value string) error {
	if value == "off" {
		c.GOGC = -1
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("want percents from 1 on, or off")
	}
	c.GOGC = n
	return nil
}
