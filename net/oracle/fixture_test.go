//go:build linux

package oracle

import (
	"encoding/binary"
	"net/netip"

	"github.com/tamanet/tamanet/net/socket"
)

// Shorthands that keep the scenarios readable.
const (
	inet4  = socket.AF_INET
	inet6  = socket.AF_INET6
	stream = socket.SOCK_STREAM
	dgram  = socket.SOCK_DGRAM
)

// lo is the loopback address of a family.
func lo(family int, port uint16) socket.Sockaddr {
	if family == inet6 {
		return at("::1", port)
	}
	return at("127.0.0.1", port)
}

// wildcard is the unspecified address of a family.
func wildcard(family int, port uint16) socket.Sockaddr {
	if family == inet6 {
		return at("::", port)
	}
	return at("0.0.0.0", port)
}

func at(ip string, port uint16) socket.Sockaddr {
	return socket.SockaddrFrom(netip.AddrPortFrom(netip.MustParseAddr(ip), port))
}

// unspec is the address that dissolves a connection.
var unspec = socket.Sockaddr{Family: socket.AF_UNSPEC, Len: socket.SizeofSockaddrIn}

// cut shortens an address to n bytes.
func cut(a socket.Sockaddr, n uint16) socket.Sockaddr {
	a.Len = n
	return a
}

// familyName names a family in a scenario's name.
func familyName(family int) string {
	if family == inet6 {
		return "inet6"
	}
	return "inet"
}

// both makes a scenario for each of the two inet families.
func both(name string, f func(r *run, family int)) []scenario {
	var list []scenario
	for _, family := range []int{inet4, inet6} {
		list = append(list, scenario{name + "/" + familyName(family), func(r *run) { f(r, family) }})
	}
	return list
}

// bound makes a socket on a port of the loopback address that the system
// chose.
func (r *run) bound(family, typ int) (int, socket.Sockaddr) {
	fd := r.open(family, typ)
	must(r, 0, r.bind(fd, lo(family, 0)))
	a, err := r.getsockname(fd)
	return fd, must(r, a, err)
}

// listener makes a listening socket.
func (r *run) listener(family int) (int, socket.Sockaddr) {
	fd, a := r.bound(family, stream)
	must(r, 0, r.listen(fd, 8))
	return fd, a
}

// connected makes both ends of a connection, and the listener.
func (r *run) connected(family int) (client, server, listener int) {
	listener, a := r.listener(family)
	client = r.open(family, stream)
	must(r, 0, r.connect(client, a))
	r.await(listener, socket.POLLIN)
	server, _, err := r.accept4(listener, 0)
	must(r, server, err)
	r.own(server)
	return client, server, listener
}

// peers makes two UDP sockets that are connected to each other.
func (r *run) peers(family int) (a, b int) {
	a, addrA := r.bound(family, dgram)
	b, addrB := r.bound(family, dgram)
	must(r, 0, r.connect(a, addrB))
	must(r, 0, r.connect(b, addrA))
	return a, b
}

// freePort returns a loopback port that nothing listens on.
func (r *run) freePort(family, typ int) socket.Sockaddr {
	fd, a := r.bound(family, typ)
	must(r, 0, r.close(fd))
	r.disown(fd)
	return a
}

// linger is C's struct linger.
func linger(on, seconds uint32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, on)
	return binary.NativeEndian.AppendUint32(b, seconds)
}

// timeval is C's struct timeval on a 64-bit machine.
func timeval(sec, usec int64) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(sec))
	return binary.NativeEndian.AppendUint64(b, uint64(usec))
}

// receiveTimeout bounds blocking receives and accepts of fd.
func (r *run) receiveTimeout(fd int, millis int64) {
	must(r, 0, r.setsockopt(fd, socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(millis/1000, millis%1000*1000)))
}

// reset ends a connection so that the peer gets a reset, and waits until it
// has.
func (r *run) reset(fd, peer int) {
	must(r, 0, r.setsockopt(fd, socket.SOL_SOCKET, socket.SO_LINGER, linger(1, 0)))
	must(r, 0, r.close(fd))
	r.disown(fd)
	r.await(peer, socket.POLLHUP)
}
