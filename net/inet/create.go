package inet

import (
	"fmt"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// Register registers AF_INET with the entries of table as its switch (Linux
// inet_init and inetsw_array). The entries are the table's own.
func Register(table []*ProtoSW) error { return inetsw.init("AF_INET", table) }

// Register6 is [Register] for AF_INET6 (Linux inet6_init).
func Register6(table []*ProtoSW) error { return inetsw6.init("AF_INET6", table) }

// Unregister removes AF_INET and its whole switch. EBUSY while sockets of it
// are open.
func Unregister() error { return inetsw.exit() }

// Unregister6 is [Unregister] for AF_INET6.
func Unregister6() error { return inetsw6.exit() }

func (sw *protoSwitch) init(name string, table []*ProtoSW) error {
	if err := socket.Register(&socket.Family{Number: sw.family, Name: name, Create: sw.create, Protos: sw.protos}); err != nil {
		return err
	}
	for _, p := range table {
		if err := sw.register(p); err != nil {
			sw.exit()
			return err
		}
	}
	return nil
}

func (sw *protoSwitch) exit() error {
	if err := socket.Unregister(sw.family); err != nil {
		return err
	}
	sw.mu.Lock()
	clear(sw.entries[:])
	sw.mu.Unlock()
	return nil
}

// create is Linux's inet_create and inet6_create. The errors, in the order of
// the checks: EINVAL for a protocol outside the table; ESOCKTNOSUPPORT or
// EPROTONOSUPPORT when the switch has no entry and the loader brings none;
// EPERM for SOCK_RAW without CAP_NET_RAW; the protocol's own.
func (sw *protoSwitch) create(s *socket.Socket, protocol int, kern bool) error {
	if protocol < 0 || protocol >= socket.IPPROTO_MAX {
		return errno.EINVAL
	}
	entry, protocol, err := sw.find(s.Type, protocol)
	if err != nil {
		return err
	}
	if s.Type == socket.SOCK_RAW && !kern && !s.Task.Capable(socket.CAP_NET_RAW) {
		sw.put(entry)
		return errno.EPERM
	}
	is := &Sock{sw: sw, entry: entry}
	is.init(s, protocol)
	if err := entry.Prot.Init(&is.Sock); err != nil {
		sw.put(entry)
		return err
	}
	s.Ops, s.Sk = entry.Ops, &is.Sock
	return nil
}

// find is lookup with the loader asked on a miss, first by protocol and type,
// then by protocol.
func (sw *protoSwitch) find(typ, protocol int) (*ProtoSW, int, error) {
	entry, resolved, err := sw.lookup(typ, protocol)
	if err == nil {
		return entry, resolved, nil
	}
	for _, name := range [...]string{
		fmt.Sprintf("net-pf-%d-proto-%d-type-%d", sw.family, protocol, typ),
		fmt.Sprintf("net-pf-%d-proto-%d", sw.family, protocol),
	} {
		if !socket.RequestModule(name) {
			break
		}
		if entry, resolved, err = sw.lookup(typ, protocol); err == nil {
			return entry, resolved, nil
		}
	}
	return nil, 0, err
}
