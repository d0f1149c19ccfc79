// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package net

import (
	"context"
	"slices"
	"syscall"
)

// SocketFunc makes the connections of this package. It exists on GOOS=tamago
// only, and must be set before the package is used: there is no network
// otherwise.
//
// With raddr it dials, without it listens, as [Dial], [Listen] and
// [ListenPacket] would for the network net ("tcp", "udp4", "unix", …; a raw
// one has its protocol's number: "ip4:1"). family and sotype are constants of
// package syscall. AF_INET6 with an unspecified local address and a network
// that does not end in 6 means IPv4 too. laddr and raddr are nil when there is
// none, otherwise of the network's type. When ctx is done, dialing ends.
//
// The result is a [Conn], a [Listener], or for datagrams a [PacketConn], which
// should be a Conn as well. Its errors may be of type [*OpError]. Methods like
// those of [TCPConn] and [UDPConn] are used when it has them, and are not
// supported otherwise:
//
//	CloseRead() error
//	CloseWrite() error
//	SetNoDelay(bool) error
//	SetKeepAlive(bool) error
//	SetKeepAliveConfig(KeepAliveConfig) error
//	SetLinger(int) error
//	SetReadBuffer(int) error
//	SetWriteBuffer(int) error
//	SyscallConn() (syscall.RawConn, error)
//	ReadFromAddrPort([]byte) (int, netip.AddrPort, error) // without it, ReadFrom
//	WriteToAddrPort([]byte, netip.AddrPort) (int, error)  // without it, WriteTo
var SocketFunc func(ctx context.Context, net string, family, sotype int, laddr, raddr Addr) (interface{}, error)

// SetDefaultNS sets the name servers, each as "host:port", that are asked as
// long as there is no file /etc/resolv.conf. It exists on GOOS=tamago only.
func SetDefaultNS(servers []string) {
	resolvConf.initOnce.Do(resolvConf.init)
	defaultNS = slices.Clone(servers)
	resolvConf.dnsConfig.Store(dnsReadConfig("/etc/resolv.conf"))
}

// concurrentThreadsLimit does not limit look-ups: they do not take threads.
func concurrentThreadsLimit() int { return 500 }

func interfaceTable(ifindex int) ([]Interface, error)            { return nil, syscall.ENOSYS }
func interfaceAddrTable(ifi *Interface) ([]Addr, error)          { return nil, syscall.ENOSYS }
func interfaceMulticastAddrTable(ifi *Interface) ([]Addr, error) { return nil, syscall.ENOSYS }
