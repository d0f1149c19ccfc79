package udp

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// recv takes the next datagram, or with MSG_PEEK looks at it: Linux's
// udp_recvmsg. The pending error comes first; EAGAIN when nothing is there.
func (e *endpoint) recv(m *socket.Msghdr, flags int) (n int, err error) {
	if err := e.is.TakeErr(); err != nil {
		return 0, err
	}
	off := e.is.PeekOff()
	if flags&socket.MSG_PEEK != 0 {
		var info datagram // without its buffer, which another receive may take
		found := e.q.peek(off, func(d *datagram, at int) {
			n = fill(m, d, at)
			info = *d
			info.buf = nil
		})
		if !found {
			return 0, errno.EAGAIN
		}
		n = e.describe(m, &info, n, flags)
		if off >= 0 {
			e.is.MovePeekOff(n)
		}
		return n, nil
	}
	d := e.q.take()
	if d == nil {
		return 0, errno.EAGAIN
	}
	n = e.describe(m, d, fill(m, d, 0), flags)
	d.release()
	if off >= 0 {
		e.is.MovePeekOff(-n)
	}
	return n, nil
}

// fill copies what of d begins at off to m, and returns how much that is. As on
// Linux, room for just the rest of a longer datagram is MSG_TRUNC.
func fill(m *socket.Msghdr, d *datagram, off int) int {
	it := m.Iter()
	rest, room := d.payload()[off:], it.Len()
	n := min(room, len(rest))
	it.Write(rest[:n])
	if room <= len(rest) && room < d.n {
		m.Flags |= socket.MSG_TRUNC
	}
	return n
}

// describe tells where d came from and what else the Sock wants to know, and
// returns what the receive does, n bytes having been copied.
func (e *endpoint) describe(m *socket.Msghdr, d *datagram, n, flags int) int {
	m.Name, m.HasName = e.is.ToSockaddr(tcpip.FullAddress{Addr: d.src, Port: d.srcPort, NIC: d.nic}), true
	e.is.TellStamp(m, time.Unix(0, d.at))
	e.is.TellDrops(m, d.drops)
	if d.segment != 0 && e.u.gro.Load() {
		var b [socket.SizeofInt]byte
		socket.PutInt(b[:], int(d.segment))
		m.PutCmsg(socket.SOL_UDP, UDP_GRO, b[:])
	}
	if e.is.Tells() {
		e.tell(m, d)
	}
	if flags&socket.MSG_TRUNC != 0 {
		return d.n
	}
	return n
}

// tell stores the control messages of SOL_IP and SOL_IPV6.
func (e *endpoint) tell(m *socket.Msghdr, d *datagram) {
	cm := tcpip.ReceivableControlMessages{
		HasOriginalDstAddress: true,
		OriginalDstAddress:    tcpip.FullAddress{NIC: d.nic, Addr: d.dst, Port: d.dstPort},
	}
	if d.proto == header.IPv4ProtocolNumber {
		cm.HasTOS, cm.TOS = true, d.tos
		cm.HasTTL, cm.TTL = true, d.ttl
		cm.HasIPPacketInfo = true
		cm.PacketInfo = tcpip.IPPacketInfo{NIC: d.nic, LocalAddr: e.localOf(d), DestinationAddr: d.dst}
	} else {
		cm.HasTClass, cm.TClass = true, uint32(d.tos)
		cm.HasHopLimit, cm.HopLimit = true, d.ttl
		cm.HasIPv6PacketInfo = true
		cm.IPv6PacketInfo = tcpip.IPv6PacketInfo{NIC: d.nic, Addr: d.dst}
	}
	e.is.TellControl(m, &cm)
}

// localOf is the address by which the machine answers a datagram: the
// interface's where the destination is a group's (ipi_spec_dst).
func (e *endpoint) localOf(d *datagram) tcpip.Address {
	if !e.isGroup(d.nic, d.proto, d.dst) {
		return d.dst
	}
	a, terr := e.ip.GetMainNICAddress(d.nic, d.proto)
	if terr != nil {
		return d.dst
	}
	return a.Address
}
