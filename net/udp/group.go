package udp

import (
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// groups are the multicast groups of an endpoint, and how it sends to any.
type groups struct {
	// joined is replaced, with mu held, and read by receives.
	joined atomic.Pointer[[]membership]

	// IP_MULTICAST_IF's interface or address; guarded by mu.
	nic  tcpip.NICID
	addr tcpip.Address
}

type membership struct {
	nic  tcpip.NICID
	addr tcpip.Address
}

func (g *groups) list() []membership {
	if p := g.joined.Load(); p != nil {
		return *p
	}
	return nil
}

// join makes the machine receive a group's packets for as long as the
// endpoint is a member. Package inet has checked that it is none.
func (e *endpoint) join(nic tcpip.NICID, addr tcpip.Address) tcpip.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if terr := e.ip.JoinGroup(protoOf(addr), nic, addr); terr != nil {
		return terr
	}
	list := append(slices.Clone(e.group.list()), membership{nic, addr})
	e.group.joined.Store(&list)
	return nil
}

func (e *endpoint) leave(nic tcpip.NICID, addr tcpip.Address) tcpip.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.group.list()
	at := slices.Index(list, membership{nic, addr})
	if at < 0 {
		return &tcpip.ErrBadLocalAddress{}
	}
	list = slices.Delete(slices.Clone(list), at, at+1)
	e.group.joined.Store(&list)
	return e.ip.LeaveGroup(protoOf(addr), nic, addr)
}

// leaveAll is for the end. Locked.
func (e *endpoint) leaveAll() {
	for _, m := range e.group.list() {
		e.ip.LeaveGroup(protoOf(m.addr), m.nic, m.addr)
	}
	e.group.joined.Store(nil)
}

// takes reports whether the endpoint receives what was sent to addr: with
// IP_MULTICAST_ALL off, a group's packets only as a member (ip_mc_sf_allow,
// inet6_mc_check).
func (e *endpoint) takes(nic tcpip.NICID, addr tcpip.Address) bool {
	v6 := header.IsV6MulticastAddress(addr)
	if !v6 && !header.IsV4MulticastAddress(addr) || e.is.MulticastAll(v6) {
		return true
	}
	return slices.Contains(e.group.list(), membership{nic, addr})
}
