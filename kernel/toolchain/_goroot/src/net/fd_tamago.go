// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago && !fakenet

package net

import (
	"context"
	"errors"
	"internal/strconv"
	"io"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// A netFD is what SocketFunc made.
type netFD struct {
	c        any
	conn     Conn       // c, or nil
	packet   PacketConn // c, or nil
	listener Listener   // c, or nil

	// immutable until Close
	family      int
	sotype      int
	isConnected bool
	net         string
	laddr       Addr
	raddr       Addr
}

var errNoSocketFunc = errors.New("there is no network: net.SocketFunc is not set")

func socket(ctx context.Context, net string, family, sotype, proto int, ipv6only bool, laddr, raddr sockaddr, ctrlCtxFn func(context.Context, string, string, syscall.RawConn) error) (*netFD, error) {
	if SocketFunc == nil {
		return nil, errNoSocketFunc
	}
	if ctrlCtxFn != nil {
		// It asks for a socket that does not do anything yet.
		return nil, os.NewSyscallError("control", syscall.ENOTSUP)
	}
	local, err := plainAddr(laddr, family)
	if err != nil {
		return nil, err
	}
	remote, err := plainAddr(raddr, family)
	if err != nil {
		return nil, err
	}
	network := net
	if sotype == syscall.SOCK_RAW {
		network += ":" + strconv.Itoa(proto)
	}
	c, err := SocketFunc(ctx, network, family, sotype, local, remote)
	if err != nil {
		return nil, mapErr(cause(err))
	}
	return newFD(c, &netFD{family: family, sotype: sotype, net: net, laddr: local, raddr: remote, isConnected: remote != nil})
}

// sysSocket is not called on this port.
func sysSocket(family, sotype, proto int) (int, error) { return -1, syscall.ENOSYS }

// plainAddr returns a, and nil for the nil pointers that this package uses.
func plainAddr(a sockaddr, family int) (Addr, error) {
	if a == nil {
		return nil, nil
	}
	if sa, err := a.sockaddr(family); sa == nil || err != nil {
		return nil, err
	}
	return a, nil
}

// newFD makes c the connection of fd.
func newFD(c any, fd *netFD) (*netFD, error) {
	fd.c = c
	fd.conn, _ = c.(Conn)
	fd.packet, _ = c.(PacketConn)
	fd.listener, _ = c.(Listener)
	var laddr, raddr Addr
	switch {
	case fd.conn != nil:
		laddr = fd.conn.LocalAddr()
		if fd.isConnected {
			raddr = fd.conn.RemoteAddr()
		}
	case fd.packet != nil:
		laddr = fd.packet.LocalAddr()
	case fd.listener != nil:
		laddr = fd.listener.Addr()
	default:
		return nil, errors.New("net.SocketFunc returned neither a Conn nor a PacketConn nor a Listener")
	}
	if fd.family != syscall.AF_UNIX && fd.sotype == syscall.SOCK_STREAM {
		// TCPConn and TCPListener promise the type.
		laddr, raddr = tcpAddr(laddr), tcpAddr(raddr)
	}
	if laddr != nil {
		fd.laddr = laddr
	}
	if raddr != nil {
		fd.raddr = raddr
	}
	return fd, nil
}

func tcpAddr(a Addr) Addr {
	if _, ok := a.(*TCPAddr); a != nil && !ok {
		return &TCPAddr{}
	}
	return a
}

// cause returns what this package will wrap in an OpError again.
func cause(err error) error {
	if e, ok := err.(*OpError); ok {
		return e.Err
	}
	return err
}

var errNotSupported = os.NewSyscallError("socket", syscall.ENOSYS)

func (fd *netFD) Read(p []byte) (n int, err error) {
	if fd.conn == nil {
		if fd.packet == nil {
			return 0, errNotSupported
		}
		n, _, err = fd.packet.ReadFrom(p)
		return n, cause(err)
	}
	n, err = fd.conn.Read(p)
	return n, cause(err)
}

func (fd *netFD) Write(p []byte) (n int, err error) {
	if fd.conn == nil {
		return 0, os.NewSyscallError("write", syscall.EDESTADDRREQ)
	}
	n, err = fd.conn.Write(p)
	return n, cause(err)
}

func (fd *netFD) Close() error {
	return cause(fd.c.(io.Closer).Close())
}

func (fd *netFD) accept() (*netFD, error) {
	if fd.listener == nil {
		return nil, errNotSupported
	}
	c, err := fd.listener.Accept()
	if err != nil {
		return nil, cause(err)
	}
	return newFD(c, &netFD{family: fd.family, sotype: fd.sotype, net: fd.net, isConnected: true})
}

func (fd *netFD) dup() (*os.File, error) { return nil, os.NewSyscallError("dup", syscall.ENOSYS) }

// Datagrams.

func (fd *netFD) readFrom(p []byte) (n int, sa syscall.Sockaddr, err error) {
	if fd.packet == nil {
		return 0, nil, errNotSupported
	}
	n, from, err := fd.packet.ReadFrom(p)
	if a, ok := from.(sockaddr); ok && err == nil {
		sa, err = a.sockaddr(fd.family)
	}
	return n, sa, cause(err)
}

func (fd *netFD) readFromAddrPort(p []byte) (n int, from netip.AddrPort, err error) {
	if c, ok := fd.c.(interface {
		ReadFromAddrPort([]byte) (int, netip.AddrPort, error)
	}); ok {
		n, from, err = c.ReadFromAddrPort(p)
		return n, from, cause(err)
	}
	if fd.packet == nil {
		return 0, from, errNotSupported
	}
	n, a, err := fd.packet.ReadFrom(p)
	if a, ok := a.(*UDPAddr); ok {
		from = a.AddrPort()
	}
	return n, from, cause(err)
}

func (fd *netFD) readFromInet4(p []byte, from *syscall.SockaddrInet4) (int, error) {
	n, a, err := fd.readFromAddrPort(p)
	if err == nil {
		*from, err = addrPortToSockaddrInet4(a)
	}
	return n, err
}

func (fd *netFD) readFromInet6(p []byte, from *syscall.SockaddrInet6) (int, error) {
	n, a, err := fd.readFromAddrPort(p)
	if err == nil {
		*from, err = addrPortToSockaddrInet6(a)
	}
	return n, err
}

func (fd *netFD) writeTo(p []byte, sa syscall.Sockaddr) (n int, err error) {
	if fd.packet == nil {
		return 0, errNotSupported
	}
	n, err = fd.packet.WriteTo(p, fd.addrFunc()(sa))
	return n, cause(err)
}

func (fd *netFD) writeToAddrPort(p []byte, to netip.AddrPort) (n int, err error) {
	if c, ok := fd.c.(interface {
		WriteToAddrPort([]byte, netip.AddrPort) (int, error)
	}); ok {
		n, err = c.WriteToAddrPort(p, to)
		return n, cause(err)
	}
	if fd.packet == nil {
		return 0, errNotSupported
	}
	n, err = fd.packet.WriteTo(p, UDPAddrFromAddrPort(to))
	return n, cause(err)
}

func (fd *netFD) writeToInet4(p []byte, sa *syscall.SockaddrInet4) (int, error) {
	return fd.writeToAddrPort(p, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)))
}

func (fd *netFD) writeToInet6(p []byte, sa *syscall.SockaddrInet6) (int, error) {
	ip := netip.AddrFrom16(sa.Addr).Unmap()
	if sa.ZoneId != 0 {
		ip = ip.WithZone(zoneCache.name(int(sa.ZoneId)))
	}
	return fd.writeToAddrPort(p, netip.AddrPortFrom(ip, uint16(sa.Port)))
}

// Messages are datagrams: there are no control messages, and asking for them
// gets none.

func (fd *netFD) readMsg(p, oob []byte, flags int) (n, oobn, retflags int, sa syscall.Sockaddr, err error) {
	n, sa, err = fd.readFrom(p)
	return
}

func (fd *netFD) readMsgInet4(p, oob []byte, flags int, sa *syscall.SockaddrInet4) (n, oobn, retflags int, err error) {
	n, err = fd.readFromInet4(p, sa)
	return
}

func (fd *netFD) readMsgInet6(p, oob []byte, flags int, sa *syscall.SockaddrInet6) (n, oobn, retflags int, err error) {
	n, err = fd.readFromInet6(p, sa)
	return
}

func (fd *netFD) writeMsg(p, oob []byte, sa syscall.Sockaddr) (n, oobn int, err error) {
	switch {
	case len(oob) > 0:
		err = errNotSupported
	case sa == nil:
		n, err = fd.Write(p)
	default:
		n, err = fd.writeTo(p, sa)
	}
	return
}

func (fd *netFD) writeMsgInet4(p, oob []byte, sa *syscall.SockaddrInet4) (n, oobn int, err error) {
	if sa == nil {
		return fd.writeMsg(p, oob, nil)
	}
	return fd.writeMsg(p, oob, sa)
}

func (fd *netFD) writeMsgInet6(p, oob []byte, sa *syscall.SockaddrInet6) (n, oobn int, err error) {
	if sa == nil {
		return fd.writeMsg(p, oob, nil)
	}
	return fd.writeMsg(p, oob, sa)
}

// What the connection may have or not.

func optional[C any](fd *netFD, call string, do func(C) error) error {
	if c, ok := fd.c.(C); ok {
		return cause(do(c))
	}
	return os.NewSyscallError(call, syscall.ENOSYS)
}

func (fd *netFD) closeRead() error {
	return optional(fd, "shutdown", func(c interface{ CloseRead() error }) error { return c.CloseRead() })
}

func (fd *netFD) closeWrite() error {
	return optional(fd, "shutdown", func(c interface{ CloseWrite() error }) error { return c.CloseWrite() })
}

func (fd *netFD) SetDeadline(t time.Time) error {
	if fd.conn != nil {
		return cause(fd.conn.SetDeadline(t))
	}
	return optional(fd, "deadline", func(c interface{ SetDeadline(time.Time) error }) error { return c.SetDeadline(t) })
}

func (fd *netFD) SetReadDeadline(t time.Time) error {
	if fd.conn != nil {
		return cause(fd.conn.SetReadDeadline(t))
	}
	return optional(fd, "deadline", func(c interface{ SetReadDeadline(time.Time) error }) error { return c.SetReadDeadline(t) })
}

func (fd *netFD) SetWriteDeadline(t time.Time) error {
	if fd.conn != nil {
		return cause(fd.conn.SetWriteDeadline(t))
	}
	return optional(fd, "deadline", func(c interface{ SetWriteDeadline(time.Time) error }) error { return c.SetWriteDeadline(t) })
}

func setReadBuffer(fd *netFD, bytes int) error {
	return optional(fd, "setsockopt", func(c interface{ SetReadBuffer(int) error }) error { return c.SetReadBuffer(bytes) })
}

func setWriteBuffer(fd *netFD, bytes int) error {
	return optional(fd, "setsockopt", func(c interface{ SetWriteBuffer(int) error }) error { return c.SetWriteBuffer(bytes) })
}

func setLinger(fd *netFD, sec int) error {
	return optional(fd, "setsockopt", func(c interface{ SetLinger(int) error }) error { return c.SetLinger(sec) })
}

func setNoDelay(fd *netFD, noDelay bool) error {
	return optional(fd, "setsockopt", func(c interface{ SetNoDelay(bool) error }) error { return c.SetNoDelay(noDelay) })
}

func setKeepAlive(fd *netFD, keepalive bool) error {
	if c, ok := fd.c.(interface{ SetKeepAlive(bool) error }); ok {
		return cause(c.SetKeepAlive(keepalive))
	}
	return setKeepAliveConfig(fd, KeepAliveConfig{Enable: keepalive, Idle: -1, Interval: -1, Count: -1})
}

func setKeepAliveIdle(fd *netFD, d time.Duration) error {
	return setKeepAliveConfig(fd, KeepAliveConfig{Enable: true, Idle: d, Interval: -1, Count: -1})
}

func setKeepAliveConfig(fd *netFD, config KeepAliveConfig) error {
	return optional(fd, "setsockopt", func(c interface{ SetKeepAliveConfig(KeepAliveConfig) error }) error {
		return c.SetKeepAliveConfig(config)
	})
}

// SetKeepAliveConfig configures keep-alive messages sent by the operating system.
func (c *TCPConn) SetKeepAliveConfig(config KeepAliveConfig) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	if err := setKeepAliveConfig(c.fd, config); err != nil {
		return &OpError{Op: "set", Net: c.fd.net, Source: c.fd.laddr, Addr: c.fd.raddr, Err: err}
	}
	return nil
}

// A rawConn is the connection's own, or ENOSYS.
type rawConn struct{ fd *netFD }

func newRawConn(fd *netFD) *rawConn     { return &rawConn{fd} }
func newRawListener(fd *netFD) *rawConn { return &rawConn{fd} }

func (c *rawConn) ok() bool { return c != nil && c.fd != nil }

func (c *rawConn) do(op string, do func(syscall.RawConn) error) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	err := optional(c.fd, "syscallconn", func(s syscall.Conn) error {
		raw, err := s.SyscallConn()
		if err != nil {
			return err
		}
		return do(raw)
	})
	if err != nil {
		err = &OpError{Op: op, Net: c.fd.net, Source: c.fd.laddr, Addr: c.fd.raddr, Err: err}
	}
	return err
}

func (c *rawConn) Control(f func(uintptr)) error {
	return c.do("raw-control", func(r syscall.RawConn) error { return r.Control(f) })
}

func (c *rawConn) Read(f func(uintptr) bool) error {
	return c.do("raw-read", func(r syscall.RawConn) error { return r.Read(f) })
}

func (c *rawConn) Write(f func(uintptr) bool) error {
	return c.do("raw-write", func(r syscall.RawConn) error { return r.Write(f) })
}
