// Package udp is UDP for the inet families: Linux's udp_prot (RFC 768,
// net/ipv4/udp.c, net/ipv6/udp.c).
//
// Below a Sock is an endpoint of this package's own in gVisor's stack. It has
// the one receive queue; what it sends goes by gVisor's routes, or right into
// the queue of a socket of the same machine. Ping and raw sockets are UDP's
// [Proto] over endpoints of gVisor's.
//
// Left out are UDP-Lite, encapsulation (UDP_ENCAP), source filters of groups,
// and the joining of datagrams that come from a device (UDP_GRO).
package udp

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport"
	gudp "gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// Proto is UDP. It has no state; a protocol that replaces or watches it
// embeds it.
type Proto struct{}

// Prot is Linux's udp_prot. It serves AF_INET and AF_INET6.
var Prot = &Proto{}

var (
	_ inet.EndpointProto   = Prot
	_ socket.OptionWatcher = Prot
	_ socket.Ioctler       = Prot
	_ socket.Queuer        = Prot
	_ socket.Aborter       = Prot
	_ socket.BufferSizer   = Prot
	_ socket.Filterer      = Prot
	_ inet.EndpointMaker   = Prot
)

// Name implements socket.Proto.
func (*Proto) Name() string { return "UDP" }

// Transport implements inet.EndpointProto.
func (*Proto) Transport() tcpip.TransportProtocolNumber { return gudp.ProtocolNumber }

// Init is Linux's udp_init_sock.
func (*Proto) Init(sk *socket.Sock) error {
	inet.Of(sk).Impl = &sock{}
	return nil
}

// NewEndpoint implements inet.EndpointMaker.
func (*Proto) NewEndpoint(is *inet.Sock, network tcpip.NetworkProtocolNumber) (tcpip.Endpoint, tcpip.Error) {
	return newEndpoint(is, network), nil
}

// Filters implements socket.Filterer. A filter sees a datagram from its UDP
// header on.
func (*Proto) Filters(*socket.Sock) bool { return true }

// ApplyOptions implements inet.EndpointProto. None of UDP's own options is
// the endpoint's.
func (*Proto) ApplyOptions(*inet.Sock, tcpip.Endpoint) {}

// OptionSet implements socket.OptionWatcher.
func (*Proto) OptionSet(sk *socket.Sock, name int) {
	is := inet.Of(sk)
	is.OptionSet(name)
	if name != socket.SO_BINDTODEVICE && name != socket.SO_BINDTOIFINDEX {
		return
	}
	if ep := is.Endpoint(); ep != nil {
		if e, own := ep.Endpoint.(*endpoint); own {
			e.deviceSet()
		}
	}
}

// State implements socket.Proto.
func (*Proto) State(sk *socket.Sock) socket.State {
	ep := inet.Of(sk).Endpoint()
	if ep != nil && transport.DatagramEndpointState(ep.State()) == transport.DatagramEndpointStateConnected {
		return socket.TCP_ESTABLISHED
	}
	return socket.TCP_CLOSE
}

// GetPort is Linux's udp_v4_get_port.
func (*Proto) GetPort(sk *socket.Sock, addr socket.Sockaddr) error {
	return inet.Of(sk).Bind(addr)
}

// Connect is Linux's ip4_datagram_connect: it sets the peer, which then is
// the only one to be received from. An AF_INET6 socket takes an AF_INET
// address too. The errors are those of [inet.Sock.Destination], ENETUNREACH
// and EACCES for a broadcast address without SO_BROADCAST.
func (*Proto) Connect(sk *socket.Sock, addr socket.Sockaddr) error {
	is := inet.Of(sk)
	dst, err := destination(is, addr)
	if err != nil {
		return err
	}
	if err := checkBroadcast(is, dst); err != nil {
		return err
	}
	if err := is.Autobind(); err != nil {
		return err
	}
	ep, err := is.Ensure()
	if err != nil {
		return err
	}
	return errno.FromTCPIP(ep.Connect(is.FullAddress(dst)))
}

// destination is inet's, with AF_INET addresses mapped for AF_INET6 sockets.
func destination(is *inet.Sock, addr socket.Sockaddr) (socket.Sockaddr, error) {
	if is.Family == socket.AF_INET6 && addr.Family == socket.AF_INET && addr.Len >= socket.SizeofSockaddrIn {
		if is.V6Only() {
			return addr, errno.EAFNOSUPPORT
		}
		addr = socket.SockaddrInet6(addr.IP().As16(), addr.Port, 0)
		addr.Addr[10], addr.Addr[11] = 0xff, 0xff
	}
	return is.Destination(addr)
}

// checkBroadcast refuses broadcast without SO_BROADCAST; that there is a way
// comes first, as on Linux.
func checkBroadcast(is *inet.Sock, addr socket.Sockaddr) error {
	ip := addr.IP().Unmap()
	switch {
	case is.Flag(socket.FlagBroadcast) || !ip.Is4() || tableOf(is.Net).isUnicast(netdev.ToTCPIP(ip)) || !is.IsBroadcast(ip):
		return nil
	case !is.Net.HasRoute(ip):
		return errno.ENETUNREACH
	}
	return errno.EACCES
}

// Disconnect is Linux's udp_disconnect: the peer is forgotten, and so are
// address, port and interface that the program did not choose. What has come
// in stays.
func (*Proto) Disconnect(sk *socket.Sock) error {
	is := inet.Of(sk)
	ep := is.Endpoint()
	if ep == nil {
		return nil
	}
	e, ok := ep.Endpoint.(*endpoint)
	if !ok {
		return errno.FromTCPIP(ep.Disconnect())
	}
	keepAddr := is.UserLocks&socket.SOCK_BINDADDR_LOCK != 0
	keepPort := is.UserLocks&socket.SOCK_BINDPORT_LOCK != 0
	is.Unhash(keepAddr, keepPort)
	return errno.FromTCPIP(e.disconnect(keepAddr, keepPort))
}

// Abort is Linux's udp_abort.
func (p *Proto) Abort(sk *socket.Sock, err error) error {
	sk.SetErr(err)
	derr := p.Disconnect(sk)
	sk.Wake()
	return derr
}

// Shutdown implements socket.Proto. It is the Sock's bits that tell; what
// comes after SHUT_RD is still received, as on Linux.
func (*Proto) Shutdown(*socket.Sock, int) {}

// Close is Linux's udp_lib_close. Nothing lingers.
func (*Proto) Close(sk *socket.Sock, _ time.Duration) {
	is := inet.Of(sk)
	is.Lock()
	ep := is.Endpoint()
	sk.AddShutdown(socket.SHUTDOWN_MASK)
	is.Unlock()
	if ep != nil {
		ep.Close()
	}
}

// GetName implements socket.Proto.
func (*Proto) GetName(sk *socket.Sock, which socket.NameOf) (socket.Sockaddr, error) {
	return inet.Of(sk).GetName(which)
}

// Poll is Linux's udp_poll and datagram_poll.
func (*Proto) Poll(sk *socket.Sock) (mask socket.EventMask) {
	ready := waiter.WritableEvents
	if ep := inet.Of(sk).Endpoint(); ep != nil {
		ready = ep.Readiness(waiter.ReadableEvents | waiter.WritableEvents | waiter.EventErr)
	}
	mask = ready & (waiter.ReadableEvents | waiter.WritableEvents | waiter.EventErr)
	if mask&socket.POLLOUT != 0 {
		mask |= socket.POLLWRBAND
	}
	if inet.Of(sk).ErrQueued() {
		mask |= socket.POLLERR
	}
	if mask&socket.POLLERR != 0 && sk.Flag(socket.FlagSelectErrQueue) {
		mask |= socket.POLLPRI
	}
	shut := sk.Shutdown()
	if shut&socket.RCV_SHUTDOWN != 0 {
		mask |= socket.POLLRDHUP | waiter.ReadableEvents
	}
	if shut == socket.SHUTDOWN_MASK {
		mask |= socket.POLLHUP
	}
	return mask
}

// SockError implements socket.Proto.
func (*Proto) SockError(sk *socket.Sock) error {
	err := sk.TakeErr()
	if ep := inet.Of(sk).Endpoint(); err == nil && ep != nil {
		// Those of gVisor's endpoints, which raw and ping sockets have.
		err = errno.FromTCPIP(ep.LastError())
	}
	return err
}

// Queued implements socket.Queuer: what the datagrams count for of SO_RCVBUF
// (udp_rqueue_get), and the bytes that the stack has not let go of. gVisor's
// endpoints tell the next datagram's length alone.
func (*Proto) Queued(sk *socket.Sock) (receive, send int) {
	ep := inet.Of(sk).Endpoint()
	if ep == nil {
		return 0, 0
	}
	if e, own := ep.Endpoint.(*endpoint); own {
		_, charged, _ := e.q.length()
		return charged, int(e.inUse.Load())
	}
	return nextLength(ep), 0
}

// nextLength is the length of the datagram that a receive returns next
// (first_packet_length).
func nextLength(ep *inet.Endpoint) int {
	n, terr := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	if terr != nil {
		return 0
	}
	return n
}

// Ioctl is Linux's udp_ioctl.
func (p *Proto) Ioctl(sk *socket.Sock, cmd uint, arg any) error {
	if cmd != socket.FIONREAD && cmd != socket.SIOCOUTQ {
		return errno.ENOTTY
	}
	n, ok := arg.(*int)
	if !ok {
		return errno.EFAULT
	}
	ep := inet.Of(sk).Endpoint()
	switch {
	case cmd == socket.SIOCOUTQ:
		_, *n = p.Queued(sk)
	case ep == nil:
		*n = 0
	default:
		*n = nextLength(ep)
	}
	return nil
}

// BufferSizes implements socket.BufferSizer.
func (*Proto) BufferSizes(sk *socket.Sock) (receive, send int) {
	m := inet.Of(sk).Net.Memory().Datagram
	return m.Default, m.Default
}

// SetSockOpt is Linux's udp_setsockopt: other levels are the family's, and
// every option needs at least an int.
func (*Proto) SetSockOpt(sk *socket.Sock, level, name int, val []byte) error {
	if level != socket.SOL_UDP {
		return inet.Of(sk).SetSockOpt(level, name, val)
	}
	if len(val) < socket.SizeofInt {
		return errno.EINVAL
	}
	return Options.Set(sk, name, val)
}

// GetSockOpt is Linux's udp_getsockopt.
func (*Proto) GetSockOpt(sk *socket.Sock, level, name int, val []byte) (int, error) {
	if level != socket.SOL_UDP {
		return inet.Of(sk).GetSockOpt(level, name, val)
	}
	return Options.Get(sk, name, val)
}
