// Package inet is the address families AF_INET and AF_INET6: Linux's
// net/ipv4/af_inet.c and net/ipv6/af_inet6.c.
//
// It makes sockets by the switch inetsw, from (type, protocol) to the
// protocol and to the socket operations [StreamOps] and [DgramOps], and it
// holds what TCP, UDP, ping and raw have in common: [Sock], the checks of
// bind and connect, and the options of level SOL_IP and SOL_IPV6. The
// protocols are packages of their own and are put into the switch when the
// families are registered, in package families.
package inet

import (
	"fmt"
	"sync"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/socket"
)

// A ProtoSW is an entry of the switch: Linux's struct inet_protosw.
type ProtoSW struct {
	Type     int // SOCK_*
	Protocol int // IPPROTO_*; IPPROTO_IP is a wildcard that takes any
	Prot     socket.Proto
	Ops      socket.ProtoOps
	Flags    ProtoSWFlags

	// users counts the open sockets made by this entry.
	users int
}

// ProtoSWFlags are the INET_PROTOSW_* flags (include/net/protocol.h).
type ProtoSWFlags uint8

// The flags of a ProtoSW.
const (
	// INET_PROTOSW_REUSE turns SO_REUSEADDR on from the start.
	INET_PROTOSW_REUSE ProtoSWFlags = 1 << iota
	// INET_PROTOSW_PERMANENT keeps the entry from being overridden or removed.
	INET_PROTOSW_PERMANENT
	// INET_PROTOSW_ICSK marks a protocol with connections.
	INET_PROTOSW_ICSK
)

// A protoSwitch is Linux's inetsw: the entries of each type, permanent ones
// first.
type protoSwitch struct {
	family int

	mu      sync.Mutex
	entries [socket.SOCK_MAX][]*ProtoSW
}

var (
	inetsw  = &protoSwitch{family: socket.AF_INET}
	inetsw6 = &protoSwitch{family: socket.AF_INET6}
)

// RegisterProtosw adds p to AF_INET's switch (Linux inet_register_protosw).
// It comes before the entries that are not permanent and so overrides those
// of its type and protocol until it is removed; sockets that are open keep
// what they have. The errors are EINVAL for a type outside the table and
// EPERM for overriding a permanent entry.
func RegisterProtosw(p *ProtoSW) error { return inetsw.register(p) }

// RegisterProtosw6 is [RegisterProtosw] for AF_INET6.
func RegisterProtosw6(p *ProtoSW) error { return inetsw6.register(p) }

// UnregisterProtosw removes p from AF_INET's switch. The errors are EPERM for
// a permanent entry, EBUSY while sockets made by it are open, and ENOENT.
func UnregisterProtosw(p *ProtoSW) error { return inetsw.unregister(p) }

// UnregisterProtosw6 is [UnregisterProtosw] for AF_INET6.
func UnregisterProtosw6(p *ProtoSW) error { return inetsw6.unregister(p) }

func (sw *protoSwitch) register(p *ProtoSW) error {
	if p.Type < 0 || p.Type >= socket.SOCK_MAX {
		return sw.refused("register", p, errno.EINVAL)
	}
	sw.mu.Lock()
	defer sw.mu.Unlock()
	list := sw.entries[p.Type]
	at := 0
	for ; at < len(list) && list[at].Flags&INET_PROTOSW_PERMANENT != 0; at++ {
		if list[at].Protocol == p.Protocol {
			return sw.refused("override permanent", p, errno.EPERM)
		}
	}
	fresh := append(append(append([]*ProtoSW{}, list[:at]...), p), list[at:]...)
	sw.entries[p.Type] = fresh
	return nil
}

func (sw *protoSwitch) unregister(p *ProtoSW) error {
	if p.Flags&INET_PROTOSW_PERMANENT != 0 {
		return sw.refused("unregister permanent", p, errno.EPERM)
	}
	if p.Type < 0 || p.Type >= socket.SOCK_MAX {
		return sw.refused("unregister", p, errno.ENOENT)
	}
	sw.mu.Lock()
	defer sw.mu.Unlock()
	list := sw.entries[p.Type]
	for i, e := range list {
		if e != p {
			continue
		}
		if p.users > 0 {
			return sw.refused("unregister", p, errno.EBUSY)
		}
		sw.entries[p.Type] = append(append([]*ProtoSW{}, list[:i]...), list[i+1:]...)
		return nil
	}
	return sw.refused("unregister", p, errno.ENOENT)
}

func (sw *protoSwitch) refused(what string, p *ProtoSW, err error) error {
	return fmt.Errorf("inet: %s protosw family %d type %d protocol %d: %w", what, sw.family, p.Type, p.Protocol, err)
}

// lookup finds the entry for a type and protocol, and the protocol that it
// stands for, and counts a user of it: the look-up in Linux's inet_create. An
// exact protocol matches first; protocol 0 takes an entry's own; a wildcard
// entry takes any. ESOCKTNOSUPPORT if the type has no entry, EPROTONOSUPPORT
// if it has.
func (sw *protoSwitch) lookup(typ, protocol int) (*ProtoSW, int, error) {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	list := sw.entries[typ]
	for _, e := range list {
		switch {
		case protocol == e.Protocol && protocol != socket.IPPROTO_IP:
		case protocol != e.Protocol && protocol == socket.IPPROTO_IP:
			protocol = e.Protocol
		case protocol != e.Protocol && e.Protocol == socket.IPPROTO_IP:
		default:
			continue
		}
		e.users++
		return e, protocol, nil
	}
	if len(list) == 0 {
		return nil, 0, errno.ESOCKTNOSUPPORT
	}
	return nil, 0, errno.EPROTONOSUPPORT
}

// protos returns the entries' protocols.
func (sw *protoSwitch) protos() []socket.Proto {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	var list []socket.Proto
	for _, entries := range sw.entries {
		for _, e := range entries {
			list = append(list, e.Prot)
		}
	}
	return list
}

// hold counts another user of e, put one less.
func (sw *protoSwitch) hold(e *ProtoSW) {
	sw.mu.Lock()
	e.users++
	sw.mu.Unlock()
}

func (sw *protoSwitch) put(e *ProtoSW) {
	sw.mu.Lock()
	e.users--
	sw.mu.Unlock()
}
