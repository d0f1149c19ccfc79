//go:build linux

package oracle

import "strings"

// differences names the scenarios in which tamanet is not as Linux is, each
// with the reason. A scenario that agrees must not stand here.
var differences = []struct{ prefix, reason string }{
	{"option/linger without end/", "Linux keeps the time in ticks and reads it back cut to 32 bits; here it reads back as the largest number of seconds"},
	{"option/timeout of ages/", "a time beyond 292 years counts as forever here, as time.Duration holds no more"},
	{"epoll/edge/udp", "gVisor tells of a datagram only when none waits, so a second is no new edge; who reads until EAGAIN sees no difference"},
}

// reasonFor returns why a scenario may differ, or "".
func reasonFor(name string) string {
	for _, d := range differences {
		if strings.HasPrefix(name, d.prefix) {
			return d.reason
		}
	}
	return ""
}
