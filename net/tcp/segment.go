package tcp

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A network is what this package keeps for each stack: who looks at segments
// as they come in.
type network struct {
	st *netdev.Stack
	// guarded counts how often a Sock became guarded; while it is 0 no segment
	// is looked at.
	guarded   atomic.Int32
	guards    sync.Map // stack.TransportEndpoint to *inet.Sock
	listeners sync.Map // a local port to the guarded listener's *inet.Sock

	marks   urgentMarks
	delayed delayed
	undos   undos
	memory  memory
}

type networkKey struct{}

func networkOf(st *netdev.Stack) *network {
	return st.Generic(networkKey{}, func() any {
		n := &network{st: st}
		n.undos.priors.gone = n.undos.forget
		n.delayed.init(st)
		st.SetSegmentHook(n.segment)
		return n
	}).(*network)
}

// segment is the stack's netdev.SegmentHook: the start of Linux's tcp_v4_rcv
// and tcp_v6_rcv.
func (n *network) segment(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	h := header.TCP(pkt.TransportHeader().Slice())
	if len(h) < header.TCPMinimumSize {
		return true // gVisor drops and counts it
	}
	if !n.roomFor(ep, pkt.Data().Size()) {
		return false
	}
	if n.guarded.Load() != 0 && !n.admits(ep, id, pkt) {
		return false
	}
	if h.Flags()&(header.TCPFlagSyn|header.TCPFlagRst) != 0 && !n.timeWait(ep, id, h, pkt) {
		return false
	}
	if h.Flags()&header.TCPFlagUrg != 0 {
		n.marks.receive(ep, h, pkt)
	}
	n.delayed.consider(ep, h, pkt)
	n.undos.consider(ep, h)
	return true
}

// admits asks the Sock that the segment is for. A connection that nobody has
// accepted yet is its listener's.
func (n *network) admits(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	is, ok := n.guards.Load(ep)
	if !ok {
		is, ok = n.listeners.Load(id.LocalPort)
	}
	return !ok || admit(is.(*inet.Sock), pkt)
}

// admit applies IP_MINTTL or IPV6_MINHOPCOUNT and the filter, which sees the
// segment from its header on and may cut its data.
func admit(is *inet.Sock, pkt *stack.PacketBuffer) bool {
	if !is.NearEnough(pkt) {
		return false
	}
	if !is.HasFilter() {
		return true
	}
	h := pkt.TransportHeader().Slice()
	b := make([]byte, 0, len(h)+pkt.Data().Size())
	b = append(append(b, h...), pkt.Data().AsRange().ToSlice()...)
	cut, ok := is.Passes(b)
	if !ok || len(cut) == len(b) {
		return ok
	}
	if !summed(h, pkt) {
		return false
	}
	pkt.RXChecksumValidated = true // it is not right for what is left
	pkt.Data().CapLength(max(0, len(cut)-len(h)))
	return true
}

// guarded reports whether segments for is must be looked at.
func guarded(is *inet.Sock) bool { return is.HasFilter() || is.HasMinTTL() }

// guard makes the Sock's segments be looked at, if they must or if any are: then
// they may not be taken for those of a listener's connection.
func (t *sock) guard(ep tcpip.Endpoint) {
	if !guarded(t.Sock) && t.net.guarded.Load() == 0 {
		return
	}
	if _, had := t.net.guards.LoadOrStore(ep, t.Sock); !had {
		t.net.guarded.Add(1)
	}
}

// guardListener is guard for a Sock that listens.
func (t *sock) guardListener(ep *inet.Endpoint) {
	local, terr := ep.GetLocalAddress()
	if terr != nil || !guarded(t.Sock) {
		return
	}
	if old, had := t.net.listeners.Swap(local.Port, t.Sock); had && old == t.Sock {
		return
	}
	t.guardedPort = local.Port
	t.net.guarded.Add(1)
	socket.EachSock(func(sk *socket.Sock) {
		is, ok := sk.Impl.(*inet.Sock)
		if !ok || sk.Net != t.Net {
			return
		}
		if other, ok := is.Impl.(*sock); ok {
			other.with(func(ep *inet.Endpoint) { other.guard(ep.Endpoint) })
		}
	})
}

// unguard forgets an endpoint that is no longer the Sock's.
func (t *sock) unguard(ep *inet.Endpoint) {
	if t.net.guarded.Load() == 0 {
		return
	}
	if _, had := t.net.guards.LoadAndDelete(ep.Endpoint); had {
		t.net.guarded.Add(-1)
	}
	if t.net.listeners.CompareAndDelete(t.guardedPort, t.Sock) {
		t.net.guarded.Add(-1)
	}
}

// EndpointTaken implements inet.EndpointReleaser.
func (*Proto) EndpointTaken(is *inet.Sock, ep *inet.Endpoint) { of(&is.Sock).unguard(ep) }

// look guards what it must after an option was set, or the Sock listens.
func (t *sock) look() {
	ep := t.Endpoint()
	if ep == nil {
		return
	}
	t.guard(ep.Endpoint)
	if state(ep) == socket.TCP_LISTEN {
		t.guardListener(ep)
	}
}

// Filters implements socket.Filterer.
func (*Proto) Filters(*socket.Sock) bool { return true }

// resum brings a TCP header's checksum up to date after 16-bit fields of it
// were changed (RFC 1624).
func resum(h header.TCP, old, changed uint16) {
	sum := ^h.Checksum()
	sum = checksum.Combine(sum, checksum.Combine(^old, changed))
	h.SetChecksum(^sum)
}
