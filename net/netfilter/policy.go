package netfilter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A Direction is who begins: a peer, or this machine.
type Direction uint8

// The directions. A rule may have both.
const (
	In Direction = 1 << iota
	Out
)

// A Rule allows something; its zero fields allow anything.
type Rule struct {
	Direction Direction
	Family    int          // AF_*
	Port      uint16       // ours for what comes in, the peer's for what goes out
	Peer      netip.Prefix // whom to talk to

	hits atomic.Uint64
}

// Hits returns how often the rule allowed something: a bind, listen, connect,
// a datagram out, or a connection or datagram in.
func (r *Rule) Hits() uint64 { return r.hits.Load() }

// String writes the rule as [ParsePolicy] reads it.
func (r *Rule) String() string {
	dir, family, port, peer := "*", "*", "*", "*"
	switch r.Direction {
	case In:
		dir = "in"
	case Out:
		dir = "out"
	}
	for name, f := range families {
		if f == r.Family && f != 0 {
			family = name
		}
	}
	if r.Port != 0 {
		port = strconv.Itoa(int(r.Port))
	}
	if r.Peer.IsValid() {
		peer = r.Peer.String()
	}
	return strings.Join([]string{dir, family, port, peer}, ":")
}

var families = map[string]int{
	"*": 0, "unix": socket.AF_UNIX, "inet": socket.AF_INET, "inet6": socket.AF_INET6, "packet": socket.AF_PACKET,
}

// A Policy denies everything that no rule allows, with EACCES, and counts.
// Rules are not changed once it is installed. Its hooks are those of
// socket.Security; what comes in is also filtered before it reaches a socket.
type Policy struct {
	socket.AllowAll

	Rules  []*Rule
	denied atomic.Uint64
}

var _ socket.Security = (*Policy)(nil)

// ParsePolicy reads rules, separated by commas, each of direction, family,
// port and peer, of which the last may be left out and * is any:
//
//	in:inet:80:10.0.2.0/24,out:*:53
//
// Directions are in and out, families inet, inet6, unix and packet. No rule
// at all denies everything. An error names the rule.
func ParsePolicy(text string) (*Policy, error) {
	p := &Policy{}
	if text == "" {
		return p, nil
	}
	for _, one := range strings.Split(text, ",") {
		r, err := parseRule(one)
		if err != nil {
			return nil, fmt.Errorf("netfilter: rule %q: %w", one, err)
		}
		p.Rules = append(p.Rules, r)
	}
	return p, nil
}

func parseRule(text string) (*Rule, error) {
	r := &Rule{}
	parts := strings.SplitN(text, ":", 4)
	for len(parts) < 4 {
		parts = append(parts, "*")
	}
	switch parts[0] {
	case "in":
		r.Direction = In
	case "out":
		r.Direction = Out
	case "*":
	default:
		return nil, fmt.Errorf("direction %q, want in, out or *", parts[0])
	}
	f, ok := families[parts[1]]
	if !ok {
		return nil, fmt.Errorf("family %q, want inet, inet6, unix, packet or *", parts[1])
	}
	r.Family = f
	if parts[2] != "*" {
		port, err := strconv.ParseUint(parts[2], 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("port %q, want 1 to 65535 or *", parts[2])
		}
		r.Port = uint16(port)
	}
	if parts[3] != "*" {
		peer, err := netip.ParsePrefix(parts[3])
		if err != nil {
			return nil, fmt.Errorf("peer %q, want a prefix such as 10.0.2.0/24 or *", parts[3])
		}
		r.Peer = peer.Masked()
	}
	return r, nil
}

// Denied returns how often the policy refused something.
func (p *Policy) Denied() uint64 { return p.denied.Load() }

// String lists the rules with their counts, a line each.
func (p *Policy) String() string {
	var b strings.Builder
	for _, r := range p.Rules {
		fmt.Fprintf(&b, "%s %d\n", r, r.Hits())
	}
	fmt.Fprintf(&b, "denied %d\n", p.Denied())
	return b.String()
}

// Install puts the policy into force: for the calls of all tasks, and for
// what comes in to st, which may be nil. The function returned takes it back.
// What is connected already goes on.
func (p *Policy) Install(st *netdev.Stack) (remove func()) {
	unhook := socket.AddSecurity(p)
	if st != nil {
		SetInput(st, p.input)
	}
	return func() {
		unhook()
		if st != nil {
			SetInput(st, nil)
		}
	}
}

// find returns the first rule that allows a peer and a port. A wildcard has
// no address, and only a rule for any peer, or what is checked when the peer
// is known, counts.
func (p *Policy) find(dir Direction, family int, port uint16, peer netip.Addr) *Rule {
	for _, r := range p.Rules {
		switch {
		case r.Direction != 0 && r.Direction&dir == 0:
		case r.Family != 0 && r.Family != family:
		case r.Port != 0 && r.Port != port:
		case r.Peer.IsValid() && peer.IsValid() && !r.Peer.Contains(peer):
		default:
			return r
		}
	}
	return nil
}

// decide counts, and returns EACCES for no rule.
func (p *Policy) decide(r *Rule) error {
	if r == nil {
		p.denied.Add(1)
		return errno.EACCES
	}
	r.hits.Add(1)
	return nil
}

// SocketCreate allows families that some rule is about. The kernel's own
// sockets are judged by what they do.
func (p *Policy) SocketCreate(family, _, _ int, kern bool) error {
	for _, r := range p.Rules {
		if r.Family == 0 || r.Family == family {
			return nil
		}
	}
	if kern {
		return nil
	}
	return p.decide(nil)
}

func isInet(family int) bool { return family == socket.AF_INET || family == socket.AF_INET6 }

// SocketBind allows ports that peers may come to. Port 0 takes nothing that
// a rule could name.
func (p *Policy) SocketBind(s *socket.Socket, addr socket.Sockaddr) error {
	if !isInet(s.Family) || addr.Port == 0 {
		return nil
	}
	return p.decide(p.find(In, s.Family, addr.Port, netip.Addr{}))
}

// SocketListen allows ports that peers may come to.
func (p *Policy) SocketListen(s *socket.Socket, _ int) error {
	if !isInet(s.Family) {
		return nil
	}
	local, err := s.Ops.GetName(s, socket.LocalName)
	if err != nil {
		return nil // the call itself will tell
	}
	return p.decide(p.find(In, s.Family, local.Port, netip.Addr{}))
}

// SocketConnect allows peers that may be gone to.
func (p *Policy) SocketConnect(s *socket.Socket, addr socket.Sockaddr) error {
	if !isInet(s.Family) || !isInet(int(addr.Family)) {
		return nil
	}
	return p.decide(p.find(Out, s.Family, addr.Port, target(addr)))
}

// SocketSendMsg allows a datagram to a peer that may be gone to, or that may
// come to the port it is sent from.
func (p *Policy) SocketSendMsg(s *socket.Socket, m *socket.Msghdr, _ int) error {
	if s.Type == socket.SOCK_STREAM || !m.HasName || !isInet(s.Family) || !isInet(int(m.Name.Family)) {
		return nil
	}
	r := p.find(Out, s.Family, m.Name.Port, target(m.Name))
	if r == nil {
		if local, err := s.Ops.GetName(s, socket.LocalName); err == nil && local.Port != 0 {
			r = p.find(In, s.Family, local.Port, target(m.Name))
		}
	}
	return p.decide(r)
}

// target is the address that is gone to: an unspecified one is loopback.
func target(a socket.Sockaddr) netip.Addr {
	switch ip := a.IP().Unmap(); {
	case !ip.IsUnspecified():
		return ip
	case ip.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// input judges what comes in: connections by who asks for them, datagrams by
// who sends them or whom they answer. Other protocols keep the network going
// and pass, as does what this machine sends itself.
func (p *Policy) input(pkt *Packet) bool {
	family, peer := socket.AF_INET, pkt.Src.Addr()
	if peer.Is6() {
		family = socket.AF_INET6
	}
	if peer.IsLoopback() {
		return true
	}
	switch {
	case pkt.Protocol == socket.IPPROTO_TCP && pkt.Open:
		return p.decide(p.arrive(family, pkt.Dst.Port(), peer)) == nil
	case pkt.Protocol == socket.IPPROTO_UDP:
		r := p.arrive(family, pkt.Dst.Port(), peer)
		if r == nil {
			r = p.find(Out, family, pkt.Src.Port(), peer)
		}
		return p.decide(r) == nil
	}
	return true
}

// arrive finds the rule for what comes in. A rule for AF_INET6 allows IPv4
// too, as an AF_INET6 socket receives it.
func (p *Policy) arrive(family int, port uint16, peer netip.Addr) *Rule {
	r := p.find(In, family, port, peer)
	if r == nil && family == socket.AF_INET {
		r = p.find(In, socket.AF_INET6, port, peer)
	}
	return r
}
