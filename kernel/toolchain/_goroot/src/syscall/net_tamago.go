// Copyright 2026 The tamanet Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build tamago

package syscall

// A Sockaddr is a *[SockaddrInet4], *[SockaddrInet6] or *[SockaddrUnix].
type Sockaddr any

type SockaddrInet4 struct {
	Port int
	Addr [4]byte
}

type SockaddrInet6 struct {
	Port   int
	ZoneId uint32
	Addr   [16]byte
}

type SockaddrUnix struct {
	Name string
}

// Package net reaches the network by its SocketFunc, so there are no sockets
// among the descriptors yet.

func Socket(domain, typ, proto int) (fd int, err error)       { return -1, ENOSYS }
func Bind(fd int, sa Sockaddr) error                          { return ENOSYS }
func Listen(fd int, backlog int) error                        { return ENOSYS }
func Accept(fd int) (nfd int, sa Sockaddr, err error)         { return -1, nil, ENOSYS }
func Connect(fd int, sa Sockaddr) error                       { return ENOSYS }
func Getsockname(fd int) (sa Sockaddr, err error)             { return nil, ENOSYS }
func Getpeername(fd int) (sa Sockaddr, err error)             { return nil, ENOSYS }
func Sendto(fd int, p []byte, flags int, to Sockaddr) error   { return ENOSYS }
func Shutdown(fd int, how int) error                          { return ENOSYS }
func GetsockoptInt(fd, level, opt int) (value int, err error) { return -1, ENOSYS }
func SetsockoptInt(fd, level, opt int, value int) error       { return ENOSYS }

func Recvfrom(fd int, p []byte, flags int) (n int, from Sockaddr, err error) {
	return -1, nil, ENOSYS
}

func Recvmsg(fd int, p, oob []byte, flags int) (n, oobn, recvflags int, from Sockaddr, err error) {
	return -1, 0, 0, nil, ENOSYS
}

func SendmsgN(fd int, p, oob []byte, to Sockaddr, flags int) (n int, err error) {
	return -1, ENOSYS
}
