package inet

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A Sock is what TCP, UDP, ping and raw sockets share: Linux's struct
// inet_sock and ipv6_pinfo, and the gVisor endpoint below.
//
// The endpoint is made when it is first needed, at bind, connect, listen or
// send, and is replaced by a fresh one when a connection is dissolved, as
// gVisor's cannot be used twice. Options therefore live here and in the
// protocol's part, and are applied to each endpoint.
type Sock struct {
	socket.Sock

	// Impl is the protocol's own part.
	Impl any
	// Extra is the part of a protocol that builds on another, whose is Impl.
	Extra any

	sw    *protoSwitch
	entry *ProtoSW
	ep    atomic.Pointer[Endpoint]

	// Guarded by Lock.
	rcvSaddr    netip.Addr // what bind chose; invalid when it did not
	num         uint16     // inet_num: the port in use
	sport       uint16     // inet_sport: the port as getsockname has it
	disconnects uint32     // sk_disconnects

	// peer is an accepted connection's, which outlives the connection.
	peer socket.Sockaddr

	opts options
}

// An Endpoint is a gVisor endpoint under a Sock.
type Endpoint struct {
	tcpip.Endpoint

	// Harvested tells the protocol that it took the endpoint's last error.
	Harvested atomic.Bool
}

// An EndpointProto is a Proto over gVisor endpoints.
type EndpointProto interface {
	socket.Proto
	// Transport is gVisor's number of the protocol.
	Transport() tcpip.TransportProtocolNumber
	// ApplyOptions sets on a fresh endpoint what the Sock's options of the
	// protocol's own level say. Those of SOL_SOCKET, SOL_IP and SOL_IPV6 were
	// applied before.
	ApplyOptions(is *Sock, ep tcpip.Endpoint)
}

// Of returns the inet part of sk, which is of family AF_INET or AF_INET6.
func Of(sk *socket.Sock) *Sock { return sk.Impl.(*Sock) }

func (is *Sock) init(s *socket.Socket, protocol int) {
	is.Sock.Impl = is
	socket.InitSock(&is.Sock, s, protocol, is.entry.Prot)
	if is.entry.Flags&INET_PROTOSW_REUSE != 0 {
		is.SetFlag(socket.FlagReuse, true)
	}
	is.opts.init(is.Net)
	// inet6_create leaves IPv4's IP_MULTICAST_ALL off.
	is.setFlag(noMulticastAll, is.Family == socket.AF_INET6)
}

// NewAccepted makes the Sock of a connection that a listener's endpoint
// accepted. The options are the listener's and are applied to ep; wq is ep's
// queue.
func (is *Sock) NewAccepted(ep tcpip.Endpoint, wq *waiter.Queue, peer tcpip.FullAddress) *Sock {
	child := &Sock{sw: is.sw, entry: is.entry}
	child.Sock.Impl = child
	child.Inherit(&is.Sock)
	child.WQ = wq
	child.opts.inherit(&is.opts)
	child.peer = child.ToSockaddr(peer)
	child.ep.Store(&Endpoint{Endpoint: ep})
	child.sw.hold(child.entry)
	return child
}

// Endpoint returns the endpoint, or nil when there is none yet.
func (is *Sock) Endpoint() *Endpoint { return is.ep.Load() }

// Ensure returns the endpoint and makes it if need be. Locked. EBADF once the
// Sock is being closed, when nobody would close another endpoint.
func (is *Sock) Ensure() (*Endpoint, error) {
	if ep := is.ep.Load(); ep != nil {
		return ep, nil
	}
	if is.Dying() {
		return nil, errno.EBADF
	}
	prot := is.Prot.(EndpointProto)
	proto := header.IPv4ProtocolNumber
	if is.Family == socket.AF_INET6 {
		proto = header.IPv6ProtocolNumber
	}
	tep, terr := newEndpoint(is, prot, proto)
	if terr != nil {
		return nil, errno.FromTCPIP(terr)
	}
	is.applyAll(tep)
	ep := &Endpoint{Endpoint: tep}
	is.ep.Store(ep)
	return ep, nil
}

// A Rebinder is an endpoint that is as it was when Bind fails.
type Rebinder interface{ Rebinds() }

// An EndpointMaker is an EndpointProto whose endpoints are not those that the
// stack makes for a transport protocol, as raw sockets' are not.
type EndpointMaker interface {
	NewEndpoint(is *Sock, network tcpip.NetworkProtocolNumber) (tcpip.Endpoint, tcpip.Error)
}

func newEndpoint(is *Sock, prot EndpointProto, network tcpip.NetworkProtocolNumber) (tcpip.Endpoint, tcpip.Error) {
	if m, ok := prot.(EndpointMaker); ok {
		return m.NewEndpoint(is, network)
	}
	return is.Net.IP().NewEndpoint(prot.Transport(), network, is.WQ)
}

// SetNum gives the Sock a number that is not a port of its endpoint: a raw
// socket's protocol. Locked, or not yet shared.
func (is *Sock) SetNum(num uint16) { is.num, is.sport = num, num }

// SetHdrIncl turns IP_HDRINCL on.
func (is *Sock) SetHdrIncl() { is.setFlag(HdrIncl, true) }

// applyAll applies every option of the Sock to a fresh endpoint.
func (is *Sock) applyAll(ep tcpip.Endpoint) {
	is.applySocketOptions(ep)
	is.opts.apply(is.Family, ep)
	is.opts.more.apply(is, ep)
	is.Prot.(EndpointProto).ApplyOptions(is, ep)
}

// ApplyInherited applies the Sock's options to an accepted endpoint.
func (is *Sock) ApplyInherited() { is.applyAll(is.ep.Load().Endpoint) }

// TakeEndpoint removes and returns the endpoint, which the caller closes. Its
// port stays the Sock's name. Locked.
func (is *Sock) TakeEndpoint() *Endpoint {
	ep := is.ep.Swap(nil)
	if ep == nil {
		return nil
	}
	if local, terr := ep.GetLocalAddress(); terr == nil && local.Port != 0 {
		is.sport = local.Port
	}
	if r, ok := is.Prot.(EndpointReleaser); ok {
		r.EndpointTaken(is, ep)
	}
	return ep
}

// An EndpointReleaser is an EndpointProto that keeps something for each
// endpoint, and lets go of it when a Sock's is taken away. Locked.
type EndpointReleaser interface {
	EndpointTaken(is *Sock, ep *Endpoint)
}

// ForgetPort makes the Sock's name have no port, once it has no endpoint.
// Locked.
func (is *Sock) ForgetPort() { is.sport = 0 }

// ReleaseEntry gives the switch's entry back when the Sock is closed.
func (is *Sock) releaseEntry() { is.sw.put(is.entry) }

// Bind binds the endpoint to the address that the family has checked, and
// remembers it. Locked. On failure a fresh endpoint takes its place, but for a
// [Rebinder]: gVisor's may keep half of what was tried.
func (is *Sock) Bind(addr socket.Sockaddr) error {
	if lo, hi, set := is.localPorts(); set && addr.Port == 0 {
		return is.bindInRange(addr, lo, hi)
	}
	return is.bindPort(addr)
}

// bindInRange tries the ports of IP_LOCAL_PORT_RANGE, from one by chance on.
func (is *Sock) bindInRange(addr socket.Sockaddr, lo, hi uint16) error {
	n := int(hi) - int(lo) + 1
	start := rand.IntN(n)
	for i := range n {
		addr.Port = lo + uint16((start+i)%n)
		if err := is.bindPort(addr); err != errno.EADDRINUSE {
			return err
		}
	}
	return errno.EADDRINUSE
}

func (is *Sock) bindPort(addr socket.Sockaddr) error {
	ep, err := is.Ensure()
	if err != nil {
		return err
	}
	terr := ep.Bind(is.FullAddress(addr))
	if _, foreign := terr.(*tcpip.ErrBadLocalAddress); foreign && is.MayBindForeign() {
		is.Net.WithForeign(func() { terr = ep.Bind(is.FullAddress(addr)) })
	}
	if terr != nil {
		if _, whole := ep.Endpoint.(Rebinder); !whole {
			is.TakeEndpoint().Close()
		}
		if _, ok := terr.(*tcpip.ErrNoPortAvailable); ok {
			// inet_csk_get_port has only this answer.
			return errno.EADDRINUSE
		}
		return errno.FromTCPIP(terr)
	}
	is.rcvSaddr = addr.IP()
	if local, terr := ep.GetLocalAddress(); terr == nil {
		is.num, is.sport = local.Port, local.Port
	}
	return nil
}

// Autobind binds to any address and a free port unless bound already: Linux's
// inet_autobind. Locked. EAGAIN when no port is free.
func (is *Sock) Autobind() error {
	if is.Bound() {
		return nil
	}
	addr := is.AnyAddr()
	if is.addrOnly() {
		addr = socket.SockaddrFrom(netip.AddrPortFrom(is.rcvSaddr, 0))
	}
	if err := is.Prot.GetPort(&is.Sock, addr); err != nil {
		return errno.EAGAIN
	}
	return nil
}

// addrOnly reports whether the program bound the Sock to an address. Locked.
func (is *Sock) addrOnly() bool {
	return is.UserLocks&socket.SOCK_BINDADDR_LOCK != 0 && is.rcvSaddr.IsValid()
}

// BindLate gives a Sock that is bound to an address alone its port, before it
// connects or listens. Locked.
func (is *Sock) BindLate() error {
	if !is.addrOnly() || is.Bound() {
		return nil
	}
	return is.Autobind()
}

// Foreign reports whether the Sock is bound to an IPv4 address that is not the
// machine's. Locked.
func (is *Sock) Foreign() bool {
	return is.rcvSaddr.IsValid() && is.rcvSaddr.Unmap().Is4() && !is.rcvSaddr.Unmap().IsUnspecified() &&
		is.Net.AddrType(is.rcvSaddr.Unmap()) == netdev.RTN_UNICAST
}

// Bound reports whether the Sock has a local port. Locked.
func (is *Sock) Bound() bool {
	if is.num != 0 {
		return true
	}
	if ep := is.ep.Load(); ep != nil {
		local, terr := ep.GetLocalAddress()
		return terr == nil && local.Port != 0
	}
	return false
}

// Renew drops the endpoint, which the caller has taken and ended, and binds a
// fresh one to what the program itself had bound to: the end of Linux's
// tcp_disconnect and udp_disconnect. Locked.
func (is *Sock) Renew() error {
	addr := is.AnyAddr()
	if is.UserLocks&socket.SOCK_BINDADDR_LOCK != 0 {
		addr = socket.SockaddrFrom(netip.AddrPortFrom(is.rcvSaddr, 0))
	} else {
		is.rcvSaddr = netip.Addr{}
	}
	if is.UserLocks&socket.SOCK_BINDPORT_LOCK == 0 {
		is.num = 0
		return nil
	}
	addr.Port = is.num
	return is.Bind(addr)
}

// Unhash makes the Sock forget where it is, after its peer, but for the
// address and the port that are kept (__udp_disconnect). Locked.
func (is *Sock) Unhash(keepAddr, keepPort bool) {
	if !keepAddr {
		is.rcvSaddr = netip.Addr{}
	}
	if !keepPort {
		is.num, is.sport = 0, 0
	}
	is.SetBoundDevIf(0)
}

// CountDisconnect notes that the Sock was disconnected, for connects that
// wait. Locked.
func (is *Sock) CountDisconnect() { is.disconnects++ }

// AnyAddr returns the family's unspecified address with port 0.
func (is *Sock) AnyAddr() socket.Sockaddr {
	if is.Family == socket.AF_INET6 {
		return socket.SockaddrInet6([16]byte{}, 0, 0)
	}
	return socket.SockaddrInet4([4]byte{}, 0)
}

// FullAddress converts an address to gVisor's form, where a wildcard is
// empty.
func (is *Sock) FullAddress(a socket.Sockaddr) tcpip.FullAddress {
	fa := tcpip.FullAddress{Port: a.Port, NIC: tcpip.NICID(a.ScopeID)}
	if ip := a.IP(); !ip.IsUnspecified() {
		fa.Addr = netdev.ToTCPIP(ip)
	}
	return fa
}

// ToSockaddr converts gVisor's address to one of the Sock's family; on
// AF_INET6 an IPv4 address is mapped.
func (is *Sock) ToSockaddr(fa tcpip.FullAddress) socket.Sockaddr {
	if is.Family == socket.AF_INET {
		var ip [4]byte
		if fa.Addr.Len() == header.IPv4AddressSize {
			ip = fa.Addr.As4()
		}
		return socket.SockaddrInet4(ip, fa.Port)
	}
	switch fa.Addr.Len() {
	case header.IPv4AddressSize:
		return socket.SockaddrInet6(netip.AddrFrom4(fa.Addr.As4()).As16(), fa.Port, 0)
	case header.IPv6AddressSize:
		ip := fa.Addr.As16()
		scope := uint32(0)
		if header.IsV6LinkLocalUnicastAddress(fa.Addr) {
			scope = uint32(fa.NIC)
		}
		return socket.SockaddrInet6(ip, fa.Port, scope)
	}
	return socket.SockaddrInet6([16]byte{}, fa.Port, 0)
}

// GetName is Linux's inet_getname, for protocols over endpoints.
func (is *Sock) GetName(which socket.NameOf) (socket.Sockaddr, error) {
	if which == socket.AcceptName {
		return is.peer, nil
	}
	ep := is.ep.Load()
	if which == socket.PeerName {
		if ep == nil {
			return socket.Sockaddr{}, errno.ENOTCONN
		}
		remote, terr := ep.GetRemoteAddress()
		if terr != nil || remote.Port == 0 {
			return socket.Sockaddr{}, errno.ENOTCONN
		}
		return is.ToSockaddr(remote), nil
	}
	if ep == nil {
		return is.unboundName(), nil
	}
	local, terr := ep.GetLocalAddress()
	if terr != nil {
		return socket.Sockaddr{}, errno.FromTCPIP(terr)
	}
	return is.ToSockaddr(local), nil
}

// unboundName is the name of a Sock without an endpoint: its bound address
// may have outlived the port.
func (is *Sock) unboundName() socket.Sockaddr {
	is.Lock()
	defer is.Unlock()
	addr := is.AnyAddr()
	if is.rcvSaddr.IsValid() {
		addr = socket.SockaddrFrom(netip.AddrPortFrom(is.rcvSaddr, 0))
	}
	addr.Port = is.sport
	return addr
}
