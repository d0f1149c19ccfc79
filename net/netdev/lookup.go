package netdev

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// InterfaceOf returns the index of the interface that has the address, or 0
// (Linux ip_dev_find).
func (s *Stack) InterfaceOf(addr netip.Addr) int {
	if !addr.IsValid() || addr.IsUnspecified() {
		return 0
	}
	return int(s.ip.CheckLocalAddress(0, NetProto(addr), ToTCPIP(addr)))
}

// RouteInterface returns the index of the interface by which packets to addr
// leave, or 0 when there is no way.
func (s *Stack) RouteInterface(addr netip.Addr) int {
	index, _ := s.routeTo(addr)
	return index
}

// RouteMTU returns the MTU of the way to addr in bytes of IP packet, or 0
// when there is none.
func (s *Stack) RouteMTU(addr netip.Addr) int {
	_, mtu := s.routeTo(addr)
	return mtu
}

func (s *Stack) routeTo(addr netip.Addr) (index, mtu int) {
	r, terr := s.ip.FindRoute(0, tcpip.Address{}, ToTCPIP(addr), NetProto(addr), false)
	if terr != nil {
		return 0, 0
	}
	defer r.Release()
	// A route to this machine's own address goes by lo, wherever gVisor says
	// that it is.
	if s.ip.CheckLocalAddress(0, NetProto(addr), ToTCPIP(addr)) != 0 {
		index = LoopbackIndex
	} else {
		index = int(r.NICID())
	}
	if info, ok := s.ip.SingleNICInfo(tcpip.NICID(index)); ok {
		mtu = int(info.MTU)
	}
	return index, mtu
}
