package inet

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// Lengths of the structures of membership (include/uapi/linux/in.h).
const (
	sizeofInAddr   = 4
	sizeofIPMreq   = 8
	sizeofIPMreqn  = 12
	sizeofIPv6Mreq = 20
)

// A mreqn is C's struct ip_mreqn.
type mreqn struct {
	group, local netip.Addr
	index        int
}

// parseMreqn reads struct ip_mreqn, or the shorter struct ip_mreq.
func parseMreqn(val []byte) (m mreqn) {
	m.group = netip.AddrFrom4([4]byte(val[:4]))
	m.local = netip.AddrFrom4([4]byte(val[4:8]))
	if len(val) >= sizeofIPMreqn {
		m.index = int(int32(binary.NativeEndian.Uint32(val[8:])))
	}
	return m
}

func setMulticastIf(sk *socket.Sock, val []byte) error {
	is := Of(sk)
	if is.Type == socket.SOCK_STREAM {
		return errno.EINVAL
	}
	any4 := netip.IPv4Unspecified()
	m := mreqn{group: any4, local: any4}
	switch {
	case len(val) < sizeofInAddr:
		return errno.EINVAL
	case len(val) >= sizeofIPMreq:
		m = parseMreqn(val)
	default:
		m.local = netip.AddrFrom4([4]byte(val[:4]))
	}
	index := m.index
	if index == 0 && !m.local.IsUnspecified() {
		index = is.Net.InterfaceOf(m.local)
	}
	switch {
	case index == 0 && m.index == 0 && m.local.IsUnspecified():
		// Back to the route's.
	case index == 0 || is.Net.InterfaceName(index) == "":
		return errno.EADDRNOTAVAIL
	case is.BoundDevIf() != 0 && is.BoundDevIf() != index:
		return errno.EINVAL
	}
	o := &is.opts.more
	o.mcIndex.Store(int32(index))
	local := m.local.As4()
	o.mcAddr.Store(binary.NativeEndian.Uint32(local[:]))
	if ep := is.ep.Load(); ep != nil {
		ep.SetSockOpt(o.multicastIf())
	}
	return nil
}

func getMulticastIf(sk *socket.Sock, val []byte) (int, error) {
	var b [sizeofInAddr]byte
	binary.NativeEndian.PutUint32(b[:], Of(sk).opts.more.mcAddr.Load())
	return copy(val, b[:]), nil
}

func addMembership(sk *socket.Sock, val []byte) error {
	return membership(sk, val, (*Sock).join)
}

func dropMembership(sk *socket.Sock, val []byte) error {
	return membership(sk, val, (*Sock).leave)
}

// membership checks a change of IPv4 membership (do_ip_setsockopt).
func membership(sk *socket.Sock, val []byte, change func(*Sock, mreqn) error) error {
	is := Of(sk)
	switch {
	case is.Type == socket.SOCK_STREAM:
		return errno.EPROTO
	case len(val) < sizeofIPMreq:
		return errno.EINVAL
	}
	m := parseMreqn(val)
	return change(is, m)
}

// device returns the interface that a membership is of (ip_mc_find_dev), or 0.
func (is *Sock) device(m mreqn) int {
	switch {
	case m.index != 0:
		if is.Net.InterfaceName(m.index) == "" {
			return 0
		}
		return m.index
	case !m.local.IsUnspecified():
		return is.Net.InterfaceOf(m.local)
	}
	return is.Net.RouteInterface(m.group)
}

func (is *Sock) join(m mreqn) error {
	if !m.group.IsMulticast() {
		return errno.EINVAL
	}
	index := is.device(m)
	if index == 0 {
		return errno.ENODEV
	}
	return is.changeMembership(tcpip.AddMembershipOption{NIC: tcpip.NICID(index), MulticastAddr: netdev.ToTCPIP(m.group)}, true)
}

func (is *Sock) leave(m mreqn) error {
	index := is.device(m)
	if index == 0 {
		return errno.ENODEV
	}
	return is.changeMembership(tcpip.AddMembershipOption{NIC: tcpip.NICID(index), MulticastAddr: netdev.ToTCPIP(m.group)}, false)
}

// maxMemberships is how many groups a socket may be in
// (net.ipv4.igmp_max_memberships).
const maxMemberships = 20

// changeMembership joins or leaves a group, and has the interface's device know: EADDRINUSE for one that
// it is in, EADDRNOTAVAIL for one that it is not.
func (is *Sock) changeMembership(m tcpip.AddMembershipOption, join bool) error {
	if err := is.changeMember(m, join); err != nil {
		return err
	}
	tell := is.Net.LeftGroup
	if join {
		tell = is.Net.JoinedGroup
	}
	tell(int(m.NIC), netdev.FromTCPIP(m.MulticastAddr))
	return nil
}

// leaveGroups is for the end: the endpoint, if there was one, has left them.
func (is *Sock) leaveGroups() {
	for _, m := range is.opts.more.membership {
		is.Net.LeftGroup(int(m.NIC), netdev.FromTCPIP(m.MulticastAddr))
	}
}

func (is *Sock) changeMember(m tcpip.AddMembershipOption, join bool) error {
	is.Lock()
	defer is.Unlock()
	o := &is.opts.more
	o.memberMu.Lock()
	defer o.memberMu.Unlock()
	at := -1
	for i := range o.membership {
		if o.membership[i] == m {
			at = i
		}
	}
	switch {
	case join && at >= 0:
		return errno.EADDRINUSE
	case join && len(o.membership) >= maxMemberships:
		return errno.ENOBUFS
	case !join && at < 0:
		return errno.EADDRNOTAVAIL
	}
	ep := is.ep.Load()
	if join {
		if ep != nil {
			if terr := ep.SetSockOpt(&m); terr != nil {
				return errno.FromTCPIP(terr)
			}
		}
		o.membership = append(o.membership, m)
		return nil
	}
	o.membership = append(o.membership[:at], o.membership[at+1:]...)
	if ep != nil {
		r := tcpip.RemoveMembershipOption(m)
		ep.SetSockOpt(&r) // fails when the interface has gone, and the group with it
	}
	return nil
}

// MulticastAll reports whether the Sock receives the packets of groups that it
// is no member of: IP_MULTICAST_ALL, or IPV6_MULTICAST_ALL.
func (is *Sock) MulticastAll(v6 bool) bool {
	if v6 {
		return !is.Has(noMulticastAll6)
	}
	return !is.Has(noMulticastAll)
}

func setMulticastAll(is *Sock, v int) error {
	if v != 0 && v != 1 {
		return errno.EINVAL
	}
	is.setFlag(noMulticastAll, v == 0)
	return nil
}

func setMulticastTTL(is *Sock, v int) error {
	switch {
	case is.Type == socket.SOCK_STREAM:
		return errno.EINVAL
	case v == -1:
		v = 1
	case v < 0 || v > 255:
		return errno.EINVAL
	}
	is.opts.more.mcTTL.Store(int32(v) + 1)
	if is.Family == socket.AF_INET {
		is.pass(tcpip.MulticastTTLOption, v)
	}
	return nil
}

func multicastHops(v *atomic.Int32) int {
	if n := v.Load(); n != 0 {
		return int(n) - 1
	}
	return 1
}
