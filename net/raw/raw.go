// Package raw is the raw sockets of the inet families, (SOCK_RAW, any
// protocol): Linux's raw_prot and rawv6_prot (net/ipv4/raw.c,
// net/ipv6/raw.c), over gVisor's raw endpoints.
//
// A socket receives a copy of each packet of its protocol that comes in, on
// AF_INET with the IP header, that its ICMP filter lets pass. It sends what is
// behind the IP header or, with IP_HDRINCL, the whole packet; IPPROTO_RAW does
// that from the start, and receives nothing. The families ask for CAP_NET_RAW.
//
// The stack delivers the protocols that it speaks and those of
// [netdev.Stack.HasRawProtocol]; others are EPROTONOSUPPORT, where Linux takes
// any. On AF_INET6 it counts 253 as an extension header and takes off 8 bytes.
// A packet without a payload is not received. A datagram behind the IP header
// may have 65507 bytes, UDP's most.
//
// What a datagram socket does is UDP's: the methods that are not here are
// those of package udp.
package raw

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	graw "gvisor.dev/gvisor/pkg/tcpip/transport/raw"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
	"github.com/tamanet/tamanet/net/udp"
)

// Proto is raw IP.
type Proto struct{ udp.Proto }

// Prot is Linux's raw_prot and rawv6_prot.
var Prot = &Proto{}

var (
	_ inet.EndpointProto = Prot
	_ inet.EndpointMaker = Prot
	_ socket.Binder      = Prot
	_ socket.Ioctler     = Prot
)

// sock is raw's part of a Sock: Linux's struct raw_sock and raw6_sock.
type sock struct {
	is *inet.Sock

	filter4  atomic.Uint32    // ICMP_FILTER: a bit for each type to drop
	filter6  [8]atomic.Uint32 // ICMPV6_FILTER: the same
	checksum atomic.Int32     // IPV6_CHECKSUM, -1 for none

	peer atomic.Pointer[socket.Sockaddr] // with the port that connect was given
}

func of(sk *socket.Sock) *sock { return inet.Of(sk).Extra.(*sock) }

// Name implements socket.Proto.
func (*Proto) Name() string { return "RAW" }

// Init is Linux's raw_sk_init, and the part of inet_create that is for raw
// sockets alone. The Sock receives from now on. EPROTONOSUPPORT for a protocol
// that the stack was not told of; see [netdev.Stack.HasRawProtocol].
func (p *Proto) Init(sk *socket.Sock) error {
	if sk.Protocol < socket.IPPROTO_RAW && !sk.Net.HasRawProtocol(sk.Protocol) {
		return errno.EPROTONOSUPPORT
	}
	if err := p.Proto.Init(sk); err != nil {
		return err
	}
	is := inet.Of(sk)
	r := &sock{is: is}
	r.checksum.Store(-1)
	if sk.Family == socket.AF_INET6 && sk.Protocol == socket.IPPROTO_ICMPV6 {
		r.checksum.Store(icmp6ChecksumOffset)
	}
	is.Extra = r
	is.SetNum(uint16(sk.Protocol))
	if sk.Protocol == socket.IPPROTO_RAW {
		is.SetHdrIncl()
	}
	_, err := is.Ensure()
	return err
}

// icmp6ChecksumOffset is where an ICMPv6 message has its checksum.
const icmp6ChecksumOffset = 2

// Transport implements inet.EndpointProto; NewEndpoint does not ask it.
func (*Proto) Transport() tcpip.TransportProtocolNumber { return 0 }

// NewEndpoint implements inet.EndpointMaker.
func (*Proto) NewEndpoint(is *inet.Sock, network tcpip.NetworkProtocolNumber) (tcpip.Endpoint, tcpip.Error) {
	transport := tcpip.TransportProtocolNumber(is.Protocol)
	ip := is.Net.IP()
	sendOnly := is.Protocol >= socket.IPPROTO_RAW
	if sendOnly {
		// A number that every stack has: the endpoint is not registered.
		transport = header.UDPProtocolNumber
	}
	inner, terr := graw.NewEndpoint(ip, network, transport, is.WQ)
	if terr != nil {
		return nil, terr
	}
	receiver, ok := inner.(stack.RawTransportEndpoint)
	if !ok {
		inner.Close()
		return nil, &tcpip.ErrNotSupported{}
	}
	ep := &endpoint{Endpoint: inner, receiver: receiver, sk: of(&is.Sock), network: network, transport: transport}
	// What comes in passes the filters before the endpoint has it.
	ip.UnregisterRawTransportEndpoint(network, transport, receiver)
	if sendOnly {
		return ep, nil
	}
	if terr := ip.RegisterRawTransportEndpoint(network, transport, ep); terr != nil {
		inner.Close()
		return nil, terr
	}
	if transport == header.UDPProtocolNumber {
		is.Net.Watch()
		ep.unwatch = sync.OnceFunc(is.Net.Unwatch)
	}
	return ep, nil
}

// An endpoint is gVisor's with the filters in front.
type endpoint struct {
	tcpip.Endpoint
	receiver  stack.RawTransportEndpoint
	sk        *sock
	network   tcpip.NetworkProtocolNumber
	transport tcpip.TransportProtocolNumber
	unwatch   func() // nil if it does not watch
}

// HandlePacket implements stack.RawTransportEndpoint: Linux's raw_rcv and
// rawv6_rcv.
func (e *endpoint) HandlePacket(pkt *stack.PacketBuffer) {
	if e.sk.passes(pkt) {
		e.receiver.HandlePacket(pkt)
	}
}

// Close implements tcpip.Endpoint.
func (e *endpoint) Close() {
	e.sk.is.Net.IP().UnregisterRawTransportEndpoint(e.network, e.transport, e)
	if e.unwatch != nil {
		e.unwatch()
	}
	e.Endpoint.Close()
}

// ApplyOptions implements inet.EndpointProto.
func (*Proto) ApplyOptions(is *inet.Sock, ep tcpip.Endpoint) {
	if is.Family == socket.AF_INET6 {
		r := of(&is.Sock)
		ep.SetSockOptInt(tcpip.IPv6Checksum, int(r.checksum.Load()))
		if sk := &is.Sock; sk.Protocol == socket.IPPROTO_ICMPV6 {
			r.applyFilter6(ep)
		}
	}
}

// Bind is Linux's raw_bind and rawv6_bind. A Sock may be bound again. The
// errors are EINVAL for a short address, another family on AF_INET6, or a
// connected Sock, and EADDRNOTAVAIL.
func (p *Proto) Bind(sk *socket.Sock, addr socket.Sockaddr) error {
	least := uint16(socket.SizeofSockaddrIn)
	if sk.Family == socket.AF_INET6 {
		least = sizeofSockaddrIn6Old
	}
	is := inet.Of(sk)
	is.Lock()
	defer is.Unlock()
	if sk.Family == socket.AF_INET && addr.Len >= least {
		// raw_bind does not look at the family.
		b := addr.Append(nil)
		addr = socket.SockaddrInet4([4]byte(b[4:8]), 0)
	}
	if addr.Len < least || int(addr.Family) != sk.Family || p.State(sk) != socket.TCP_CLOSE {
		return errno.EINVAL
	}
	ip := addr.IP()
	switch {
	case ip.Is4In6():
		return errno.EADDRNOTAVAIL
	case ip.IsLinkLocalUnicast() && ip.Is6() && addr.ScopeID == 0:
		return errno.EINVAL
	case !ip.IsUnspecified() && is.Net.AddrType(ip) == netdev.RTN_UNICAST && !is.Net.Sysctl.NonlocalBind.Load():
		return errno.EADDRNOTAVAIL
	}
	// gVisor's cannot be bound twice.
	is.TakeEndpoint().Close()
	addr.Port = 0
	if err := is.Bind(addr); err != nil {
		return err
	}
	is.SetNum(uint16(sk.Protocol))
	return nil
}

// sizeofSockaddrIn6Old is the shortest sockaddr_in6 that is taken, without
// the scope (SIN6_LEN_RFC2133).
const sizeofSockaddrIn6Old = 24

// Connect is Linux's ip4_datagram_connect and ip6_datagram_connect_v6_only.
func (p *Proto) Connect(sk *socket.Sock, addr socket.Sockaddr) error {
	if addr.Len >= socket.SizeofSockaddrIn && int(addr.Family) != sk.Family {
		return errno.EAFNOSUPPORT
	}
	if err := p.Proto.Connect(sk, addr); err != nil {
		return err
	}
	of(sk).peer.Store(&addr)
	return nil
}

// Disconnect is Linux's __udp_disconnect: the peer is forgotten. gVisor's
// endpoint cannot, so that a fresh one takes its place.
func (p *Proto) Disconnect(sk *socket.Sock) error {
	is := inet.Of(sk)
	if p.State(sk) == socket.TCP_CLOSE {
		return nil
	}
	is.TakeEndpoint().Close()
	of(sk).peer.Store(nil)
	_, err := is.Ensure()
	return err
}

// GetName implements socket.Proto. The port of the local name is the
// protocol's number, the peer's the one that connect was given: without, it
// counts as no peer (inet_getname).
func (*Proto) GetName(sk *socket.Sock, which socket.NameOf) (socket.Sockaddr, error) {
	is := inet.Of(sk)
	if which == socket.LocalName {
		name, err := is.GetName(which)
		name.Port = uint16(sk.Protocol)
		return name, err
	}
	peer := of(sk).peer.Load()
	if peer == nil || peer.Port == 0 {
		return socket.Sockaddr{}, errno.ENOTCONN
	}
	return *peer, nil
}
