package udp

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gudp "gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A datagram for a socket of this very machine goes right into that socket's
// queue, where nobody watches the packets between. What has been looked up for
// it, from the destination's checks to the socket that the demultiplexer
// finds, is kept as a path, until something changes on which it depends.

// A table is what the endpoints of a network share.
type table struct {
	net *netdev.Stack

	lo  tcpip.NICStats
	ip  tcpip.IPStats
	udp tcpip.UDPStats

	// moves count the registrations of endpoints, by local port.
	moves [256]atomic.Uint64

	// upAt is one more than the generation at which lo was last seen up.
	upAt atomic.Uint64

	dsts [dstSlots]atomic.Pointer[dst]
}

// loopbackUp reports whether lo is up, as it was at the network's generation.
func (t *table) loopbackUp(generation uint64) bool {
	if t.upAt.Load() == generation+1 {
		return true
	}
	lo, ok := t.net.IP().SingleNICInfo(netdev.LoopbackIndex)
	if !ok || !lo.Flags.Running {
		return false
	}
	t.upAt.Store(generation + 1)
	return true
}

type tableKey struct{}

func tableOf(net *netdev.Stack) *table {
	return net.Generic(tableKey{}, func() any {
		stats := net.IP().Stats()
		t := &table{net: net, ip: stats.IP, udp: stats.UDP}
		if info, ok := net.IP().SingleNICInfo(netdev.LoopbackIndex); ok {
			t.lo = info.Stats
		}
		return t
	}).(*table)
}

func (t *table) moved(port uint16) {
	if port != 0 {
		t.moves[byte(port)].Add(1)
	}
}

// pathSlots is how many paths an endpoint keeps: one to its peer, and some to
// destinations that sends name.
const pathSlots = 1 + 4

// A path leads from an endpoint to another one of the same machine. It does
// not change.
type path struct {
	name  socket.Sockaddr // as a send names it, if named
	named bool

	peer     *endpoint
	proto    tcpip.NetworkProtocolNumber
	src, dst tcpip.Address
	srcPort  uint16
	dstPort  uint16
	ttl      uint8 // the route's
	limit    int   // bytes of payload

	// What it depends on.
	at         *binding
	generation uint64
	moves      uint64
}

// pathFor returns the path by which m goes, or nil when none is known that
// still holds.
func (e *endpoint) pathFor(m *socket.Msghdr) *path {
	slots := e.paths[:1]
	if m.HasName {
		slots = e.paths[1:]
	}
	for i := range slots {
		p := slots[i].Load()
		if p != nil && (!p.named || p.name.Port == m.Name.Port && p.name == m.Name) && e.holds(p) {
			return p
		}
	}
	return nil
}

// holds reports whether nothing has changed on which a path depends.
func (e *endpoint) holds(p *path) bool {
	return p.at == e.at.Load() && p.generation == e.table.net.Generation() &&
		p.moves == e.table.moves[byte(p.dstPort)].Load()
}

// keep puts a path where pathFor finds it, in place of one that does not hold
// if there is one.
func (e *endpoint) keep(p *path) {
	slot := &e.paths[0]
	if p.named {
		slot = &e.paths[1+e.turn.Add(1)%(pathSlots-1)]
		for i := range e.paths[1:] {
			if old := e.paths[1+i].Load(); old == nil || !e.holds(old) {
				slot = &e.paths[1+i]
				break
			}
		}
	}
	slot.Store(p)
}

// sendKnown sends m if that needs nothing but a path: no error waits, and
// nothing about the message is out of the ordinary. It returns false when it
// did nothing.
func (e *endpoint) sendKnown(m *socket.Msghdr, it *socket.Iter) bool {
	p := e.pathFor(m)
	if p == nil || len(m.Control) > 0 || it.Len() > p.limit ||
		e.is.HasErr() || e.is.Shutdown()&socket.SEND_SHUTDOWN != 0 || e.u.segment.Load() != 0 {
		return false
	}
	return e.sendLocal(p, it, 0, &noControl)
}

var noControl = inet.SendControl{TOS: -1}

// findPath looks for a socket at the end of the way, and keeps the path by
// which m goes. It returns nil when the way has to be gone.
func (e *endpoint) findPath(m *socket.Msghdr, w *way) *path {
	generation, moves := e.table.net.Generation(), e.table.moves[byte(w.port)].Load()
	r := w.route
	dst := r.RemoteAddress()
	switch {
	case e.table.net.Watched() || e.ops.GetBindToDevice() != 0 || e.isGroup(0, r.NetProto(), dst):
		return nil
	case r.OutgoingNIC() != netdev.LoopbackIndex && r.Loop()&stack.PacketOut != 0:
		return nil // to another machine
	case !e.isLocal(r.NetProto(), dst), !w.at.foreign && !e.isLocal(r.NetProto(), r.LocalAddress()):
		return nil // the route is older than generation
	}
	if !e.table.loopbackUp(generation) {
		return nil
	}
	p := &path{named: m.HasName, at: w.at, generation: generation, moves: moves}
	p.proto, p.src, p.dst, p.srcPort, p.dstPort = r.NetProto(), r.LocalAddress(), dst, w.at.id.LocalPort, w.port
	p.ttl, p.limit = r.DefaultTTL(), min(int(r.MTU())-header.UDPMinimumSize, maxLen4)
	if m.HasName {
		p.name = m.Name
	}
	found := e.ip.FindTransportEndpoint(p.proto, gudp.ProtocolNumber, stack.TransportEndpointID{
		LocalAddress: p.dst, LocalPort: p.dstPort, RemoteAddress: p.src, RemotePort: p.srcPort,
	}, netdev.LoopbackIndex)
	peer, ok := found.(*endpoint)
	if !ok {
		return nil
	}
	p.peer = peer
	e.keep(p)
	return p
}

// isLocal reports whether an address is the machine's.
func (e *endpoint) isLocal(proto tcpip.NetworkProtocolNumber, addr tcpip.Address) bool {
	return e.ip.CheckLocalAddress(0, proto, addr) != 0
}

// sendLocal puts the message into the peer's queue; it returns false when the
// peer has gone, and nothing was taken from it. Of several datagrams the peer
// gets one if UDP_GRO asks for it.
func (e *endpoint) sendLocal(p *path, it *socket.Iter, segment int, c *inet.SendControl) bool {
	size := it.Len()
	part := size
	if segment != 0 && segment < size && !p.peer.u.gro.Load() {
		part = segment
	}
	if p.proto == header.IPv6ProtocolNumber && e.u.noCheck6Tx.Load() && !p.peer.u.noCheck6Rx.Load() {
		e.table.udp.ChecksumErrors.Increment()
		return true
	}
	ttl, tos := e.marks(p.dst, c)
	if ttl == 0 {
		ttl = p.ttl
	}
	for left := size; ; {
		n := min(part, left)
		d := newDatagram(n)
		encodeHeader(d.buf, p.srcPort, p.dstPort, n)
		it.Read(d.payload())
		d.proto, d.nic = p.proto, netdev.LoopbackIndex
		d.src, d.dst, d.srcPort, d.dstPort = p.src, p.dst, p.srcPort, p.dstPort
		d.ttl, d.tos = ttl, tos
		if segment != 0 && segment < n {
			d.segment = uint16(segment)
		}
		out := p.peer.deliver(d)
		if out == gone && left == size {
			return false
		}
		e.table.count(p.proto, n, out)
		if left -= n; left <= 0 {
			return true
		}
	}
}

// count counts a datagram in the statistics that it would pass on its way.
func (t *table) count(proto tcpip.NetworkProtocolNumber, size int, out outcome) {
	length := uint64(size + header.UDPMinimumSize + header.IPv4MinimumSize)
	if proto == header.IPv6ProtocolNumber {
		length = uint64(size + header.UDPMinimumSize + header.IPv6MinimumSize)
	}
	t.lo.Tx.Packets.Increment()
	t.lo.Tx.Bytes.IncrementBy(length)
	t.lo.Rx.Packets.Increment()
	t.lo.Rx.Bytes.IncrementBy(length)
	t.ip.PacketsSent.Increment()
	t.ip.PacketsReceived.Increment()
	t.ip.PacketsDelivered.Increment()
	t.udp.PacketsSent.Increment()
	t.udp.PacketsReceived.Increment()
	if out == dropped {
		t.udp.ReceiveBufferErrors.Increment()
	}
}
