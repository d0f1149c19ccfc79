package stdnet

import (
	"context"
	"net"
	"net/netip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// UDPConn is a UDP socket, connected or not.
type UDPConn struct{ conn }

var (
	_ net.Conn       = (*UDPConn)(nil)
	_ net.PacketConn = (*UDPConn)(nil)
)

// openUDP binds s, and connects it if there is a peer, which does not wait.
func (d *dialer) openUDP(ctx context.Context, s *socket.Socket) (*UDPConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx)
	}
	if err := d.bind(s, d.remote.Len == 0); err != nil {
		return nil, err
	}
	if d.remote.Len != 0 {
		if err := s.Connect(d.remote, 0); err != nil {
			return nil, syscallError("connect", err)
		}
	}
	local, err := s.GetName(socket.LocalName)
	if err != nil {
		return nil, syscallError("getsockname", err)
	}
	c := &UDPConn{}
	c.init(s, d.network)
	c.laddr = udpAddr(s, local)
	if d.remote.Len != 0 {
		c.raddr = udpAddr(s, d.remote)
	}
	return c, nil
}

// Read reads the next datagram; what does not fit is lost.
func (c *UDPConn) Read(b []byte) (int, error) {
	n, _, err := c.recv(b, "read")
	return n, err
}

// ReadFrom is Read with the sender's address, a *net.UDPAddr.
func (c *UDPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.recv(b, "recvfrom")
	if err != nil {
		return n, nil, err
	}
	return n, udpAddr(c.s, from), nil
}

// ReadFromAddrPort is ReadFrom without allocating an address.
func (c *UDPConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.recv(b, "recvfrom")
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	return n, addrPort(c.s, from), nil
}

func (c *UDPConn) recv(b []byte, call string) (int, socket.Sockaddr, error) {
	side := &c.pd.read
	side.mu.Lock()
	defer side.mu.Unlock()
	c.in.SetBuffer(b)
	n, err := c.pd.do(side, func() (int, error) {
		return c.s.RecvMsg(&c.in, socket.MSG_DONTWAIT)
	})
	c.in.SetBuffer(nil)
	if err != nil {
		return 0, socket.Sockaddr{}, c.opError("read", wrap(call, err))
	}
	return n, c.in.Name, nil
}

// Write sends b as one datagram to the peer.
func (c *UDPConn) Write(b []byte) (int, error) {
	return c.send(b, socket.Sockaddr{}, false, "write")
}

// WriteTo sends b as one datagram to addr, a *net.UDPAddr. It fails with
// net.ErrWriteToConnected when there is a peer.
func (c *UDPConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	a, ok := addr.(*net.UDPAddr)
	switch {
	case c.raddr != nil:
		return 0, c.writeError(addr, net.ErrWriteToConnected)
	case !ok:
		return 0, c.writeError(addr, errno.EINVAL)
	case a == nil:
		return 0, c.writeError(nil, errMissingAddress)
	}
	ip, _ := netip.AddrFromSlice(a.IP)
	if a.Zone != "" {
		ip = ip.WithZone(a.Zone)
	}
	return c.WriteToAddrPort(b, netip.AddrPortFrom(ip, uint16(a.Port)))
}

// WriteToAddrPort is WriteTo without an address to allocate. An invalid IP is
// the machine itself, as a nil one of a net.UDPAddr is.
func (c *UDPConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if c.raddr != nil {
		return 0, c.writeError(net.UDPAddrFromAddrPort(addr), net.ErrWriteToConnected)
	}
	ip := addr.Addr()
	d := dialer{family: c.s.Family}
	var to socket.Sockaddr
	switch {
	case !ip.IsValid():
		to = d.fit(socket.SockaddrInet4([4]byte{127, 0, 0, 1}, addr.Port()))
	case ip.Unmap().Is4():
		to = d.fit(socket.SockaddrInet4(ip.Unmap().As4(), addr.Port()))
	case c.s.Family == socket.AF_INET:
		return 0, c.writeError(net.UDPAddrFromAddrPort(addr), &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()})
	default:
		n := Network{task: c.s.Task}
		to = socket.SockaddrInet6(ip.As16(), addr.Port(), n.scope(ip.Zone()))
	}
	return c.send(b, to, true, "sendto")
}

func (c *UDPConn) send(b []byte, to socket.Sockaddr, hasTo bool, call string) (int, error) {
	side := &c.pd.write
	side.mu.Lock()
	defer side.mu.Unlock()
	c.out.SetBuffer(b)
	c.out.Name, c.out.HasName = to, hasTo
	n, err := c.pd.do(side, func() (int, error) {
		return c.s.SendMsg(&c.out, socket.MSG_DONTWAIT)
	})
	c.out.SetBuffer(nil)
	if err == nil {
		return n, nil
	}
	if hasTo {
		return 0, c.writeError(udpAddr(c.s, to), wrap(call, err))
	}
	return 0, c.opError("write", wrap(call, err))
}

// writeError is opError with the datagram's destination.
func (c *UDPConn) writeError(to net.Addr, err error) error {
	return &net.OpError{Op: "write", Net: c.network, Source: c.laddr, Addr: to, Err: err}
}
