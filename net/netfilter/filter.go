package netfilter

import (
	"fmt"
	"math/bits"
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
// that brings packets in and must neither block nor keep anything. What it
// refuses is counted as IPTablesInputDropped.
// (NF_INET_LOCAL_IN of the filter table)
func SetInput(st *netdev.Stack, accept func(*Packet) bool) {
	in := st.Generic(inputKey{}, func() any { return &input{st: st} }).(*input)
	in.mu.Lock()
	defer in.mu.Unlock()
	on := accept != nil
	if on && in.accept.Load() == nil {
		st.Watch()
	}
	if on {
		in.accept.Store(&accept)
	}
	st.IP().SetNFTables(in)
	st.IP().SetNFTablesConfigured(on)
	if !on && in.accept.Swap(nil) != nil {
		st.Unwatch()
	}
}

// inputKey is where a network keeps its input.
type inputKey struct{}

// An input decides on what comes in to a network. It stands where gVisor asks
// nftables: asking its iptables instead would track every connection.
type input struct {
	st     *netdev.Stack
	mu     sync.Mutex // held while accept changes
	accept atomic.Pointer[func(*Packet) bool]
}

var _ stack.NFTablesInterface = (*input)(nil)

// CheckInput implements stack.NFTablesInterface: false drops the packet.
func (in *input) CheckInput(pkt *stack.PacketBuffer, _ *stack.Route, _ stack.AddressFamily) bool {
	accept := in.accept.Load()
	var p Packet
	if accept == nil || !parse(pkt, &p) || (*accept)(&p) {
		return true
	}
	in.st.IP().Stats().IP.IPTablesInputDropped.Increment()
	return false
}

// The other hooks let everything pass.

// CheckPrerouting implements stack.NFTablesInterface.
func (*input) CheckPrerouting(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}

// CheckForward implements stack.NFTablesInterface.
func (*input) CheckForward(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }

// CheckOutput implements stack.NFTablesInterface.
func (*input) CheckOutput(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }

// CheckPostrouting implements stack.NFTablesInterface.
func (*input) CheckPostrouting(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool {
	return true
}

// CheckIngress implements stack.NFTablesInterface.
func (*input) CheckIngress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }

// CheckEgress implements stack.NFTablesInterface.
func (*input) CheckEgress(*stack.PacketBuffer, *stack.Route, stack.AddressFamily) bool { return true }

func family(v6 bool) (stack.IPHeaderFilter, tcpip.NetworkProtocolNumber) {
	if v6 {
		return stack.EmptyFilter6(), header.IPv6ProtocolNumber
	}
	return stack.EmptyFilter4(), header.IPv4ProtocolNumber
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
// replaces an earlier Redirect. EOPNOTSUPP on 32-bit processors, where gVisor's
// connection tracking takes a hash for an index as an int, which then is
// negative every other time (conntrack.go).
func Redirect(st *netdev.Stack, from, to uint16) error {
	if bits.UintSize == 32 {
		return fmt.Errorf("netfilter: redirecting port %d to %d on a 32-bit processor: %w", from, to, errno.EOPNOTSUPP)
	}
	conntrack.Do(func() {
		for _, f := range []int{socket.AF_INET, socket.AF_INET6} {
			if err := Register(originalDst(f)); err != nil {
				socket.Noticef("netfilter: SO_ORIGINAL_DST: %v", err)
			}
		}
	})
	st.Watch() // for good: connections that were redirected stay so
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
	return nil
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
