package netdev

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// AddrType is what an address is to this machine: Linux's RTN_* route types,
// as inet_addr_type answers them.
type AddrType uint8

// The kinds of address that bind and connect tell apart, with the numbers of
// include/uapi/linux/rtnetlink.h.
const (
	RTN_UNICAST   AddrType = 1
	RTN_LOCAL     AddrType = 2
	RTN_BROADCAST AddrType = 3
	RTN_MULTICAST AddrType = 5
)

// AddrType tells what addr is to s, as Linux net/ipv4/fib_frontend.c
// inet_addr_type does. The unspecified IPv4 address counts as broadcast
// there, and here. A zone is ignored.
func (s *Stack) AddrType(addr netip.Addr) AddrType {
	switch {
	case addr.IsMulticast():
		return RTN_MULTICAST
	case addr == broadcast4 || addr == any4:
		return RTN_BROADCAST
	}
	ip, proto := ToTCPIP(addr), NetProto(addr)
	switch {
	case s.ip.IsSubnetBroadcast(0, proto, ip):
		return RTN_BROADCAST // 127.255.255.255 too
	case addr.IsLoopback():
		return RTN_LOCAL
	case s.ip.CheckLocalAddress(0, proto, ip) != 0:
		return RTN_LOCAL
	}
	return RTN_UNICAST
}

var (
	any4       = netip.IPv4Unspecified()
	broadcast4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// ToTCPIP converts an address to gVisor's form, without its zone. The invalid
// Addr becomes gVisor's empty address, its wildcard.
func ToTCPIP(a netip.Addr) tcpip.Address {
	switch {
	case a.Is4():
		return tcpip.AddrFrom4(a.As4())
	case a.Is6():
		return tcpip.AddrFrom16(a.As16())
	}
	return tcpip.Address{}
}

// FromTCPIP converts gVisor's address. The empty one becomes the invalid Addr.
func FromTCPIP(a tcpip.Address) netip.Addr {
	switch a.Len() {
	case header.IPv4AddressSize:
		return netip.AddrFrom4(a.As4())
	case header.IPv6AddressSize:
		return netip.AddrFrom16(a.As16())
	}
	return netip.Addr{}
}

// NetProto returns gVisor's number of the protocol that carries a: IPv4 for
// an IPv4 address, IPv6 for any other.
func NetProto(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

func toSubnet(p netip.Prefix) tcpip.Subnet {
	p = p.Masked()
	return tcpip.AddressWithPrefix{Address: ToTCPIP(p.Addr()), PrefixLen: p.Bits()}.Subnet()
}

func fromSubnet(s tcpip.Subnet) netip.Prefix {
	return netip.PrefixFrom(FromTCPIP(s.ID()), s.Prefix())
}
