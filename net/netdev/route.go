package netdev

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
)

// A Route says where packets to Dst go. The longest prefix wins.
type Route struct {
	Dst       netip.Prefix
	Gateway   netip.Addr // the next hop; invalid when Dst is on the link
	Interface string     // the interface's name
	MTU       int        // bytes; zero takes the interface's
}

// String writes the route as "ip route" does.
func (r Route) String() string {
	dst := r.Dst.String()
	if r.Dst.Bits() == 0 {
		dst = "default"
	}
	if r.Gateway.IsValid() {
		dst += " via " + r.Gateway.String()
	}
	return dst + " dev " + r.Interface
}

// AddRoute adds r. The errors are ENODEV for an unknown interface, EINVAL for
// a bad prefix or a gateway of the other family, and EEXIST for a route to
// the same prefix through the same interface.
func (s *Stack) AddRoute(r Route) error {
	tr, err := s.toRoute(r)
	if err != nil {
		return fmt.Errorf("netdev: add route %v: %w", r, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.ip.GetRouteTable() {
		if old.Equal(tr) {
			return fmt.Errorf("netdev: add route %v: %w", r, errno.EEXIST)
		}
	}
	s.ip.AddRoute(tr)
	s.changed()
	return nil
}

// RemoveRoute removes the route to r.Dst through r.Interface, or returns
// ESRCH when there is none.
func (s *Stack) RemoveRoute(r Route) error {
	tr, err := s.toRoute(r)
	if err != nil {
		return fmt.Errorf("netdev: remove route %v: %w", r, err)
	}
	defer s.changed()
	if s.ip.RemoveRoutes(tr.Equal) == 0 {
		return fmt.Errorf("netdev: remove route %v: %w", r, errno.ESRCH)
	}
	return nil
}

func (s *Stack) toRoute(r Route) (tcpip.Route, error) {
	index := s.InterfaceIndex(r.Interface)
	switch {
	case index == 0:
		return tcpip.Route{}, errno.ENODEV
	case !r.Dst.IsValid():
		return tcpip.Route{}, errno.EINVAL
	case r.Gateway.IsValid() && r.Gateway.Is4() != r.Dst.Addr().Is4():
		return tcpip.Route{}, errno.EINVAL
	}
	return tcpip.Route{
		Destination: toSubnet(r.Dst),
		Gateway:     ToTCPIP(r.Gateway),
		NIC:         tcpip.NICID(index),
		MTU:         uint32(r.MTU),
	}, nil
}

// Routes lists the routes, the longest prefix first.
func (s *Stack) Routes() []Route {
	var list []Route
	for _, tr := range s.ip.GetRouteTable() {
		list = append(list, Route{
			Dst:       fromSubnet(tr.Destination),
			Gateway:   FromTCPIP(tr.Gateway),
			Interface: s.InterfaceName(int(tr.NIC)),
			MTU:       int(tr.MTU),
		})
	}
	return list
}

// HasRoute reports whether packets to ip have somewhere to go.
func (s *Stack) HasRoute(ip netip.Addr) bool {
	r, terr := s.ip.FindRoute(0, tcpip.Address{}, ToTCPIP(ip), NetProto(ip), false)
	if terr != nil {
		return false
	}
	r.Release()
	return true
}
