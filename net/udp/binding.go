package udp

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/ports"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport"
	gudp "gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
)

// A binding is where an endpoint is bound and connected. It does not change;
// bind, connect and dissolve replace it.
type binding struct {
	state transport.DatagramEndpointState
	id    stack.TransportEndpointID
	bound tcpip.Address // what bind was given
	scope tcpip.NICID   // the interface that bind's address named
	nic   tcpip.NICID   // the one that the address is of

	// foreign says that the address was not the machine's when it was bound.
	foreign bool

	// What the endpoint is registered for, if protos is not empty.
	protos []tcpip.NetworkProtocolNumber
	flags  ports.Flags
	device tcpip.NICID

	res   *ports.Reservation // of the port; nil when there is none
	route *stack.Route       // to the peer
}

var (
	unbound = &binding{state: transport.DatagramEndpointStateInitial}
	closed  = &binding{state: transport.DatagramEndpointStateClosed}
)

var (
	only4 = []tcpip.NetworkProtocolNumber{header.IPv4ProtocolNumber}
	only6 = []tcpip.NetworkProtocolNumber{header.IPv6ProtocolNumber}
	both  = []tcpip.NetworkProtocolNumber{header.IPv4ProtocolNumber, header.IPv6ProtocolNumber}
)

func only(proto tcpip.NetworkProtocolNumber) []tcpip.NetworkProtocolNumber {
	if proto == header.IPv4ProtocolNumber {
		return only4
	}
	return only6
}

// unwrap returns an address without its IPv4 mapping, and what carries it.
func (e *endpoint) unwrap(at *binding, addr tcpip.FullAddress, bind bool) (tcpip.FullAddress, tcpip.NetworkProtocolNumber, tcpip.Error) {
	info := stack.TransportEndpointInfo{NetProto: e.family}
	info.ID.LocalAddress = at.bound
	return info.AddrNetProtoLocked(addr, e.is.V6Only(), bind)
}

// Bind implements tcpip.Endpoint: Linux's udp_lib_get_port. Port 0 picks one.
func (e *endpoint) Bind(addr tcpip.FullAddress) tcpip.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.at.Load()
	if at.state != transport.DatagramEndpointStateInitial {
		return &tcpip.ErrInvalidEndpointState{}
	}
	scope := addr.NIC
	addr, proto, terr := e.unwrap(unbound, addr, true)
	if terr != nil {
		return terr
	}
	nic, foreign := scope, false
	if addr.Addr.BitLen() != 0 && !e.isGroup(scope, proto, addr.Addr) {
		nic = e.ip.CheckLocalAddress(scope, proto, addr.Addr)
		foreign = nic == 0
		if foreign && !e.is.MayBindForeign() {
			return &tcpip.ErrBadLocalAddress{}
		}
	}
	next := &binding{
		foreign: foreign,
		state:   transport.DatagramEndpointStateBound, bound: addr.Addr, scope: scope, nic: nic,
		id:     stack.TransportEndpointID{LocalAddress: addr.Addr, LocalPort: addr.Port},
		protos: only(proto), flags: e.flags, device: tcpip.NICID(e.ops.GetBindToDevice()),
	}
	if proto == header.IPv6ProtocolNumber && addr.Addr.BitLen() == 0 && !e.is.V6Only() {
		next.protos = both
	}
	next.res = &ports.Reservation{
		Networks: next.protos, Transport: gudp.ProtocolNumber, Addr: addr.Addr, Port: addr.Port,
		Flags: next.flags, BindToDevice: next.device,
	}
	port, terr := e.ip.ReservePort(e.ip.SecureRNG(), *next.res, nil)
	if terr != nil {
		return terr
	}
	next.res.Port, next.id.LocalPort = port, port
	if terr := e.become(next); terr != nil {
		e.ip.ReleasePort(*next.res)
		return terr
	}
	return nil
}

// become registers the endpoint by next in place of what it has. Locked. On
// failure it has what it had.
func (e *endpoint) become(next *binding) tcpip.Error {
	old := e.at.Load()
	same := old.id == next.id && old.flags == next.flags && old.device == next.device && len(old.protos) == len(next.protos)
	if !same || len(old.protos) == 1 && old.protos[0] != next.protos[0] {
		if len(next.protos) > 0 {
			terr := e.ip.RegisterTransportEndpoint(next.protos, gudp.ProtocolNumber, next.id, e, next.flags, next.device)
			if terr != nil {
				return terr
			}
		}
		if len(old.protos) > 0 {
			e.ip.UnregisterTransportEndpoint(old.protos, gudp.ProtocolNumber, old.id, e, old.flags, old.device)
		}
	}
	e.at.Store(next)
	e.table.moved(old.id.LocalPort)
	e.table.moved(next.id.LocalPort)
	if old.route != nil && old.route != next.route {
		old.route.Release()
	}
	if old.res != nil && old.res != next.res {
		e.ip.ReleasePort(*old.res)
	}
	return nil
}

// Connect implements tcpip.Endpoint: Linux's __ip4_datagram_connect and
// __ip6_datagram_connect. The local address is the route's from now on, unless
// it was bound.
func (e *endpoint) Connect(addr tcpip.FullAddress) tcpip.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.at.Load()
	if at.state == transport.DatagramEndpointStateClosed {
		return &tcpip.ErrInvalidEndpointState{}
	}
	nic := addr.NIC
	if at.scope != 0 {
		if nic != 0 && nic != at.scope {
			return &tcpip.ErrInvalidEndpointState{}
		}
		nic = at.scope
	}
	if nic == 0 {
		nic = tcpip.NICID(e.ops.GetBindToDevice())
	}
	port := addr.Port
	addr, proto, terr := e.unwrap(at, addr, false)
	if terr != nil {
		return terr
	}
	r, nic, terr := e.findRoute(at, nic, tcpip.Address{}, addr.Addr, proto)
	if terr != nil {
		return terr
	}
	next := *at
	next.state, next.route, next.nic = transport.DatagramEndpointStateConnected, r, nic
	next.protos, next.device = only(proto), tcpip.NICID(e.ops.GetBindToDevice())
	// Two sockets that share a port may have the same peer: the later one has
	// its datagrams.
	next.flags = ports.Flags{MostRecent: true}
	if protoOf(next.id.LocalAddress) != proto || next.id.LocalAddress.BitLen() == 0 {
		next.id.LocalAddress = r.LocalAddress()
	}
	next.id.RemoteAddress, next.id.RemotePort = r.RemoteAddress(), port
	if terr := e.become(&next); terr != nil {
		r.Release()
		return terr
	}
	return nil
}

// deviceSet follows a change of SO_BINDTODEVICE: from now on the endpoint
// receives by that interface alone.
func (e *endpoint) deviceSet() tcpip.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := *e.at.Load()
	if next.device = tcpip.NICID(e.ops.GetBindToDevice()); len(next.protos) == 0 {
		return nil
	}
	return e.become(&next)
}

// findRoute finds the way to an address from the endpoint, and the interface
// that was asked for.
func (e *endpoint) findRoute(at *binding, nic tcpip.NICID, local, to tcpip.Address, proto tcpip.NetworkProtocolNumber) (*stack.Route, tcpip.NICID, tcpip.Error) {
	if local.BitLen() == 0 {
		local = at.id.LocalAddress
		if at.foreign && proto == header.IPv4ProtocolNumber && !e.is.Has(inet.Transparent) &&
			e.ip.CheckLocalAddress(0, proto, at.bound) == 0 {
			// Such an address is received at, but not sent from
			// (ip_route_output_key_hash_rcu).
			return nil, 0, &tcpip.ErrNetworkUnreachable{}
		}
		if local.BitLen() != 0 && (protoOf(local) != proto || e.isGroup(nic, proto, local)) {
			local = tcpip.Address{} // what is sent has an interface's address
		}
		switch {
		case header.IsV4MulticastAddress(to):
			if nic == 0 {
				nic = e.group.nic
			}
			if local.BitLen() == 0 && nic == 0 {
				local = e.group.addr
			}
		case header.IsV6MulticastAddress(to) && nic == 0:
			nic = tcpip.NICID(e.groupNIC6.Load())
		case header.IsV4LoopbackAddress(to) && local.BitLen() == 0 && nic == 0:
			local = e.loopbackSource()
		}
	}
	r, terr := e.ip.FindRoute(nic, local, to, proto, e.ops.GetMulticastLoop())
	return r, nic, terr
}

// loopbackSource is where datagrams to 127.0.0.0/8 come from: lo's address,
// whatever they are sent to. Empty leaves it to gVisor, which takes the
// destination.
func (e *endpoint) loopbackSource() tcpip.Address {
	a, terr := e.ip.GetMainNICAddress(netdev.LoopbackIndex, header.IPv4ProtocolNumber)
	if terr != nil || !header.IsV4LoopbackAddress(a.Address) {
		return tcpip.Address{}
	}
	return a.Address
}

// Disconnect implements tcpip.Endpoint.
func (e *endpoint) Disconnect() tcpip.Error { return e.disconnect(true, true) }

// disconnect forgets the peer: Linux's __udp_disconnect. The address and the
// port stay if the program chose them; what is queued stays.
func (e *endpoint) disconnect(keepAddr, keepPort bool) tcpip.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.at.Load()
	if at.state == transport.DatagramEndpointStateClosed {
		return nil
	}
	e.ops.SetBindToDevice(0)
	next := &binding{state: transport.DatagramEndpointStateInitial}
	if keepAddr {
		next.bound, next.scope, next.nic, next.foreign = at.bound, at.scope, at.scope, at.foreign
		next.id.LocalAddress = at.bound
		if at.bound.BitLen() != 0 && next.nic == 0 && !e.isGroup(0, protoOf(at.bound), at.bound) {
			next.nic = e.ip.CheckLocalAddress(0, protoOf(at.bound), at.bound)
		}
	}
	if keepPort && at.res != nil {
		next.state, next.res = transport.DatagramEndpointStateBound, at.res
		next.protos, next.flags, next.device = at.res.Networks, at.res.Flags, tcpip.NICID(e.ops.GetBindToDevice())
		next.id.LocalPort = at.res.Port
	}
	return e.become(next)
}

// Abort implements tcpip.Endpoint.
func (e *endpoint) Abort() { e.Close() }

// Close implements tcpip.Endpoint.
func (e *endpoint) Close() {
	e.mu.Lock()
	if e.at.Load().state == transport.DatagramEndpointStateClosed {
		e.mu.Unlock()
		return
	}
	e.become(closed)
	e.leaveAll()
	e.mu.Unlock()
	e.q.close()
	for {
		err := e.ops.DequeueErr()
		if err == nil {
			break
		}
		if err.Payload != nil {
			err.Payload.Release()
		}
	}
	for i := range e.paths {
		e.paths[i].Store(nil)
	}
	e.is.WQ.Notify(waiter.EventHUp | waiter.EventErr | waiter.ReadableEvents | waiter.WritableEvents)
}

// isGroup reports whether an address is one of many machines.
func (e *endpoint) isGroup(nic tcpip.NICID, proto tcpip.NetworkProtocolNumber, a tcpip.Address) bool {
	return a == header.IPv4Broadcast || header.IsV4MulticastAddress(a) || header.IsV6MulticastAddress(a) ||
		e.ip.IsSubnetBroadcast(nic, proto, a)
}
