package inet

import (
	"net/netip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// bind is Linux's inet_bind and inet6_bind, with their checks in their order;
// see [socket.Task.Bind] for the errors.
func bind(s *socket.Socket, addr socket.Sockaddr) error {
	is := Of(s.Sk)
	if b, ok := is.Prot.(socket.Binder); ok {
		return b.Bind(&is.Sock, addr)
	}
	if err := is.checkBindAddr(&addr); err != nil {
		return err
	}
	if is.Family == socket.AF_INET {
		if err := is.checkLocal(addr.IP()); err != nil {
			return err
		}
	}
	if err := checkPort(s, addr.Port); err != nil {
		return err
	}
	is.Lock()
	defer is.Unlock()
	if is.Prot.State(&is.Sock) != socket.TCP_CLOSE || is.Bound() {
		return errno.EINVAL
	}
	// inet6_bind looks at the address only now.
	if is.Family == socket.AF_INET6 {
		if err := is.checkLocal6(addr); err != nil {
			return err
		}
	}
	return is.bindLocked(addr)
}

func (is *Sock) bindLocked(addr socket.Sockaddr) error {
	if addr.Port == 0 && is.Has(BindAddressNoPort) && is.ep.Load() == nil {
		is.rcvSaddr = addr.IP() // connect, listen or a send choose the port
	} else if err := is.Prot.GetPort(&is.Sock, addr); err != nil {
		return err
	}
	if !addr.IP().IsUnspecified() {
		is.UserLocks |= socket.SOCK_BINDADDR_LOCK
	}
	if addr.Port != 0 {
		is.UserLocks |= socket.SOCK_BINDPORT_LOCK
	}
	return nil
}

// checkBindAddr checks length and family. AF_UNSPEC with the unspecified
// address counts as AF_INET, for programs of old.
func (is *Sock) checkBindAddr(addr *socket.Sockaddr) error {
	if is.Family == socket.AF_INET6 {
		switch {
		case addr.Len < sizeofSockaddrIn6Old:
			return errno.EINVAL
		case addr.Family != socket.AF_INET6:
			return errno.EAFNOSUPPORT
		case addr.IP().IsMulticast() && is.Type == socket.SOCK_STREAM:
			return errno.EINVAL
		}
		return nil
	}
	switch {
	case addr.Len < socket.SizeofSockaddrIn:
		return errno.EINVAL
	case addr.Family == socket.AF_INET:
		return nil
	case addr.Family == socket.AF_UNSPEC && addr.Addr == [16]byte{}:
		addr.Family = socket.AF_INET
		return nil
	}
	return errno.EAFNOSUPPORT
}

// sizeofSockaddrIn6Old is the shortest sockaddr_in6 that is taken, without
// the scope (SIN6_LEN_RFC2133).
const sizeofSockaddrIn6Old = 24

// checkLocal refuses addresses that are not the machine's: Linux's
// inet_addr_valid_or_nonlocal.
func (is *Sock) checkLocal(ip netip.Addr) error {
	if ip.IsUnspecified() || is.MayBindForeign() {
		return nil
	}
	if is.Net.AddrType(ip) == netdev.RTN_UNICAST {
		return errno.EADDRNOTAVAIL
	}
	return nil
}

func (is *Sock) checkLocal6(addr socket.Sockaddr) error {
	ip := addr.IP()
	switch {
	case ip.Is4In6():
		if is.opts.v6only.Load() != 0 {
			return errno.EINVAL
		}
		return is.checkLocal(ip.Unmap())
	case ip.IsUnspecified() || ip.IsMulticast():
		return nil
	case ip.IsLinkLocalUnicast() && addr.ScopeID == 0:
		// Binding to a link-local address requires an interface.
		return errno.EINVAL
	}
	return is.checkLocal(ip)
}

// checkPort is Linux's inet_port_requires_bind_service and what follows.
func checkPort(s *socket.Socket, port uint16) error {
	first := s.Task.Net.Sysctl.UnprivilegedPortStart.Load()
	if port != 0 && int32(port) < first && !s.Task.Capable(socket.CAP_NET_BIND_SERVICE) {
		return errno.EACCES
	}
	return nil
}

// Destination checks the address of a connect or send and returns it in
// gVisor's terms: an unspecified one is loopback, as on Linux. The errors are
// EINVAL for a short one and EAFNOSUPPORT for another family.
func (is *Sock) Destination(addr socket.Sockaddr) (socket.Sockaddr, error) {
	if is.Family == socket.AF_INET {
		switch {
		case addr.Len < socket.SizeofSockaddrIn:
			return addr, errno.EINVAL
		case addr.Family != socket.AF_INET:
			return addr, errno.EAFNOSUPPORT
		}
		if addr.Addr == [16]byte{} {
			copy(addr.Addr[:], loopback4[:])
		}
		return addr, nil
	}
	ip := addr.IP()
	switch {
	case addr.Len < sizeofSockaddrIn6Old:
		return addr, errno.EINVAL
	case addr.Family != socket.AF_INET6:
		return addr, errno.EAFNOSUPPORT
	case addr.Addr == [16]byte{}:
		addr.Addr[15] = 1
	case ip.Is4In6() && is.opts.v6only.Load() != 0:
		return addr, errno.ENETUNREACH
	case needsScope(ip) && addr.ScopeID == 0:
		return addr, errno.EINVAL
	}
	return addr, nil
}

// needsScope reports whether ip means something only on one interface
// (__ipv6_addr_needs_scope_id).
func needsScope(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast()
}

var loopback4 = [4]byte{127, 0, 0, 1}

// IsBroadcast reports whether an IPv4 address is a broadcast address here;
// the unspecified one is not.
func (is *Sock) IsBroadcast(ip netip.Addr) bool {
	return !ip.IsUnspecified() && is.Net.AddrType(ip) == netdev.RTN_BROADCAST
}
