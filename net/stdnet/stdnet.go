// Package stdnet puts Go's package net on tamanet's sockets: net.Dial,
// net.Listen and everything built on them.
//
// On GOOS=tamago package net makes its connections by the variable
// net.SocketFunc. [Setup] brings the address families up, and [SocketFunc] is
// what that variable is set to. The connections are made and used by package
// socket's calls, through the same tables as any other socket's: families,
// inetsw, ProtoOps, Proto.
//
// Connections may be used by several goroutines at once, as net.Conn asks.
// Closing one ends the calls inside it with net.ErrClosed; deadlines end them
// with os.ErrDeadlineExceeded. A steady stream of reads and writes does not
// allocate here.
package stdnet

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/families"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// A Network makes net's connections in one network stack.
type Network struct {
	task *socket.Task
}

// New returns a Network for st. The address families must be registered, by
// [Setup] or package families.
func New(st *netdev.Stack) *Network {
	return &Network{task: socket.NewTask(st)}
}

var current atomic.Pointer[Network]

// Setup makes st the machine's network: it registers the address families
// that are not there yet, and makes st the one of [netdev.Default] and of
// [SocketFunc]. On GOOS=tamago the caller then sets net.SocketFunc.
func Setup(st *netdev.Stack) error {
	if err := families.Register(); err != nil {
		return err
	}
	netdev.SetDefault(st)
	current.Store(New(st))
	return nil
}

// SocketFunc is [Network.SocketFunc] of the network that [Setup] was given,
// and has the type of net.SocketFunc. Before Setup it fails with ENETDOWN.
func SocketFunc(ctx context.Context, network string, family, sotype int, laddr, raddr net.Addr) (any, error) {
	n := current.Load()
	if n == nil {
		return nil, syscallError("socket", errno.ENETDOWN)
	}
	return n.SocketFunc(ctx, network, family, sotype, laddr, raddr)
}

// SocketFunc makes a connection, a listener or a packet connection, as
// package net's internal socket function does: sotype SOCK_STREAM with raddr
// dials and returns a *TCPConn, without raddr listens and returns a
// *TCPListener; SOCK_DGRAM returns a *UDPConn. family and sotype are package
// syscall's, whose numbers are not Linux's everywhere. laddr and raddr may be
// nil. A dial ends early when ctx does. The error is an os.SyscallError of
// the call that failed, a net.AddrError or the context's; package net wraps
// it in its OpError.
func (n *Network) SocketFunc(ctx context.Context, network string, family, sotype int, laddr, raddr net.Addr) (any, error) {
	typ, err := sockType(sotype)
	if err != nil {
		return nil, err
	}
	local, hasLocal, err := n.sockaddr(family, laddr)
	if err != nil {
		return nil, err
	}
	remote, hasRemote, err := n.sockaddr(family, raddr)
	if err != nil {
		return nil, err
	}
	d := dialer{network: network, typ: typ, family: sockFamily(family, local, hasLocal, remote, hasRemote)}
	if hasLocal {
		d.local = d.fit(local)
	}
	if hasRemote {
		d.remote = d.fit(remote)
	}
	s, err := n.task.Create(d.family, typ, 0, false)
	if err != nil {
		return nil, syscallError("socket", err)
	}
	c, err := d.open(ctx, s)
	if err != nil {
		s.Release()
		return nil, err
	}
	return c, nil
}

func sockType(sotype int) (int, error) {
	switch sotype {
	case syscall.SOCK_STREAM:
		return socket.SOCK_STREAM, nil
	case syscall.SOCK_DGRAM:
		return socket.SOCK_DGRAM, nil
	case syscall.SOCK_RAW:
		return socket.SOCK_RAW, nil
	case syscall.SOCK_SEQPACKET:
		return socket.SOCK_SEQPACKET, nil
	}
	return 0, syscallError("socket", errno.EINVAL)
}

// sockFamily translates syscall's family; for any other number the addresses
// decide.
func sockFamily(family int, local socket.Sockaddr, hasLocal bool, remote socket.Sockaddr, hasRemote bool) int {
	switch family {
	case syscall.AF_INET:
		return socket.AF_INET
	case syscall.AF_INET6:
		return socket.AF_INET6
	}
	if hasLocal && local.Family == socket.AF_INET6 || hasRemote && remote.Family == socket.AF_INET6 {
		return socket.AF_INET6
	}
	return socket.AF_INET
}

// A dialer holds what SocketFunc was asked for, in Linux's terms.
type dialer struct {
	network       string
	family, typ   int
	local, remote socket.Sockaddr // the zero Sockaddr is none
}

// fit maps an IPv4 address for an AF_INET6 socket.
func (d *dialer) fit(a socket.Sockaddr) socket.Sockaddr {
	if d.family != socket.AF_INET6 || a.Family != socket.AF_INET {
		return a
	}
	ip := a.Addr
	a = socket.SockaddrInet6([16]byte{}, a.Port, 0)
	if [4]byte(ip[:4]) != [4]byte{} {
		a.Addr[10], a.Addr[11] = 0xff, 0xff
		copy(a.Addr[12:], ip[:4])
	}
	return a
}

// open makes of a fresh socket what was asked for.
func (d *dialer) open(ctx context.Context, s *socket.Socket) (any, error) {
	if err := d.setDefaults(s); err != nil {
		return nil, err
	}
	if d.typ == socket.SOCK_DGRAM {
		return d.openUDP(ctx, s)
	}
	if d.remote.Len == 0 {
		return d.listenTCP(s)
	}
	return d.dialTCP(ctx, s)
}

// setDefaults sets the options that package net sets on Linux
// (sockopt_linux.go).
func (d *dialer) setDefaults(s *socket.Socket) error {
	if d.family == socket.AF_INET6 {
		only := socket.BoolInt(strings.HasSuffix(d.network, "6"))
		if err := s.SetSockOptInt(socket.SOL_IPV6, ipv6V6Only, only); err != nil {
			return syscallError("setsockopt", err)
		}
	}
	return syscallError("setsockopt", s.SetSockOptInt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1))
}

// bind binds to the local address, or if always is set to any.
func (d *dialer) bind(s *socket.Socket, always bool) error {
	addr := d.local
	if addr.Len == 0 {
		if !always {
			return nil
		}
		addr = d.fit(socket.SockaddrInet4([4]byte{}, 0))
	}
	return syscallError("bind", s.Bind(addr))
}

var errMissingAddress = errors.New("missing address")
