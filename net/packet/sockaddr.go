package packet

import (
	"encoding/binary"
	"math/bits"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// Lengths of the address structures in bytes (include/uapi/linux/if_packet.h).
const (
	SizeofSockaddrLL  = 20
	SizeofSockaddrPkt = 18
	sizeofSockaddr    = 16
	sizeofFamily      = 2
	sizeofLLHeader    = 12 // offsetof(struct sockaddr_ll, sll_addr)
	maxAddrLen        = 8
	pktNameLen        = 14
)

// Kinds of packets (sll_pkttype).
const (
	PACKET_HOST      = 0
	PACKET_BROADCAST = 1
	PACKET_MULTICAST = 2
	PACKET_OTHERHOST = 3
	PACKET_OUTGOING  = 4
)

// Kinds of interfaces (include/uapi/linux/if_arp.h).
const (
	ARPHRD_ETHER    = 1
	ARPHRD_LOOPBACK = 772
	ARPHRD_NONE     = 0xfffe
)

// Protocols (include/uapi/linux/if_ether.h), in the host's byte order.
const (
	ETH_P_IP   = 0x0800
	ETH_P_ARP  = 0x0806
	ETH_P_IPV6 = 0x86dd
	ETH_P_ALL  = 0x0003
)

// Htons returns v in network byte order as a number, as a socket's protocol
// is given: Socket(AF_PACKET, SOCK_RAW, Htons(ETH_P_ALL)).
func Htons(v uint16) int {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return int(binary.NativeEndian.Uint16(b[:]))
}

// ntohs undoes Htons; Linux keeps the low 16 bits.
func ntohs(v int) uint16 {
	if bits.ReverseBytes16(1) == uint16(Htons(1)) {
		return bits.ReverseBytes16(uint16(v))
	}
	return uint16(v)
}

// A SockaddrLL is a link-layer address: Linux's struct sockaddr_ll.
type SockaddrLL struct {
	Protocol uint16 // ETH_P_*, in the host's byte order
	Ifindex  int32  // 0 is any interface
	Hatype   uint16 // ARPHRD_*
	Pkttype  uint8  // PACKET_*
	Halen    uint8  // of Addr, that is used
	Addr     [maxAddrLen]byte
}

// Sockaddr returns the address as calls take it.
func (a SockaddrLL) Sockaddr() socket.Sockaddr {
	var b [SizeofSockaddrLL - sizeofFamily]byte
	binary.BigEndian.PutUint16(b[:], a.Protocol)
	binary.NativeEndian.PutUint32(b[2:], uint32(a.Ifindex))
	binary.NativeEndian.PutUint16(b[6:], a.Hatype)
	b[8], b[9] = a.Pkttype, a.Halen
	copy(b[10:], a.Addr[:])
	return socket.Sockaddr{Family: socket.AF_PACKET, Len: SizeofSockaddrLL, Data: string(b[:])}
}

// ParseSockaddrLL reads an address that a call returned or takes. The family
// is not looked at. The error is EINVAL for one shorter than the structure, or
// than its hardware address.
func ParseSockaddrLL(addr socket.Sockaddr) (a SockaddrLL, err error) {
	if addr.Len < SizeofSockaddrLL {
		return a, errno.EINVAL
	}
	var b [SizeofSockaddrLL - sizeofFamily]byte
	copy(b[:], raw(addr))
	a.Protocol = binary.BigEndian.Uint16(b[:])
	a.Ifindex = int32(binary.NativeEndian.Uint32(b[2:]))
	a.Hatype = binary.NativeEndian.Uint16(b[6:])
	a.Pkttype, a.Halen = b[8], b[9]
	copy(a.Addr[:], b[10:])
	if int(addr.Len) < sizeofLLHeader+int(a.Halen) {
		return a, errno.EINVAL
	}
	return a, nil
}

// raw returns the bytes behind the family, whatever family the caller gave.
func raw(addr socket.Sockaddr) []byte {
	b := addr.Append(nil)
	return b[min(sizeofFamily, len(b)):]
}

// sockaddrPkt is the address of SOCK_PACKET: Linux's struct sockaddr_pkt.
func sockaddrPkt(family uint16, device string, protocol uint16) socket.Sockaddr {
	var b [SizeofSockaddrPkt - sizeofFamily]byte
	copy(b[:pktNameLen], device)
	binary.BigEndian.PutUint16(b[pktNameLen:], protocol)
	return socket.Sockaddr{Family: family, Len: SizeofSockaddrPkt, Data: string(b[:])}
}

// deviceOf is the name in an address of SOCK_PACKET.
func deviceOf(addr socket.Sockaddr) string {
	b := raw(addr)
	for i, c := range b[:min(len(b), pktNameLen)] {
		if c == 0 || i == pktNameLen-1 {
			return string(b[:i])
		}
	}
	return string(b)
}
