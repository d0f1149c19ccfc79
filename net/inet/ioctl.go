package inet

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// Ioctl is Linux's inet_ioctl and inet6_ioctl: routes, ARP and addresses are
// AF_INET's; the rest is the protocol's, which returns ENOTTY for what it
// does not know either.
func (o *commonOps) Ioctl(s *socket.Socket, cmd uint, arg any) error {
	if o.family == socket.AF_INET {
		switch cmd {
		case socket.SIOCADDRT, socket.SIOCDELRT:
			return routeIoctl(s, cmd, arg)
		case socket.SIOCGARP, socket.SIOCSARP, socket.SIOCDARP:
			return arpIoctl(s, cmd, arg)
		case socket.SIOCGIFADDR, socket.SIOCGIFBRDADDR, socket.SIOCGIFNETMASK, socket.SIOCGIFDSTADDR,
			socket.SIOCSIFADDR, socket.SIOCSIFBRDADDR, socket.SIOCSIFNETMASK, socket.SIOCSIFDSTADDR:
			return addrIoctl(s, cmd, arg)
		}
	}
	if p, ok := s.Sk.Prot.(socket.Ioctler); ok {
		return p.Ioctl(s.Sk, cmd, arg)
	}
	return errno.ENOTTY
}

// GetTStamp implements socket.TStamper (sock_gettstamp).
func (*commonOps) GetTStamp(s *socket.Socket) (time.Time, error) { return s.Sk.Stamp() }

// addrIoctl is Linux's devinet_ioctl.
func addrIoctl(s *socket.Socket, cmd uint, arg any) error {
	ifr, ok := arg.(*socket.Ifreq)
	if !ok {
		return errno.EFAULT
	}
	set := false
	switch cmd {
	case socket.SIOCSIFADDR, socket.SIOCSIFBRDADDR, socket.SIOCSIFNETMASK, socket.SIOCSIFDSTADDR:
		set = true
	}
	switch {
	case set && !s.Task.Capable(socket.CAP_NET_ADMIN):
		return errno.EPERM
	case set && ifr.Addr.Family != socket.AF_INET:
		return errno.EINVAL
	}
	i, err := s.Sk.Device(ifr.Name)
	if err != nil {
		return err
	}
	if ifr.Name != i.Name {
		return errno.EADDRNOTAVAIL // addresses have no labels, such as lo:1
	}
	p := first4(i)
	if !p.IsValid() && cmd != socket.SIOCSIFADDR {
		return errno.EADDRNOTAVAIL
	}
	switch cmd {
	case socket.SIOCSIFADDR:
		return setAddr(s.Sk.Net, i, p, ifr.Addr.IP())
	case socket.SIOCSIFNETMASK:
		return setNetmask(s.Sk.Net, i, p, ifr.Addr)
	case socket.SIOCSIFBRDADDR, socket.SIOCSIFDSTADDR:
		// What follows from address and mask is the only one here.
		if ifr.Addr.IP() == answer4(cmd, i, p) {
			return nil
		}
		return errno.EINVAL
	}
	ifr.Addr = socket.SockaddrFrom(netip.AddrPortFrom(answer4(cmd, i, p), 0))
	return nil
}

// first4 is the interface's first IPv4 address, or none.
func first4(i netdev.Interface) netip.Prefix {
	for _, p := range i.Addresses {
		if p.Addr().Is4() {
			return p
		}
	}
	return netip.Prefix{}
}

// answer4 is what a command that reads one of an interface's addresses gets.
func answer4(cmd uint, i netdev.Interface, p netip.Prefix) netip.Addr {
	mask := ^uint32(0) << (32 - p.Bits())
	if p.Bits() == 0 {
		mask = 0
	}
	switch cmd {
	case socket.SIOCGIFNETMASK:
		return fromBits(mask)
	case socket.SIOCGIFBRDADDR, socket.SIOCSIFBRDADDR:
		if i.Flags&netdev.IFF_BROADCAST == 0 || p.Bits() > 30 {
			return netip.IPv4Unspecified()
		}
		a := p.Addr().As4()
		return fromBits(binary.BigEndian.Uint32(a[:]) | ^mask)
	}
	return p.Addr()
}

func fromBits(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// classBits is the prefix of an address's class, which a new address starts
// with (inet_abc_len).
func classBits(ip netip.Addr) int {
	switch a := ip.As4(); {
	case a[0] == 0:
		return 0
	case a[0] < 128:
		return 8
	case a[0] < 192:
		return 16
	case a[0] < 224:
		return 24
	}
	return -1
}

// setAddr replaces an interface's first IPv4 address. The unspecified one
// takes it away.
func setAddr(st *netdev.Stack, i netdev.Interface, old netip.Prefix, ip netip.Addr) error {
	n := classBits(ip)
	if n < 0 {
		return errno.EINVAL
	}
	if old.IsValid() {
		if old.Addr() == ip {
			return nil
		}
		if err := st.RemoveAddress(i.Index, old); err != nil {
			return err
		}
	}
	if ip.IsUnspecified() {
		return nil
	}
	return st.AddAddress(i.Index, netip.PrefixFrom(ip, n))
}

func setNetmask(st *netdev.Stack, i netdev.Interface, old netip.Prefix, mask socket.Sockaddr) error {
	n, ok := maskBits(mask)
	if !ok {
		return errno.EINVAL
	}
	if n == old.Bits() {
		return nil
	}
	if err := st.RemoveAddress(i.Index, old); err != nil {
		return err
	}
	return st.AddAddress(i.Index, netip.PrefixFrom(old.Addr(), n))
}

// maskBits is the length of a netmask, which has its ones in front.
func maskBits(mask socket.Sockaddr) (n int, ok bool) {
	b := mask.IP().As4()
	v := binary.BigEndian.Uint32(b[:])
	n = bits.LeadingZeros32(^v)
	return n, v<<n == 0
}

// routeIoctl is Linux's ip_rt_ioctl.
func routeIoctl(s *socket.Socket, cmd uint, arg any) error {
	if !s.Task.Capable(socket.CAP_NET_ADMIN) {
		return errno.EPERM
	}
	rt, ok := arg.(*socket.Rtentry)
	if !ok {
		return errno.EFAULT
	}
	r, err := toRoute(s.Sk, rt)
	if err != nil {
		return err
	}
	if cmd == socket.SIOCADDRT {
		err = s.Sk.Net.AddRoute(r)
	} else {
		err = s.Sk.Net.RemoveRoute(r)
	}
	return bare(err)
}

// bare is the Errno in err.
func bare(err error) error {
	var e errno.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

// toRoute is Linux's rtentry_to_fib_config.
func toRoute(sk *socket.Sock, rt *socket.Rtentry) (r netdev.Route, err error) {
	if rt.Dst.Family != socket.AF_INET {
		return r, errno.EAFNOSUPPORT
	}
	n := 32
	if rt.Flags&socket.RTF_HOST == 0 {
		var ok bool
		if rt.Genmask.Family != socket.AF_INET && rt.Genmask != (socket.Sockaddr{}) {
			return r, errno.EAFNOSUPPORT
		}
		if n, ok = maskBits(rt.Genmask); !ok {
			return r, errno.EINVAL
		}
	}
	r.Dst = netip.PrefixFrom(rt.Dst.IP(), n)
	if r.Dst.Masked() != r.Dst {
		return r, errno.EINVAL
	}
	r.MTU = rt.MTU
	if rt.Dev != "" {
		i, err := sk.Device(rt.Dev)
		if err != nil {
			return r, err
		}
		r.Interface = i.Name
	}
	if rt.Gateway.Family == socket.AF_INET && !rt.Gateway.IP().IsUnspecified() {
		r.Gateway = rt.Gateway.IP()
	}
	if rt.Flags&socket.RTF_GATEWAY != 0 && !r.Gateway.IsValid() {
		return r, errno.EINVAL
	}
	if r.Interface == "" && r.Gateway.IsValid() {
		r.Interface = sk.Net.InterfaceName(sk.Net.RouteInterface(r.Gateway))
		if r.Interface == "" {
			return r, errno.ENETUNREACH
		}
	}
	if r.Interface == "" {
		return r, errno.ENODEV
	}
	return r, nil
}

// arpIoctl is Linux's arp_ioctl.
func arpIoctl(s *socket.Socket, cmd uint, arg any) error {
	if cmd != socket.SIOCGARP && !s.Task.Capable(socket.CAP_NET_ADMIN) {
		return errno.EPERM
	}
	req, ok := arg.(*socket.Arpreq)
	switch {
	case !ok:
		return errno.EFAULT
	case req.PA.Family != socket.AF_INET:
		return errno.EPFNOSUPPORT
	case req.Flags&socket.ATF_PUBL == 0 && req.Flags&socket.ATF_NETMASK != 0:
		return errno.EINVAL
	}
	st := s.Sk.Net
	var i netdev.Interface
	if req.Dev != "" {
		var err error
		if i, err = s.Sk.Device(req.Dev); err != nil {
			return err
		}
	} else if cmd == socket.SIOCGARP {
		return errno.ENODEV
	} else if i, ok = st.InterfaceByIndex(st.RouteInterface(req.PA.IP())); !ok {
		return errno.ENETUNREACH
	}
	switch cmd {
	case socket.SIOCSARP:
		if i.Flags&netdev.IFF_LOOPBACK != 0 || req.HAType != socket.ARPHRD_ETHER {
			return errno.EINVAL
		}
		return st.AddNeighbor(netdev.Neighbor{Addr: req.PA.IP(), HardwareAddr: req.HA, Interface: i.Index})
	case socket.SIOCDARP:
		return noNeighbors(st.RemoveNeighbor(i.Index, req.PA.IP()))
	}
	return getARP(st, i, req)
}

// noNeighbors is ENXIO for a link without a table.
func noNeighbors(err error) error {
	if err == errno.EOPNOTSUPP {
		return errno.ENXIO
	}
	return err
}

func getARP(st *netdev.Stack, i netdev.Interface, req *socket.Arpreq) error {
	list, err := st.Neighbors(i.Index, req.PA.IP())
	if err != nil {
		return noNeighbors(err)
	}
	for _, n := range list {
		if n.Addr != req.PA.IP() {
			continue
		}
		req.HA, req.HAType, req.Dev, req.Flags = n.HardwareAddr, socket.ARPHRD_ETHER, i.Name, 0
		if n.Reachable {
			req.Flags = socket.ATF_COM
		}
		if n.Permanent {
			req.Flags = socket.ATF_COM | socket.ATF_PERM
		}
		return nil
	}
	return errno.ENXIO
}
