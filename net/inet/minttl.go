package inet

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
)

// A MinTTLWatcher is a Proto that drops what comes from too far away, as only
// TCP does, and is told when IP_MINTTL or IPV6_MINHOPCOUNT was set.
type MinTTLWatcher interface {
	MinTTLSet(is *Sock)
}

func (is *Sock) minTTLSet() {
	if w, ok := is.Prot.(MinTTLWatcher); ok {
		w.MinTTLSet(is)
	}
}

// HasMinTTL reports whether a least TTL or hop limit is set.
func (is *Sock) HasMinTTL() bool {
	return is.opts.more.minTTL.Load() != 0 || is.opts.more.minHops.Load() != 0
}

// NearEnough reports whether a received packet has at least the TTL of
// IP_MINTTL, or the hop limit of IPV6_MINHOPCOUNT.
func (is *Sock) NearEnough(pkt *stack.PacketBuffer) bool {
	h := pkt.NetworkHeader().Slice()
	switch {
	case pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber && len(h) >= header.IPv4MinimumSize:
		return int32(header.IPv4(h).TTL()) >= is.opts.more.minTTL.Load()
	case pkt.NetworkProtocolNumber == header.IPv6ProtocolNumber && len(h) >= header.IPv6MinimumSize:
		return int32(header.IPv6(h).HopLimit()) >= is.opts.more.minHops.Load()
	}
	return true
}

func setMinTTL(is *Sock, v int) error {
	if v < 0 || v > 255 {
		return errno.EINVAL
	}
	is.opts.more.minTTL.Store(int32(v))
	is.minTTLSet()
	return nil
}
