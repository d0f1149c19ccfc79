//go:build linux

package oracle

import "strings"

// differences names the scenarios in which tamanet is not as Linux is, each
// with the reason. A scenario that agrees must not stand here.
var differences = []struct{ prefix, reason string }{
	{"ping/bind of the old length/inet6", "ping sockets are bound as the others are here, by an address without a scope too"},
	{"unix/filter/checked/ancillary protocol", "the filter's virtual machine, golang.org/x/net/bpf, has no loads of what stands beside the packet"},
	{"unix/filter/checked/length into X", "that machine has no such instruction"},
	{"unix/filter/indirect load that wraps", "that machine adds offsets without wrapping at 32 bits, and drops the packet"},
	{"raw/create/200/", "the stack must be told of a protocol before raw sockets can receive it; see netdev.HasRawProtocol"},
	{"option/linger without end/", "Linux keeps the time in ticks and reads it back cut to 32 bits; here it reads back as the largest number of seconds"},
	{"option/timeout of ages/", "a time beyond 292 years counts as forever here, as time.Duration holds no more"},
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
