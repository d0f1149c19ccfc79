package socket

import (
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
)

// EventMask is a set of POLL* events.
type EventMask = waiter.EventMask

// ProtoOps is what a family does for a type of socket: Linux's struct
// proto_ops. One value serves all sockets of that type and must not hold
// their state. A family embeds [NoOps] for what it does not do.
//
// Where Linux passes file flags, flags holds O_NONBLOCK or not; in SendMsg
// and RecvMsg flags holds MSG_* and MSG_DONTWAIT says not to block. Methods
// take the Sock lock themselves.
//
// Linux's other entries are small interfaces here, or have no place: package
// families has the whole table.
type ProtoOps interface {
	// Family returns the family's number.
	Family() int
	// Release ends the socket: no call is inside and none follows. It may
	// block for SO_LINGER. (inet_release)
	Release(s *Socket) error
	// Bind gives the socket its local address. (inet_bind)
	Bind(s *Socket, addr Sockaddr) error
	// Connect connects a stream, or sets a datagram socket's peer; an
	// address of AF_UNSPEC dissolves either. (inet_stream_connect)
	Connect(s *Socket, addr Sockaddr, flags int) error
	// SocketPair connects two fresh sockets with each other.
	SocketPair(s1, s2 *Socket) error
	// Accept moves a waiting connection of s into newsock, which has s's
	// type and ops and no Sock. (inet_accept)
	Accept(s, newsock *Socket, flags int) error
	// GetName returns the local address, or the peer's: PeerName fails with
	// ENOTCONN unless connected, AcceptName takes a peer that has gone.
	GetName(s *Socket, which NameOf) (Sockaddr, error)
	// Poll returns all events that are there. (tcp_poll)
	Poll(s *Socket) EventMask
	// Ioctl does cmd, or returns ENOTTY for one it does not know. (inet_ioctl)
	Ioctl(s *Socket, cmd uint, arg any) error
	// Listen makes s a listener, or changes its backlog. (inet_listen)
	Listen(s *Socket, backlog int) error
	// Shutdown ends one direction or both; how is SHUT_*. (inet_shutdown)
	Shutdown(s *Socket, how int) error
	// SetSockOpt sets an option of a level other than SOL_SOCKET. val is the
	// caller's and not kept. (sock_common_setsockopt)
	SetSockOpt(s *Socket, level, name int, val []byte) error
	// GetSockOpt writes the option's value to val, cut to its length, and
	// returns the length written. (sock_common_getsockopt)
	GetSockOpt(s *Socket, level, name int, val []byte) (int, error)
	// SendMsg sends m and returns the number of bytes taken. (inet_sendmsg)
	SendMsg(s *Socket, m *Msghdr, flags int) (int, error)
	// RecvMsg receives into m and returns the number of bytes; for a
	// datagram with MSG_TRUNC in flags, its real length. (inet_recvmsg)
	RecvMsg(s *Socket, m *Msghdr, flags int) (int, error)
}

// NameOf says which address GetName is asked for.
type NameOf int

// The names of a socket. Linux passes 0, 1 and 2.
const (
	LocalName NameOf = iota
	PeerName
	AcceptName
)

// NoOps gives Linux's sock_no_* answers (net/core/sock.c). A family's ops
// embed it and override what they do; Family and Release they must.
type NoOps struct{}

// Bind is Linux's sock_no_bind: EOPNOTSUPP.
func (NoOps) Bind(*Socket, Sockaddr) error { return errno.EOPNOTSUPP }

// Connect is Linux's sock_no_connect: EOPNOTSUPP.
func (NoOps) Connect(*Socket, Sockaddr, int) error { return errno.EOPNOTSUPP }

// SocketPair is Linux's sock_no_socketpair: EOPNOTSUPP.
func (NoOps) SocketPair(*Socket, *Socket) error { return errno.EOPNOTSUPP }

// Accept is Linux's sock_no_accept: EOPNOTSUPP.
func (NoOps) Accept(*Socket, *Socket, int) error { return errno.EOPNOTSUPP }

// GetName is Linux's sock_no_getname: EOPNOTSUPP.
func (NoOps) GetName(*Socket, NameOf) (Sockaddr, error) { return Sockaddr{}, errno.EOPNOTSUPP }

// Poll reports nothing, as Linux does for ops without a poll.
func (NoOps) Poll(*Socket) EventMask { return 0 }

// Ioctl is Linux's sock_no_ioctl: EOPNOTSUPP.
func (NoOps) Ioctl(*Socket, uint, any) error { return errno.EOPNOTSUPP }

// Listen is Linux's sock_no_listen: EOPNOTSUPP.
func (NoOps) Listen(*Socket, int) error { return errno.EOPNOTSUPP }

// Shutdown is Linux's sock_no_shutdown: EOPNOTSUPP.
func (NoOps) Shutdown(*Socket, int) error { return errno.EOPNOTSUPP }

// SetSockOpt answers as Linux does for ops without setsockopt: EOPNOTSUPP.
func (NoOps) SetSockOpt(*Socket, int, int, []byte) error { return errno.EOPNOTSUPP }

// GetSockOpt answers as Linux does for ops without getsockopt: EOPNOTSUPP.
func (NoOps) GetSockOpt(*Socket, int, int, []byte) (int, error) { return 0, errno.EOPNOTSUPP }

// SendMsg is Linux's sock_no_sendmsg: EOPNOTSUPP.
func (NoOps) SendMsg(*Socket, *Msghdr, int) (int, error) { return 0, errno.EOPNOTSUPP }

// RecvMsg is Linux's sock_no_recvmsg: EOPNOTSUPP.
func (NoOps) RecvMsg(*Socket, *Msghdr, int) (int, error) { return 0, errno.EOPNOTSUPP }
