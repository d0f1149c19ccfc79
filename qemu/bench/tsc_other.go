//go:build !amd64

package bench

import "time"

var began = time.Now()

// hostTicks counts nanoseconds, as QEMU does on hosts whose counter it does not know.
func hostTicks() int64 { return int64(time.Since(began)) }
