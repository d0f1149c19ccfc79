package packet

import (
	"encoding/binary"
	"io"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// vlanLen is what a frame with a VLAN tag, of protocol ethP8021Q, may be
// longer than the MTU.
const (
	vlanLen   = 4
	ethP8021Q = 0x8100
)

// SendMsg is Linux's packet_snd and packet_sendmsg_spkt. The errors:
//
//	EINVAL     a short address, no or half a link header, no address to go to
//	ENXIO      no interface: not bound, and none in the address
//	ENOTCONN   SOCK_PACKET without an address
//	ENODEV     SOCK_PACKET to an interface that is not there
//	EMSGSIZE   longer than the interface's MTU
//	ENOBUFS    the interface has no room
func (*proto) SendMsg(sk *socket.Sock, m *socket.Msghdr, _ int) (int, error) {
	p := of(sk)
	it := m.Iter()
	size := it.Len()
	to, err := p.destination(m)
	if err != nil {
		return 0, err
	}
	info, ok := p.Net.IP().SingleNICInfo(tcpip.NICID(to.Ifindex))
	l := p.links.get(p.Net, to.Ifindex)
	if !ok || l == nil {
		return 0, errno.ENXIO
	}
	header := l.header
	if sk.Type == socket.SOCK_DGRAM {
		header = 0
	}
	most := int(info.MTU) + header
	switch {
	case size > most+vlanLen:
		return 0, errno.EMSGSIZE
	case size < header || size+l.header == 0:
		return 0, errno.EINVAL
	}
	data := make([]byte, size)
	io.ReadFull(it, data)
	if size > most && !(header > 0 && l.hatype == ARPHRD_ETHER && binary.BigEndian.Uint16(data[2*ethAddrLen:]) == ethP8021Q) {
		return 0, errno.EMSGSIZE
	}
	if sk.Type == socket.SOCK_DGRAM {
		return size, p.sendCooked(to, l, data)
	}
	return size, p.sendRaw(to, l, data)
}

// destination finds the interface and the protocol.
func (p *sock) destination(m *socket.Msghdr) (to SockaddrLL, err error) {
	if p.Type == socket.SOCK_PACKET {
		return p.destinationSpkt(m)
	}
	if !m.HasName || m.Name.Len == 0 {
		p.Lock()
		defer p.Unlock()
		return SockaddrLL{Ifindex: p.ifindex, Protocol: p.num}, nil
	}
	if to, err = ParseSockaddrLL(m.Name); err != nil {
		return to, err
	}
	return to, nil
}

// destinationSpkt is the same for SOCK_PACKET, whose address has a name.
func (p *sock) destinationSpkt(m *socket.Msghdr) (to SockaddrLL, err error) {
	switch {
	case !m.HasName || m.Name.Len == 0:
		return to, errno.ENOTCONN
	case m.Name.Len < sizeofSockaddr:
		return to, errno.EINVAL
	}
	b := raw(m.Name)
	if m.Name.Len == SizeofSockaddrPkt {
		to.Protocol = binary.BigEndian.Uint16(b[pktNameLen:])
	}
	if to.Ifindex = int32(p.Net.InterfaceIndex(deviceOf(m.Name))); to.Ifindex == 0 {
		return to, errno.ENODEV
	}
	return to, nil
}

// sendCooked puts a link header in front (dev_hard_header).
func (p *sock) sendCooked(to SockaddrLL, l *link, data []byte) error {
	if to.Halen == 0 && l.header > 0 && !l.lo {
		return errno.EINVAL
	}
	remote := tcpip.LinkAddress("")
	if !l.lo {
		remote = tcpip.LinkAddress(to.Addr[:min(len(to.Addr), len(l.addr))])
	}
	terr := p.Net.IP().WritePacketToRemote(tcpip.NICID(to.Ifindex), remote,
		tcpip.NetworkProtocolNumber(to.Protocol), buffer.MakeWithData(data))
	return errno.FromTCPIP(terr)
}

// sendRaw sends a frame as it is. Where the protocol is not told it is what
// the header says (packet_parse_headers); on lo that is what is received.
func (p *sock) sendRaw(to SockaddrLL, l *link, data []byte) error {
	if l.header > 0 && (l.lo || to.Protocol == 0 || to.Protocol == ETH_P_ALL) {
		to.Protocol = binary.BigEndian.Uint16(data[2*ethAddrLen:])
	}
	if l.lo {
		data = data[ethHeaderLen:]
	}
	terr := p.Net.IP().WriteRawPacket(tcpip.NICID(to.Ifindex),
		tcpip.NetworkProtocolNumber(to.Protocol), buffer.MakeWithData(data))
	return errno.FromTCPIP(terr)
}
