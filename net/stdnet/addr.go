package stdnet

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"github.com/tamanet/tamanet/net/socket"
)

// sockaddr translates net's address for a socket of the given family, and
// reports whether there is one: addr may be nil, or hold a nil pointer. An
// unspecified IP is of the socket's family.
func (n *Network) sockaddr(family int, addr net.Addr) (socket.Sockaddr, bool, error) {
	var ip net.IP
	var port int
	var zone string
	switch a := addr.(type) {
	case nil:
		return socket.Sockaddr{}, false, nil
	case *net.TCPAddr:
		if a == nil {
			return socket.Sockaddr{}, false, nil
		}
		ip, port, zone = a.IP, a.Port, a.Zone
	case *net.UDPAddr:
		if a == nil {
			return socket.Sockaddr{}, false, nil
		}
		ip, port, zone = a.IP, a.Port, a.Zone
	default:
		return socket.Sockaddr{}, false, &net.AddrError{Err: "unexpected address type", Addr: addr.String()}
	}
	if port < 0 || port > 0xffff {
		return socket.Sockaddr{}, false, &net.AddrError{Err: "invalid port", Addr: addr.String()}
	}
	sa, err := n.fromIP(family, ip, uint16(port), zone)
	return sa, true, err
}

func (n *Network) fromIP(family int, ip net.IP, port uint16, zone string) (socket.Sockaddr, error) {
	ip4 := ip.To4()
	switch {
	case len(ip) == 0:
		if family == syscall.AF_INET6 {
			return socket.SockaddrInet6([16]byte{}, port, 0), nil
		}
		return socket.SockaddrInet4([4]byte{}, port), nil
	case ip4 != nil:
		return socket.SockaddrInet4([4]byte(ip4), port), nil
	case len(ip) != net.IPv6len:
		return socket.Sockaddr{}, &net.AddrError{Err: "bad IP address length", Addr: ip.String()}
	case family == syscall.AF_INET:
		return socket.Sockaddr{}, &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
	}
	return socket.SockaddrInet6([16]byte(ip), port, n.scope(zone)), nil
}

// scope translates an IPv6 zone, the name of an interface or its index.
func (n *Network) scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i := n.task.Net.InterfaceIndex(zone); i != 0 {
		return uint32(i)
	}
	i, _ := strconv.ParseUint(zone, 10, 31)
	return uint32(i)
}

// zone is the reverse of scope.
func zone(s *socket.Socket, scope uint32) string {
	if scope == 0 {
		return ""
	}
	if name := s.Task.Net.InterfaceName(int(scope)); name != "" {
		return name
	}
	return strconv.FormatUint(uint64(scope), 10)
}

// netIP returns the IP of a, an IPv4-mapped one as IPv4, as package net shows
// it, and "::" or "0.0.0.0" for an unspecified one.
func netIP(a socket.Sockaddr) net.IP {
	ip := a.IP()
	switch {
	case ip.Is4():
		b := ip.As4()
		return b[:]
	case ip.Is6():
		b := ip.As16()
		return b[:]
	}
	return nil
}

func tcpAddr(s *socket.Socket, a socket.Sockaddr) *net.TCPAddr {
	return &net.TCPAddr{IP: netIP(a), Port: int(a.Port), Zone: zone(s, a.ScopeID)}
}

func udpAddr(s *socket.Socket, a socket.Sockaddr) *net.UDPAddr {
	return &net.UDPAddr{IP: netIP(a), Port: int(a.Port), Zone: zone(s, a.ScopeID)}
}

// addrPort returns a with its zone.
func addrPort(s *socket.Socket, a socket.Sockaddr) netip.AddrPort {
	ip := a.IP()
	if a.ScopeID != 0 {
		ip = ip.WithZone(zone(s, a.ScopeID))
	}
	return netip.AddrPortFrom(ip, a.Port)
}

// syscallError names the call that failed, as package net's errors do. It
// returns nil for nil.
func syscallError(call string, err error) error {
	return os.NewSyscallError(call, err)
}
