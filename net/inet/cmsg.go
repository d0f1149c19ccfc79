package inet

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// Lengths of the structures in control messages (include/uapi/linux/in.h,
// ipv6.h, errqueue.h).
const (
	sizeofInPktinfo   = 12
	sizeofIn6Pktinfo  = 20
	sizeofSockExtErr  = 16
	sizeofSockaddrIn6 = 28
)

// TellReceived stores in m the control messages that the Sock's options ask
// for about a datagram: Linux's sock_recv_cmsgs, ip_cmsg_recv and
// ip6_datagram_recv_ctl, in their order. local is where the datagram came in.
func (is *Sock) TellReceived(m *socket.Msghdr, cm *tcpip.ReceivableControlMessages) {
	is.TellStamp(m, cm.Timestamp)
	if is.Tells() {
		is.TellControl(m, cm)
	}
}

// TellControl is the part of TellReceived that is of SOL_IP and SOL_IPV6.
func (is *Sock) TellControl(m *socket.Msghdr, cm *tcpip.ReceivableControlMessages) {
	if is.Family == socket.AF_INET6 {
		is.tell6(m, cm)
		return
	}
	is.tell4(m, cm)
}

// tell4 is ip_cmsg_recv_offset.
func (is *Sock) tell4(m *socket.Msghdr, cm *tcpip.ReceivableControlMessages) {
	if is.Has(RecvPktInfo) && cm.HasIPPacketInfo {
		var b [sizeofInPktinfo]byte
		putPktInfo(&b, int(cm.PacketInfo.NIC), cm.PacketInfo.LocalAddr, cm.PacketInfo.DestinationAddr)
		m.PutCmsg(socket.SOL_IP, IP_PKTINFO, b[:])
	}
	if is.Has(RecvTTL) && cm.HasTTL {
		putInt(m, socket.SOL_IP, IP_TTL, int(cm.TTL))
	}
	if is.Has(RecvTOS) && cm.HasTOS {
		m.PutCmsg(socket.SOL_IP, IP_TOS, []byte{cm.TOS})
	}
	if is.Has(RecvOrigDst) && cm.HasOriginalDstAddress {
		dst := is.ToSockaddr(cm.OriginalDstAddress)
		m.PutCmsg(socket.SOL_IP, IP_RECVORIGDSTADDR, dst.Append(nil))
	}
}

// tell6 is ip6_datagram_recv_common_ctl and ip6_datagram_recv_specific_ctl.
// An IPv4 datagram on an AF_INET6 socket tells its address in mapped form,
// and of IPv4's own options what they ask for.
func (is *Sock) tell6(m *socket.Msghdr, cm *tcpip.ReceivableControlMessages) {
	if is.Has(RecvPktInfo6) && (cm.HasIPv6PacketInfo || cm.HasIPPacketInfo) {
		var b [sizeofIn6Pktinfo]byte
		addr, nic := cm.IPv6PacketInfo.Addr, cm.IPv6PacketInfo.NIC
		if cm.HasIPPacketInfo {
			addr, nic = cm.PacketInfo.DestinationAddr, cm.PacketInfo.NIC
		}
		ip := netdev.FromTCPIP(addr).As16()
		copy(b[:], ip[:])
		binary.NativeEndian.PutUint32(b[16:], uint32(nic))
		m.PutCmsg(socket.SOL_IPV6, IPV6_PKTINFO, b[:])
	}
	if cm.HasHopLimit && is.Has(RecvHopLimit) {
		putInt(m, socket.SOL_IPV6, IPV6_HOPLIMIT, int(cm.HopLimit))
	}
	if cm.HasTClass && is.Has(RecvTClass) {
		putInt(m, socket.SOL_IPV6, IPV6_TCLASS, int(cm.TClass))
	}
	if cm.HasOriginalDstAddress && is.Has(RecvOrigDst6) {
		dst := is.ToSockaddr(cm.OriginalDstAddress)
		m.PutCmsg(socket.SOL_IPV6, IPV6_RECVORIGDSTADDR, dst.Append(nil))
	}
	is.tell4(m, cm)
}

func putInt(m *socket.Msghdr, level, typ, v int) {
	var b [socket.SizeofInt]byte
	socket.PutInt(b[:], v)
	m.PutCmsg(level, typ, b[:])
}

// putPktInfo writes C's struct in_pktinfo: the interface, the local address
// and the packet's destination.
func putPktInfo(b *[sizeofInPktinfo]byte, index int, local, dst tcpip.Address) {
	binary.NativeEndian.PutUint32(b[:], uint32(index))
	copy(b[4:8], local.AsSlice())
	copy(b[8:12], dst.AsSlice())
}

// A SendControl is what the control messages of a send ask for (struct
// ipcm_cookie and ipcm6_cookie).
type SendControl struct {
	tcpip.SendableControlMessages

	// TOS is the packet's type of service or traffic class, or -1.
	TOS int
	// Segment is UDP_SEGMENT's size in bytes, or 0.
	Segment int

	// Index and Src are IP_PKTINFO's interface and source, if not zero.
	Index tcpip.NICID
	Src   tcpip.Address
}

// HasSource reports whether the control messages name an interface or a
// source.
func (c *SendControl) HasSource() bool {
	return c.HasIPv6PacketInfo || c.Index != 0 || c.Src.BitLen() != 0
}

// Source is the interface by which a packet of IPv4 or IPv6 is to leave, and
// its source, if they are named.
func (c *SendControl) Source(v6 bool) (tcpip.NICID, tcpip.Address) {
	if v6 {
		return c.IPv6PacketInfo.NIC, c.IPv6PacketInfo.Addr
	}
	return c.Index, c.Src
}

// UDPSegment is UDP_SEGMENT, the one control message of level SOL_UDP.
const UDPSegment = 103

// ParseControl reads the control messages of a send: Linux's ip_cmsg_send
// and ip6_datagram_send_ctl. Messages of other levels are ignored, unknown
// ones of these are EINVAL.
func (is *Sock) ParseControl(control []byte) (c SendControl, err error) {
	c.TOS = -1
	for rest := control; ; {
		var m socket.Cmsg
		var ok bool
		m, rest, ok, err = socket.NextCmsg(rest)
		if err != nil || !ok {
			return c, err
		}
		switch m.Level {
		case socket.SOL_SOCKET:
			err = is.sendSocketCmsg(m)
		case socket.SOL_UDP:
			err = c.segment(m)
		case socket.SOL_IP:
			if is.Family == socket.AF_INET {
				err = c.ip(is, m)
			}
		case socket.SOL_IPV6:
			if is.Family == socket.AF_INET6 {
				err = c.ipv6(is, m)
			}
		}
		if err != nil {
			return c, err
		}
	}
}

// sendSocketCmsg is Linux's __sock_cmsg_send. A mark or a time to send at
// cannot be set for one packet here.
func (is *Sock) sendSocketCmsg(m socket.Cmsg) error {
	switch m.Type {
	case socket.SCM_RIGHTS, socket.SCM_CREDENTIALS:
		return nil // semantics are AF_UNIX's
	}
	return errno.EINVAL
}

// segment is __udp_cmsg_send. Other types are ignored there.
func (c *SendControl) segment(m socket.Cmsg) error {
	switch {
	case m.Type != UDPSegment:
		return errno.EINVAL
	case len(m.Data) != 2:
		return errno.EINVAL
	}
	c.Segment = int(binary.NativeEndian.Uint16(m.Data))
	return nil
}

func (c *SendControl) ip(is *Sock, m socket.Cmsg) error {
	switch m.Type {
	case IP_TTL:
		v, err := exactInt(m.Data)
		if err != nil || v < 1 || v > 255 {
			return errno.EINVAL
		}
		c.HasTTL, c.TTL = true, uint8(v)
	case IP_TOS:
		v, err := intOrByte(m.Data)
		if err != nil || v < 0 || v > 255 {
			return errno.EINVAL
		}
		c.TOS = v
	case IP_PKTINFO:
		if len(m.Data) != sizeofInPktinfo {
			return errno.EINVAL
		}
		return c.pktInfo(is, m.Data)
	default:
		return errno.EINVAL
	}
	return nil
}

// pktInfo takes the interface and the source; gVisor's own endpoints cannot be
// told.
func (c *SendControl) pktInfo(is *Sock, b []byte) error {
	index := int(int32(binary.NativeEndian.Uint32(b)))
	if index != 0 && is.Net.InterfaceName(index) == "" {
		return errno.ENODEV
	}
	c.Index = tcpip.NICID(index)
	if src := [4]byte(b[4:8]); src != ([4]byte{}) {
		c.Src = tcpip.AddrFrom4(src)
	}
	return nil
}

func (c *SendControl) ipv6(is *Sock, m socket.Cmsg) error {
	switch m.Type {
	case IPV6_HOPLIMIT:
		v, err := exactInt(m.Data)
		if err != nil || v < -1 || v > 255 {
			return errno.EINVAL
		}
		if v >= 0 {
			c.HasHopLimit, c.HopLimit = true, uint8(v)
		}
	case IPV6_TCLASS:
		v, err := exactInt(m.Data)
		if err != nil || v < -1 || v > 255 {
			return errno.EINVAL
		}
		c.TOS = v & 0xff // -1 ends up as all ones
	case IPV6_PKTINFO:
		if len(m.Data) < sizeofIn6Pktinfo {
			return errno.EINVAL
		}
		index := int(int32(binary.NativeEndian.Uint32(m.Data[16:])))
		addr := [16]byte(m.Data[:16])
		if index != 0 && is.Net.InterfaceName(index) == "" {
			return errno.ENODEV
		}
		c.HasIPv6PacketInfo = true
		c.IPv6PacketInfo.NIC = tcpip.NICID(index)
		if addr != ([16]byte{}) {
			c.IPv6PacketInfo.Addr = tcpip.AddrFrom16(addr)
			if is.Net.IP().CheckLocalAddress(0, header.IPv6ProtocolNumber, c.IPv6PacketInfo.Addr) == 0 {
				return errno.EINVAL
			}
		}
	default:
		return errno.EINVAL
	}
	return nil
}

// exactInt reads a control message that has to be an int.
func exactInt(b []byte) (int, error) {
	if len(b) != socket.SizeofInt {
		return 0, errno.EINVAL
	}
	return socket.OptInt(b)
}

// intOrByte reads one that may be a byte.
func intOrByte(b []byte) (int, error) {
	if len(b) == 1 {
		return int(b[0]), nil
	}
	return exactInt(b)
}

// OverrideTOS makes what is sent until the function returned is called carry
// tos. gVisor has it an endpoint, not a packet; the lock keeps two overrides
// apart.
func (is *Sock) OverrideTOS(tos int) (restore func()) {
	is.Lock()
	is.pass(tcpip.IPv4TOSOption, tos)
	is.pass(tcpip.IPv6TrafficClassOption, tos)
	return func() {
		is.pass(tcpip.IPv4TOSOption, int(is.opts.tos.Load()))
		is.pass(tcpip.IPv6TrafficClassOption, int(is.opts.tclass.Load()))
		is.Unlock()
	}
}
