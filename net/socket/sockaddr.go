package socket

import (
	"encoding/binary"
	"net/netip"

	"github.com/tamanet/tamanet/net/errno"
)

// Lengths of the address structures in bytes (include/uapi/linux/in.h,
// in6.h, socket.h).
const (
	sizeofFamily       = 2
	SizeofSockaddrIn   = 16
	SizeofSockaddrIn6  = 28
	SizeofSockaddr     = 128 // struct sockaddr_storage
	sizeofSockaddrIn6x = 24  // SIN6_LEN_RFC2133, without the scope
)

// A Sockaddr is a socket address of any family: Linux's struct
// sockaddr_storage with the length that the caller gave. It is a value; no
// call keeps or changes the caller's. The zero Sockaddr is no address.
type Sockaddr struct {
	Family uint16
	// Len is the structure's length in bytes. Calls refuse with EINVAL what
	// is too short for its family.
	Len      uint16
	Port     uint16   // in the host's byte order
	Addr     [16]byte // AF_INET uses the first four bytes
	FlowInfo uint32   // AF_INET6
	ScopeID  uint32   // AF_INET6: the interface's index
	// Data is what follows the family in addresses other than AF_INET's and
	// AF_INET6's.
	Data string
}

// SockaddrInet4 returns the AF_INET address of ip and port.
func SockaddrInet4(ip [4]byte, port uint16) Sockaddr {
	a := Sockaddr{Family: AF_INET, Len: SizeofSockaddrIn, Port: port}
	copy(a.Addr[:], ip[:])
	return a
}

// SockaddrInet6 returns the AF_INET6 address of ip and port in the given
// scope, the index of an interface or 0.
func SockaddrInet6(ip [16]byte, port uint16, scope uint32) Sockaddr {
	return Sockaddr{Family: AF_INET6, Len: SizeofSockaddrIn6, Port: port, Addr: ip, ScopeID: scope}
}

// SockaddrFrom returns the address of ap: AF_INET for an IPv4 address,
// AF_INET6 for an IPv6 one, an IPv4-mapped one among them. A zone is ignored;
// set ScopeID.
func SockaddrFrom(ap netip.AddrPort) Sockaddr {
	if ap.Addr().Is4() {
		return SockaddrInet4(ap.Addr().As4(), ap.Port())
	}
	return SockaddrInet6(ap.Addr().As16(), ap.Port(), 0)
}

// IP returns the IP address, as it stands in the structure: an AF_INET6
// address that maps an IPv4 one is not unmapped. It is invalid for families
// other than AF_INET and AF_INET6.
func (a Sockaddr) IP() netip.Addr {
	switch a.Family {
	case AF_INET:
		return netip.AddrFrom4([4]byte(a.Addr[:4]))
	case AF_INET6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}

// AddrPort returns [Sockaddr.IP] and the port.
func (a Sockaddr) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(a.IP(), a.Port)
}

// String writes the address as "127.0.0.1:80", "[::1]:80", "/run/log",
// "@abstract", or "family 17".
func (a Sockaddr) String() string {
	if ip := a.IP(); ip.IsValid() {
		return a.AddrPort().String()
	}
	if a.Family == AF_UNIX {
		return a.unixString()
	}
	return "family " + itoa(int(a.Family))
}

// ParseSockaddr reads the C structure in b, as Linux's move_addr_to_kernel
// and the families do: fields past the end of a short structure are zero, and
// Len says how much there was. The error is EINVAL for more bytes than struct
// sockaddr_storage has.
func ParseSockaddr(b []byte) (Sockaddr, error) {
	if len(b) > SizeofSockaddr {
		return Sockaddr{}, errno.EINVAL
	}
	a := Sockaddr{Len: uint16(len(b))}
	if len(b) < sizeofFamily {
		return a, nil
	}
	a.Family = binary.NativeEndian.Uint16(b)
	var full [SizeofSockaddrIn6]byte
	copy(full[:], b)
	switch a.Family {
	case AF_INET, AF_UNSPEC:
		// Binding to AF_UNSPEC looks at the address as AF_INET's.
		a.Port = binary.BigEndian.Uint16(full[2:])
		copy(a.Addr[:4], full[4:8])
	case AF_INET6:
		a.Port = binary.BigEndian.Uint16(full[2:])
		a.FlowInfo = binary.BigEndian.Uint32(full[4:])
		copy(a.Addr[:], full[8:24])
		a.ScopeID = binary.NativeEndian.Uint32(full[24:])
	default:
		a.Data = string(b[sizeofFamily:])
	}
	return a, nil
}

// Append appends the C structure, Len bytes of it, to b.
func (a Sockaddr) Append(b []byte) []byte {
	var full [SizeofSockaddr]byte
	binary.NativeEndian.PutUint16(full[:], a.Family)
	switch a.Family {
	case AF_INET, AF_UNSPEC:
		binary.BigEndian.PutUint16(full[2:], a.Port)
		copy(full[4:8], a.Addr[:4])
	case AF_INET6:
		binary.BigEndian.PutUint16(full[2:], a.Port)
		binary.BigEndian.PutUint32(full[4:], a.FlowInfo)
		copy(full[8:24], a.Addr[:])
		binary.NativeEndian.PutUint32(full[24:], a.ScopeID)
	default:
		copy(full[sizeofFamily:], a.Data)
	}
	return append(b, full[:min(int(a.Len), SizeofSockaddr)]...)
}
