package packet

import (
	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// ops is Linux's packet_ops; the rest are those of socket.NoOps.
type ops struct{ socket.NoOps }

// Ops are the operations of SOCK_RAW and SOCK_DGRAM, OpsSpkt those of the
// obsolete SOCK_PACKET.
var (
	Ops     socket.ProtoOps = &ops{}
	OpsSpkt socket.ProtoOps = &opsSpkt{}
)

// Family implements socket.ProtoOps.
func (*ops) Family() int { return socket.AF_PACKET }

// Release is Linux's packet_release.
func (*ops) Release(s *socket.Socket) error {
	s.Sk.Prot.Close(s.Sk, 0)
	return nil
}

// Bind is Linux's packet_bind.
func (*ops) Bind(s *socket.Socket, addr socket.Sockaddr) error {
	return s.Sk.Prot.GetPort(s.Sk, addr)
}

// GetName is Linux's packet_getname.
func (*ops) GetName(s *socket.Socket, which socket.NameOf) (socket.Sockaddr, error) {
	return s.Sk.Prot.GetName(s.Sk, which)
}

// Poll is Linux's packet_poll.
func (*ops) Poll(s *socket.Socket) socket.EventMask { return s.Sk.Prot.Poll(s.Sk) }

// Ioctl is Linux's packet_ioctl.
func (*ops) Ioctl(s *socket.Socket, cmd uint, arg any) error {
	return s.Sk.Prot.(socket.Ioctler).Ioctl(s.Sk, cmd, arg)
}

// SetSockOpt is Linux's packet_setsockopt.
func (*ops) SetSockOpt(s *socket.Socket, level, name int, val []byte) error {
	return s.Sk.Prot.SetSockOpt(s.Sk, level, name, val)
}

// GetSockOpt is Linux's packet_getsockopt.
func (*ops) GetSockOpt(s *socket.Socket, level, name int, val []byte) (int, error) {
	return s.Sk.Prot.GetSockOpt(s.Sk, level, name, val)
}

// SendMsg is Linux's packet_sendmsg.
func (*ops) SendMsg(s *socket.Socket, m *socket.Msghdr, flags int) (int, error) {
	return s.Sk.Prot.SendMsg(s.Sk, m, flags)
}

// RecvMsg is Linux's packet_recvmsg.
func (*ops) RecvMsg(s *socket.Socket, m *socket.Msghdr, flags int) (int, error) {
	return s.Sk.Prot.RecvMsg(s.Sk, m, flags)
}

// opsSpkt is Linux's packet_ops_spkt: bound by name, and without options.
type opsSpkt struct{ ops }

// Bind is Linux's packet_bind_spkt. EINVAL for another length than struct
// sockaddr's; ENODEV.
func (*opsSpkt) Bind(s *socket.Socket, addr socket.Sockaddr) error {
	if addr.Len != sizeofSockaddr {
		return errno.EINVAL
	}
	p := of(s.Sk)
	name := deviceOf(addr)
	ifindex := p.Net.InterfaceIndex(name)
	if ifindex == 0 {
		return errno.ENODEV
	}
	p.Lock()
	p.device = name
	num := p.num
	p.Unlock()
	return p.bind(int32(ifindex), num)
}

// SetSockOpt answers as Linux does for ops without setsockopt.
func (*opsSpkt) SetSockOpt(*socket.Socket, int, int, []byte) error { return errno.EOPNOTSUPP }

// GetSockOpt answers as Linux does for ops without getsockopt.
func (*opsSpkt) GetSockOpt(*socket.Socket, int, int, []byte) (int, error) {
	return 0, errno.EOPNOTSUPP
}
