// Package tcp is TCP for the inet families: Linux's tcp_prot, over gVisor's
// TCP endpoints.
//
// gVisor does the protocol (RFC 9293). This package makes of its endpoints
// what Linux's socket calls expect: the state machine's names, errors that
// are reported once, blocking, half-closed connections, a socket that can be
// connected again, and the options.
package tcp

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// Proto is TCP. It has no state; a protocol that replaces or watches it
// embeds it.
type Proto struct{}

// Prot is Linux's tcp_prot. It serves AF_INET and AF_INET6.
var Prot = &Proto{}

var (
	_ inet.EndpointProto   = Prot
	_ socket.Listener      = Prot
	_ socket.OptionWatcher = Prot
	_ socket.Ioctler       = Prot
	_ socket.Queuer        = Prot
	_ socket.Aborter       = Prot
	_ socket.BufferSizer   = Prot
	_ socket.MemoryKeeper  = Prot
)

// sock is TCP's part of a Sock: Linux's struct tcp_sock.
type sock struct {
	*inet.Sock
	options

	net *network

	// held says that the last send had MSG_MORE; see cork.go.
	held atomic.Bool
	// sndUp is Linux's snd_up, the end of the urgent bytes sent, with urgentSet.
	sndUp atomic.Uint64
	// owes is the endpoint that is in net.delayed, whose mu guards it.
	owes *gtcp.Endpoint
	// quick counts segments that are to be acknowledged at once.
	quick atomic.Int32
	// heard says that something was received since the last send.
	heard atomic.Bool
	// guardedPort is the port of a listener whose segments are looked at.
	guardedPort uint16
}

func of(sk *socket.Sock) *sock { return inet.Of(sk).Impl.(*sock) }

// Name implements socket.Proto.
func (*Proto) Name() string { return "TCP" }

// Transport implements inet.EndpointProto.
func (*Proto) Transport() tcpip.TransportProtocolNumber { return gtcp.ProtocolNumber }

// Init is Linux's tcp_v4_init_sock.
func (*Proto) Init(sk *socket.Sock) error {
	is := inet.Of(sk)
	t := &sock{Sock: is, net: networkOf(is.Net)}
	t.options.init()
	is.Impl = t
	return nil
}

// State implements socket.Proto. What fails or was never connected is in
// TCP_CLOSE.
func (*Proto) State(sk *socket.Sock) socket.State {
	ep := inet.Of(sk).Endpoint()
	if ep == nil {
		return socket.TCP_CLOSE
	}
	return state(ep)
}

func state(ep *inet.Endpoint) socket.State {
	switch s := gtcp.EndpointState(ep.State()); s {
	case gtcp.StateInitial, gtcp.StateBound, gtcp.StateError:
		return socket.TCP_CLOSE
	case gtcp.StateConnecting:
		return socket.TCP_SYN_SENT
	default:
		// The others have Linux's numbers.
		return socket.State(s)
	}
}

// GetPort is Linux's inet_csk_get_port.
func (*Proto) GetPort(sk *socket.Sock, addr socket.Sockaddr) error {
	return inet.Of(sk).Bind(addr)
}

// Connect is Linux's tcp_v4_connect and tcp_v6_connect. The errors are those
// of [inet.Sock.Destination]; ENETUNREACH for a multicast or broadcast
// address, or no route; EADDRNOTAVAIL when no port is free.
func (*Proto) Connect(sk *socket.Sock, addr socket.Sockaddr) error {
	is := inet.Of(sk)
	addr, err := is.Destination(addr)
	wellFormed := err == nil || err == errno.EINVAL && int(addr.Family) == is.Family
	if wellFormed && addr.Len >= socket.SizeofSockaddrIn && unroutable(is, addr) {
		// tcp_v6_connect looks at this before a missing scope.
		return errno.ENETUNREACH
	}
	if err != nil {
		return err
	}
	if is.Foreign() && !is.Has(inet.Transparent) {
		return errno.ENETUNREACH // ip_route_output_key
	}
	if err := is.BindLate(); err != nil {
		return errno.EADDRNOTAVAIL
	}
	ep, err := is.Ensure()
	if err != nil {
		return err
	}
	// tcp_connect_init clears what an earlier attempt left.
	sk.SetErr(nil)
	switch terr := ep.Connect(is.FullAddress(addr)); terr.(type) {
	case nil, *tcpip.ErrConnectStarted:
		return nil
	case *tcpip.ErrNoPortAvailable:
		return errno.EADDRNOTAVAIL
	default:
		return errno.FromTCPIP(terr)
	}
}

// unroutable reports whether no connection can go to addr: multicast and
// broadcast.
func unroutable(is *inet.Sock, addr socket.Sockaddr) bool {
	ip := addr.IP().Unmap()
	return ip.IsMulticast() || ip.Is4() && is.IsBroadcast(ip)
}

// Disconnect is Linux's tcp_disconnect: a connection is reset, and the Sock
// is as after bind.
func (*Proto) Disconnect(sk *socket.Sock) error {
	is := inet.Of(sk)
	old := is.Endpoint()
	if old == nil {
		sk.ResetShutdown()
		return nil
	}
	st := state(old)
	if st == socket.TCP_CLOSE && gtcp.EndpointState(old.State()) != gtcp.StateError {
		// Only bound, if at all.
		sk.ResetShutdown()
		return nil
	}
	is.TakeEndpoint()
	if st == socket.TCP_LISTEN {
		old.Close()
	} else {
		abort(old)
	}
	sk.SetErr(nil)
	if needReset(st) || st == socket.TCP_SYN_SENT {
		sk.SetErr(errno.ECONNRESET)
	}
	sk.ResetShutdown()
	err := is.Renew()
	sk.Wake()
	return err
}

// needReset is Linux's tcp_need_reset.
func needReset(s socket.State) bool {
	return s.In(socket.TCP_ESTABLISHED, socket.TCP_CLOSE_WAIT, socket.TCP_FIN_WAIT1,
		socket.TCP_FIN_WAIT2, socket.TCP_SYN_RECV)
}

// abort ends an endpoint at once, with a reset to the peer.
func abort(ep *inet.Endpoint) {
	ep.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true})
	ep.Close()
}

// Abort is Linux's tcp_abort. ENOENT when there is no connection, attempt or
// listener to end.
func (*Proto) Abort(sk *socket.Sock, err error) error {
	ep := inet.Of(sk).Endpoint()
	if ep == nil || state(ep) == socket.TCP_CLOSE {
		return errno.ENOENT
	}
	ep.Harvested.Store(true) // err takes the place of the endpoint's error
	sk.SetErr(err)
	ep.Endpoint.Abort()
	sk.Wake()
	return nil
}

// Shutdown is Linux's tcp_shutdown. Shutting down receive is a matter of the
// Sock alone: what still comes is acknowledged, and what is there is read.
func (*Proto) Shutdown(sk *socket.Sock, how int) {
	if how&socket.SEND_SHUTDOWN == 0 {
		return
	}
	if ep := inet.Of(sk).Endpoint(); ep != nil && state(ep) != socket.TCP_CLOSE {
		uncork(ep)
		ep.Shutdown(tcpip.ShutdownWrite)
	}
}

// Close is Linux's tcp_close. With a time to linger it waits until the peer
// has acknowledged everything. While the memory is exhausted a connection is
// reset that would hold more than a little of it.
func (*Proto) Close(sk *socket.Sock, linger time.Duration) {
	is := inet.Of(sk)
	is.Lock()
	ep := is.Endpoint()
	sk.AddShutdown(socket.SHUTDOWN_MASK)
	is.Unlock()
	if ep == nil {
		return
	}
	uncork(ep)
	ep.Close()
	of(sk).unguard(ep)
	defer of(sk).net.orphaned(ep)
	if linger <= 0 || !sk.Flag(socket.FlagLinger) {
		return
	}
	// sk_stream_wait_close. gVisor tells nobody that its FIN was acknowledged,
	// so this one wait looks again by itself.
	pause := time.Millisecond
	for deadline := time.Now().Add(linger); closing(ep) && time.Now().Before(deadline); {
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

func closing(ep *inet.Endpoint) bool {
	return state(ep).In(socket.TCP_FIN_WAIT1, socket.TCP_CLOSING, socket.TCP_LAST_ACK)
}

// Listen is Linux's inet_csk_listen_start.
func (*Proto) Listen(sk *socket.Sock, backlog int) error {
	is := inet.Of(sk)
	if err := is.BindLate(); err != nil {
		return errno.EADDRINUSE
	}
	ep, err := is.Ensure()
	if err != nil {
		return err
	}
	wasListening := state(ep) == socket.TCP_LISTEN
	// Linux's queue holds one more than was asked for (sk_acceptq_is_full).
	terr := ep.Endpoint.Listen(backlog + 1)
	if _, full := terr.(*tcpip.ErrInvalidEndpointState); full && wasListening {
		// More connections wait than the new backlog has room for. They stay
		// welcome on Linux; gVisor keeps the old backlog.
		return nil
	}
	if _, used := terr.(*tcpip.ErrPortInUse); used {
		// gVisor has given up the endpoint; the Sock stays bound.
		is.TakeEndpoint().Close()
		if err := is.Renew(); err != nil {
			return err
		}
	}
	if terr == nil {
		of(sk).look()
	}
	return errno.FromTCPIP(terr)
}

// Accept is Linux's inet_csk_accept, without its wait.
func (p *Proto) Accept(sk *socket.Sock) (*socket.Sock, error) {
	is := inet.Of(sk)
	ep := is.Endpoint()
	if ep == nil {
		return nil, errno.EINVAL
	}
	var peer tcpip.FullAddress
	nep, wq, terr := ep.Endpoint.Accept(&peer)
	if terr != nil {
		return nil, errno.FromTCPIP(terr)
	}
	child := is.NewAccepted(nep, wq, peer)
	t := &sock{Sock: child, net: of(sk).net}
	t.options.inherit(&of(sk).options)
	child.Impl = t
	child.ApplyInherited()
	return &child.Sock, nil
}

// GetName implements socket.Proto.
func (*Proto) GetName(sk *socket.Sock, which socket.NameOf) (socket.Sockaddr, error) {
	return inet.Of(sk).GetName(which)
}
