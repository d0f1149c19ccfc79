package netdev

import (
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
)

// InterfaceByIndex returns a snapshot of one interface.
func (s *Stack) InterfaceByIndex(index int) (Interface, bool) {
	info, ok := s.ip.SingleNICInfo(tcpip.NICID(index))
	if !ok || index <= 0 {
		return Interface{}, false
	}
	return s.snapshot(tcpip.NICID(index), *info), true
}

// SetUp brings an interface up or down; down it neither sends nor receives
// and loses its IPv6 link-local address. ENODEV.
func (s *Stack) SetUp(index int, up bool) error {
	defer s.changed()
	change := s.ip.DisableNIC
	if up {
		change = s.ip.EnableNIC
	}
	return deviceError(change(tcpip.NICID(index)))
}

// SetMTU sets an interface's MTU in bytes of IP packet. EINVAL below 68, the
// least that IPv4 allows (RFC 791), or above 65536; ENODEV.
func (s *Stack) SetMTU(index, mtu int) error {
	if mtu < header.IPv4MinimumMTU || mtu > 65536 {
		return errno.EINVAL
	}
	defer s.changed()
	return deviceError(s.ip.SetNICMTU(tcpip.NICID(index), uint32(mtu)))
}

// AddAddress assigns an address with its prefix, which also becomes a route.
// EEXIST, ENODEV.
func (s *Stack) AddAddress(index int, p netip.Prefix) error {
	if !p.IsValid() {
		return errno.EINVAL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addAddress(tcpip.NICID(index), p)
}

// RemoveAddress takes an address, and the route to its prefix through the
// same interface, away. EADDRNOTAVAIL, ENODEV.
func (s *Stack) RemoveAddress(index int, p netip.Prefix) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	if terr := s.ip.RemoveAddress(tcpip.NICID(index), ToTCPIP(p.Addr())); terr != nil {
		return deviceError(terr)
	}
	if d := s.device(index); d != nil {
		d.multicast.assign(ToTCPIP(p.Addr()), false)
		d.tellGroups()
	}
	own := tcpip.Route{Destination: toSubnet(p), NIC: tcpip.NICID(index)}
	s.ip.RemoveRoutes(own.Equal)
	return nil
}

func deviceError(terr tcpip.Error) error {
	switch terr.(type) {
	case *tcpip.ErrUnknownNICID:
		return errno.ENODEV
	case *tcpip.ErrBadLocalAddress:
		return errno.EADDRNOTAVAIL
	}
	return errno.FromTCPIP(terr)
}

// A Neighbor is an entry of the ARP or neighbour discovery table.
type Neighbor struct {
	Addr         netip.Addr
	HardwareAddr net.HardwareAddr
	Interface    int
	Permanent    bool // set by hand
	Reachable    bool // the address is known
}

// Neighbors lists an interface's neighbours of a family, by an address of it.
// ENODEV; EOPNOTSUPP where the link needs none.
func (s *Stack) Neighbors(index int, family netip.Addr) ([]Neighbor, error) {
	entries, terr := s.ip.Neighbors(tcpip.NICID(index), NetProto(family))
	if terr != nil {
		return nil, deviceError(terr)
	}
	var list []Neighbor
	for _, e := range entries {
		list = append(list, Neighbor{
			Addr:         FromTCPIP(e.Addr),
			HardwareAddr: net.HardwareAddr(e.LinkAddr),
			Interface:    index,
			Permanent:    e.State == stack.Static,
			Reachable:    e.State != stack.Incomplete && e.State != stack.Unreachable && e.State != stack.Unknown,
		})
	}
	return list, nil
}

// AddNeighbor sets a neighbour's hardware address by hand.
func (s *Stack) AddNeighbor(n Neighbor) error {
	if len(n.HardwareAddr) != header.EthernetAddressSize {
		return errno.EINVAL
	}
	return deviceError(s.ip.AddStaticNeighbor(tcpip.NICID(n.Interface), NetProto(n.Addr), ToTCPIP(n.Addr),
		tcpip.LinkAddress(n.HardwareAddr)))
}

// RemoveNeighbor forgets a neighbour. ENXIO when there is none.
func (s *Stack) RemoveNeighbor(index int, addr netip.Addr) error {
	switch terr := s.ip.RemoveNeighbor(tcpip.NICID(index), NetProto(addr), ToTCPIP(addr)); terr.(type) {
	case nil:
		return nil
	case *tcpip.ErrBadAddress:
		return errno.ENXIO
	default:
		return deviceError(terr)
	}
}

// A PrivateIoctl is a device driver's own commands, SIOCDEVPRIVATE to
// SIOCDEVPRIVATE+15.
type PrivateIoctl func(cmd uint, arg any) error

type privateKey struct{}

func (s *Stack) private() *sync.Map {
	return s.Generic(privateKey{}, func() any { return new(sync.Map) }).(*sync.Map)
}

// SetPrivateIoctl gives an interface's driver its private commands; nil takes
// them away.
func (s *Stack) SetPrivateIoctl(index int, f PrivateIoctl) {
	if f == nil {
		s.private().Delete(index)
		return
	}
	s.private().Store(index, f)
}

// PrivateIoctl returns the driver's private commands, or nil.
func (s *Stack) PrivateIoctl(index int) PrivateIoctl {
	f, ok := s.private().Load(index)
	if !ok {
		return nil
	}
	return f.(PrivateIoctl)
}

// WithForeign calls f, in which gVisor's endpoints can be bound to addresses
// that are not the machine's. gVisor decides so by interface: lo takes any
// meanwhile.
func (s *Stack) WithForeign(f func()) {
	s.foreignMu.Lock()
	defer s.foreignMu.Unlock()
	s.ip.SetSpoofing(LoopbackIndex, true)
	defer s.ip.SetSpoofing(LoopbackIndex, false)
	f()
}
