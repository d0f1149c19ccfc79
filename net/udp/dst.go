package udp

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/netdev"
)

// A dst is a way to another machine that was looked up for a datagram, kept for those that follow: Linux's struct
// dst_entry. It holds for as long as the network's generation stays the same, and does not change.
//
// The route is not referred to: no address that is taken away lives on for it, and gVisor, which looks at each packet
// whether the route's address is still there, refuses what was on its way meanwhile. Neighbours are gVisor's; a route
// asks it about them.
type dst struct {
	dstKey
	route      *stack.Route
	generation uint64
	mtu        int // of the UDP header and payload, in bytes
	headroom   int // for the headers below UDP's, in bytes
	ttl        uint8
}

// A dstKey is what a look-up depends on, beside the network (struct flowi).
type dstKey struct {
	nic       tcpip.NICID   // bound or asked for, or 0
	local, to tcpip.Address // local is empty if the route says it
}

// dstSlots bounds the ways that a network keeps. Each has one slot, by its destination.
const dstSlots = 64

func dstSlot(to tcpip.Address) int {
	h := uint32(0)
	for _, b := range to.AsSlice() {
		h = h*31 + uint32(b)
	}
	return int(h % dstSlots)
}

// dst returns the way that is kept for k, or nil (sk_dst_check).
func (t *table) dst(k *dstKey) *dst {
	d := t.dsts[dstSlot(k.to)].Load()
	if d == nil || d.dstKey != *k || d.generation != t.net.Generation() {
		return nil
	}
	return d
}

// isUnicast reports whether it is known already that an address is neither a broadcast one nor a group's.
func (t *table) isUnicast(to tcpip.Address) bool {
	d := t.dsts[dstSlot(to)].Load()
	return d != nil && d.to == to && d.generation == t.net.Generation()
}

// keepDst keeps r, which was found for k at the generation, if it leads to one other machine. Routes within this
// machine can own a temporary address of lo; see path for those.
func (e *endpoint) keepDst(k dstKey, r *stack.Route, generation uint64) {
	if r.OutgoingNIC() == netdev.LoopbackIndex || r.Loop() != stack.PacketOut || e.isGroup(0, r.NetProto(), k.to) {
		return
	}
	e.table.dsts[dstSlot(k.to)].Store(&dst{
		dstKey: k, route: r, generation: generation,
		mtu: int(r.MTU()), headroom: int(r.MaxHeaderLength()), ttl: r.DefaultTTL(),
	})
}

// A way is how a datagram leaves: a route, and what its header says. It is released.
type way struct {
	route    *stack.Route
	kept     bool // the route is a dst's
	mtu      int
	headroom int
	at       *binding
	port     uint16 // the destination's
	ttl, tos uint8
}

// follow has the way take a route that the caller holds.
func (w *way) follow(r *stack.Route) {
	w.route, w.mtu, w.headroom, w.ttl = r, int(r.MTU()), int(r.MaxHeaderLength()), r.DefaultTTL()
}

// followDst has the way take a route that is kept.
func (w *way) followDst(d *dst) {
	w.route, w.kept, w.mtu, w.headroom, w.ttl = d.route, true, d.mtu, d.headroom, d.ttl
}

func (w *way) release() {
	if !w.kept {
		w.route.Release()
	}
}

func (w *way) v6() bool { return w.route.NetProto() == header.IPv6ProtocolNumber }
