package inet

import (
	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// commonOps are the operations that all inet sockets share; the rest are
// those of socket.NoOps.
type commonOps struct {
	socket.NoOps
	family int
}

// Family implements socket.ProtoOps.
func (o *commonOps) Family() int { return o.family }

// Release is Linux's inet_release.
func (*commonOps) Release(s *socket.Socket) error {
	sk := s.Sk
	linger := sk.Linger()
	if !sk.Flag(socket.FlagLinger) {
		linger = 0
	}
	sk.Prot.Close(sk, linger)
	Of(sk).leaveGroups()
	Of(sk).releaseEntry()
	return nil
}

// Bind is Linux's inet_bind.
func (*commonOps) Bind(s *socket.Socket, addr socket.Sockaddr) error { return bind(s, addr) }

// GetName is Linux's inet_getname.
func (*commonOps) GetName(s *socket.Socket, which socket.NameOf) (socket.Sockaddr, error) {
	return s.Sk.Prot.GetName(s.Sk, which)
}

// Poll is Linux's tcp_poll and udp_poll.
func (*commonOps) Poll(s *socket.Socket) socket.EventMask { return s.Sk.Prot.Poll(s.Sk) }

// Shutdown is Linux's inet_shutdown.
func (*commonOps) Shutdown(s *socket.Socket, how int) error {
	if how < socket.SHUT_RD || how > socket.SHUT_RDWR {
		return errno.EINVAL
	}
	how++ // SHUT_* become RCV_SHUTDOWN and SEND_SHUTDOWN
	sk := s.Sk
	sk.Lock()
	err := shutdownLocked(s, how)
	sk.Unlock()
	// Whoever waits must look again, even when not connected.
	sk.Wake()
	return err
}

func shutdownLocked(s *socket.Socket, how int) error {
	sk := s.Sk
	state := sk.Prot.State(sk)
	if s.State == socket.SS_CONNECTING {
		s.State = socket.SS_CONNECTED
		if state.In(socket.TCP_SYN_SENT, socket.TCP_SYN_RECV, socket.TCP_CLOSE) {
			s.State = socket.SS_DISCONNECTING
		}
	}
	listening := state == socket.TCP_LISTEN
	if state == socket.TCP_SYN_SENT || listening && how&socket.RCV_SHUTDOWN != 0 {
		err := sk.Prot.Disconnect(sk)
		s.State = socket.SS_UNCONNECTED
		if err != nil {
			s.State = socket.SS_DISCONNECTING
		}
		return err
	}
	if listening {
		return nil
	}
	sk.AddShutdown(how)
	sk.Prot.Shutdown(sk, how)
	if state == socket.TCP_CLOSE {
		return errno.ENOTCONN
	}
	return nil
}

// SetSockOpt is Linux's sock_common_setsockopt.
func (*commonOps) SetSockOpt(s *socket.Socket, level, name int, val []byte) error {
	return s.Sk.Prot.SetSockOpt(s.Sk, level, name, val)
}

// GetSockOpt is Linux's sock_common_getsockopt.
func (*commonOps) GetSockOpt(s *socket.Socket, level, name int, val []byte) (int, error) {
	return s.Sk.Prot.GetSockOpt(s.Sk, level, name, val)
}

// SendMsg is Linux's inet_sendmsg; the protocol binds by itself.
func (*commonOps) SendMsg(s *socket.Socket, m *socket.Msghdr, flags int) (int, error) {
	return s.Sk.Prot.SendMsg(s.Sk, m, flags)
}

// RecvMsg is Linux's inet_recvmsg.
func (*commonOps) RecvMsg(s *socket.Socket, m *socket.Msghdr, flags int) (int, error) {
	return s.Sk.Prot.RecvMsg(s.Sk, m, flags)
}

// dgramOps is Linux's inet_dgram_ops and inet6_dgram_ops.
type dgramOps struct{ commonOps }

// DgramOps and DgramOps6 are the operations of SOCK_DGRAM.
var (
	DgramOps  socket.ProtoOps = &dgramOps{commonOps{family: socket.AF_INET}}
	DgramOps6 socket.ProtoOps = &dgramOps{commonOps{family: socket.AF_INET6}}
)

// Connect is Linux's inet_dgram_connect.
func (*dgramOps) Connect(s *socket.Socket, addr socket.Sockaddr, flags int) error {
	if addr.Len < sizeofFamily {
		return errno.EINVAL
	}
	sk := s.Sk
	sk.Lock()
	defer sk.Unlock()
	if addr.Family == socket.AF_UNSPEC {
		return sk.Prot.Disconnect(sk)
	}
	return sk.Prot.Connect(sk, addr)
}

// sizeofFamily is what an address needs at least: its family.
const sizeofFamily = 2
