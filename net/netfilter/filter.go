package netfilter

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A Packet is what a filter decides on.
type Packet struct {
	Interface string // by which it came in
	Protocol  int    // IPPROTO_*
	Src, Dst  netip.AddrPort
	// Open says that a TCP segment asks for a connection: SYN without ACK.
	Open bool
}

// SetInput makes accept decide on every packet that is for this machine, in
// place of what decided before; nil accepts all. It runs on the goroutine
// that brings packets in and must neither block nor keep anything.
// (NF_INET_LOCAL_IN of the filter table)
func SetInput(st *netdev.Stack, accept func(*Packet) bool) {
	watches := st.Generic(inputKey{}, func() any { return new(atomic.Bool) }).(*atomic.Bool)
	switch on := accept != nil; {
	case watches.Swap(on) == on:
	case on:
		st.Watch()
	default:
		defer st.Unwatch()
	}
	tables := st.IP().IPTables()
	for _, v6 := range []bool{false, true} {
		table, filter := emptyFilter(v6)
		if accept != nil {
			table.Rules[0] = stack.Rule{Filter: filter, Target: &decision{accept}}
		}
		tables.ReplaceTable(stack.FilterID, table, v6)
	}
}

// inputKey is where a network keeps whether SetInput watches it.
type inputKey struct{}

// emptyFilter is a filter table whose chains accept: Input is rule 0.
func emptyFilter(v6 bool) (stack.Table, stack.IPHeaderFilter) {
	filter, proto := family(v6)
	accept := stack.Rule{Filter: filter, Target: &stack.AcceptTarget{NetworkProtocol: proto}}
	chains := [stack.NumHooks]int{
		stack.Prerouting: stack.HookUnset, stack.Input: 0, stack.Forward: 1, stack.Output: 2,
		stack.Postrouting: stack.HookUnset,
	}
	under := chains
	under[stack.Input] = 3
	return stack.Table{Rules: []stack.Rule{accept, accept, accept, accept}, BuiltinChains: chains, Underflows: under}, filter
}

func family(v6 bool) (stack.IPHeaderFilter, tcpip.NetworkProtocolNumber) {
	if v6 {
		return stack.EmptyFilter6(), header.IPv6ProtocolNumber
	}
	return stack.EmptyFilter4(), header.IPv4ProtocolNumber
}

// decision is a rule's matcher and target in one.
type decision struct{ accept func(*Packet) bool }

// Action implements stack.Target.
func (d *decision) Action(pkt *stack.PacketBuffer, _ stack.Hook, _ *stack.Route, _ stack.AddressableEndpoint) (stack.RuleVerdict, int) {
	var p Packet
	if !parse(pkt, &p) || d.accept(&p) {
		return stack.RuleAccept, 0
	}
	return stack.RuleDrop, 0
}

// parse reads a packet's headers, which the stack has checked. Packets of
// other protocols than TCP and UDP, and fragments without a transport header,
// have no ports.
func parse(pkt *stack.PacketBuffer, p *Packet) bool {
	var src, dst netip.Addr
	switch pkt.NetworkProtocolNumber {
	case header.IPv4ProtocolNumber:
		h := header.IPv4(pkt.NetworkHeader().Slice())
		src, dst = netdev.FromTCPIP(h.SourceAddress()), netdev.FromTCPIP(h.DestinationAddress())
	case header.IPv6ProtocolNumber:
		h := header.IPv6(pkt.NetworkHeader().Slice())
		src, dst = netdev.FromTCPIP(h.SourceAddress()), netdev.FromTCPIP(h.DestinationAddress())
	default:
		return false
	}
	var from, to uint16
	p.Protocol = int(pkt.TransportProtocolNumber)
	switch b := pkt.TransportHeader().Slice(); {
	case p.Protocol == socket.IPPROTO_TCP && len(b) >= header.TCPMinimumSize:
		h := header.TCP(b)
		from, to = h.SourcePort(), h.DestinationPort()
		p.Open = h.Flags()&(header.TCPFlagSyn|header.TCPFlagAck) == header.TCPFlagSyn
	case p.Protocol == socket.IPPROTO_UDP && len(b) >= header.UDPMinimumSize:
		h := header.UDP(b)
		from, to = h.SourcePort(), h.DestinationPort()
	}
	p.Src, p.Dst = netip.AddrPortFrom(src, from), netip.AddrPortFrom(dst, to)
	return true
}

// Redirect hands TCP connections that come in for port from, of any address
// of this machine, to port to: Linux's REDIRECT target in the nat table's
// PREROUTING and OUTPUT. SO_ORIGINAL_DST tells where they were going to. It
// replaces an earlier Redirect.
func Redirect(st *netdev.Stack, from, to uint16) {
	conntrack.Do(func() {
		for _, f := range []int{socket.AF_INET, socket.AF_INET6} {
			if err := Register(originalDst(f)); err != nil {
				socket.Noticef("netfilter: SO_ORIGINAL_DST: %v", err)
			}
		}
	})
	for _, v6 := range []bool{false, true} {
		filter, proto := family(v6)
		accept := stack.Rule{Filter: filter, Target: &stack.AcceptTarget{NetworkProtocol: proto}}
		change := accept
		change.Filter.CheckProtocol, change.Filter.Protocol = true, header.TCPProtocolNumber
		change.Matchers = []stack.Matcher{destinationPort(from)}
		change.Target = &stack.RedirectTarget{Port: to, NetworkProtocol: proto}
		chains := [stack.NumHooks]int{
			stack.Prerouting: 0, stack.Input: 4, stack.Forward: stack.HookUnset, stack.Output: 2, stack.Postrouting: 5,
		}
		under := chains
		under[stack.Prerouting], under[stack.Output] = 1, 3
		st.IP().IPTables().ReplaceTable(stack.NATID, stack.Table{
			Rules:         []stack.Rule{change, accept, change, accept, accept, accept},
			BuiltinChains: chains, Underflows: under,
		}, v6)
	}
}

// destinationPort matches TCP segments to a port.
type destinationPort uint16

// Match implements stack.Matcher.
func (d destinationPort) Match(_ stack.Hook, pkt *stack.PacketBuffer, _, _ string) (matches, hotdrop bool) {
	b := pkt.TransportHeader().Slice()
	return len(b) >= header.TCPMinimumSize && header.TCP(b).DestinationPort() == uint16(d), false
}

// soOriginalDst is SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST.
const soOriginalDst = 80

// An OriginalDster is a Sock's Impl that knows where a redirected connection
// was going to.
type OriginalDster interface {
	OriginalDst() (socket.Sockaddr, error)
}

// conntrack registers SO_ORIGINAL_DST with the first redirection, as loading
// nf_conntrack does on Linux.
var conntrack sync.Once

// originalDst handles SO_ORIGINAL_DST of a family (getorigdst): ENOENT for a
// connection that was not redirected.
func originalDst(family int) *SockOpts {
	return &SockOpts{Family: family, GetMin: soOriginalDst, GetMax: soOriginalDst + 1, Get: getOriginalDst}
}

func getOriginalDst(sk *socket.Sock, _ int, val []byte) (int, error) {
	o, ok := sk.Impl.(OriginalDster)
	if !ok || sk.Type != socket.SOCK_STREAM {
		return 0, errno.ENOPROTOOPT
	}
	a, err := o.OriginalDst()
	if err != nil {
		return 0, err
	}
	if len(val) < int(a.Len) {
		return 0, errno.EINVAL
	}
	return copy(val, a.Append(nil)), nil
}
