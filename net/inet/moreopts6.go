package inet

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// More options of level SOL_IPV6 (include/uapi/linux/in6.h).
const (
	IPV6_ADDRFORM         = 1
	IPV6_CHECKSUM         = 7
	IPV6_FLOWINFO         = 11
	IPV6_MULTICAST_IF     = 17
	IPV6_MULTICAST_HOPS   = 18
	IPV6_MULTICAST_LOOP   = 19
	IPV6_ADD_MEMBERSHIP   = 20
	IPV6_DROP_MEMBERSHIP  = 21
	IPV6_ROUTER_ALERT     = 22
	IPV6_MTU_DISCOVER     = 23
	IPV6_MTU              = 24
	IPV6_RECVERR          = 25
	IPV6_JOIN_ANYCAST     = 27
	IPV6_MULTICAST_ALL    = 29
	IPV6_RECVERR_RFC4884  = 31
	IPV6_FLOWINFO_SEND    = 33
	IPV6_RECVPKTINFO      = 49
	IPV6_PKTINFO          = 50
	IPV6_RECVHOPLIMIT     = 51
	IPV6_HOPLIMIT         = 52
	IPV6_RECVHOPOPTS      = 53
	IPV6_RECVRTHDR        = 56
	IPV6_RECVDSTOPTS      = 58
	IPV6_RECVPATHMTU      = 60
	IPV6_DONTFRAG         = 62
	IPV6_RECVTCLASS       = 66
	IPV6_AUTOFLOWLABEL    = 70
	IPV6_ADDR_PREFERENCES = 72
	IPV6_MINHOPCOUNT      = 73
	IPV6_RECVORIGDSTADDR  = 74
	IPV6_TRANSPARENT      = 75
	IPV6_UNICAST_IF       = 76
	IPV6_RECVFRAGSIZE     = 77
	IPV6_FREEBIND         = 78
)

// moreIPv6Options are SOL_IPV6's options beyond hops, class and V6ONLY
// (do_ipv6_setsockopt).
func moreIPv6Options() []socket.Option {
	return []socket.Option{
		ipv6Flag(IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO", RecvPktInfo6),
		ipv6Flag(IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT", RecvHopLimit),
		ipv6Flag(IPV6_RECVTCLASS, "IPV6_RECVTCLASS", RecvTClass),
		ipv6Flag(IPV6_RECVERR, "IPV6_RECVERR", RecvErr6),
		ipv6Flag(IPV6_RECVORIGDSTADDR, "IPV6_RECVORIGDSTADDR", RecvOrigDst6),
		ipWorks(ipv6Flag(IPV6_FREEBIND, "IPV6_FREEBIND", FreeBind), freeBind),
		ipWorks(privileged(ipv6Flag(IPV6_TRANSPARENT, "IPV6_TRANSPARENT", Transparent)), transparentUDP),
		ipWorks(anyLength(ipv6Flag(IPV6_DONTFRAG, "IPV6_DONTFRAG", dontFrag)), fragmentUDP),
		ipWorks(inverse(ipv6Flag(IPV6_MULTICAST_ALL, "IPV6_MULTICAST_ALL", noMulticastAll6)), groupsUDP),
		ipv6Bool(IPV6_MULTICAST_LOOP, "IPV6_MULTICAST_LOOP", noMulticastLoop6),
		ipStored(ipv6Option(IPV6_RECVERR_RFC4884, "IPV6_RECVERR_RFC4884", func(is *Sock, v int) error {
			if v != 0 && v != 1 {
				return errno.EINVAL
			}
			is.setFlag(RecvErr6RFC4884, v != 0)
			return nil
		}, func(is *Sock) int { return socket.BoolInt(is.Has(RecvErr6RFC4884)) }), "gVisor does not parse RFC 4884's extensions"),
		ipWorks(ipv6Option(IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER", setPMTU6,
			func(is *Sock) int { return pmtuValue(&is.opts.more.pmtu6) }), fragmentUDP),
		ipv6Option(IPV6_MINHOPCOUNT, "IPV6_MINHOPCOUNT", func(is *Sock, v int) error {
			if v < 0 || v > 255 {
				return errno.EINVAL
			}
			is.opts.more.minHops.Store(int32(v))
			is.minTTLSet()
			return nil
		}, func(is *Sock) int { return int(is.opts.more.minHops.Load()) }),
		{Level: socket.SOL_IPV6, Name: IPV6_MULTICAST_HOPS, Label: "IPV6_MULTICAST_HOPS", Set: setMulticastHops,
			Get: func(sk *socket.Sock, val []byte) (int, error) {
				return socket.PutInt(val, multicastHops(&Of(sk).opts.more.mcHops))
			}},
		{Level: socket.SOL_IPV6, Name: IPV6_MULTICAST_IF, Label: "IPV6_MULTICAST_IF", Set: setMulticastIf6,
			Get: func(sk *socket.Sock, val []byte) (int, error) {
				return socket.PutInt(val, int(Of(sk).opts.more.mcIndex6.Load()))
			}},
		{Level: socket.SOL_IPV6, Name: IPV6_MTU, Label: "IPV6_MTU", State: socket.OptionWorks,
			Why: "reads the route's; setting is stored", Set: setMTU6, Get: getMTU},
		{Level: socket.SOL_IPV6, Name: IPV6_ADD_MEMBERSHIP, Label: "IPV6_ADD_MEMBERSHIP",
			Set: func(sk *socket.Sock, val []byte) error { return membership6(sk, val, true) }},
		{Level: socket.SOL_IPV6, Name: IPV6_DROP_MEMBERSHIP, Label: "IPV6_DROP_MEMBERSHIP",
			Set: func(sk *socket.Sock, val []byte) error { return membership6(sk, val, false) }},
		ipv6Refused(IPV6_ADDRFORM, "IPV6_ADDRFORM", "a socket keeps its family"),
		ipv6Refused(IPV6_FLOWINFO, "IPV6_FLOWINFO", "gVisor sends no flow labels"),
		ipv6Refused(IPV6_ROUTER_ALERT, "IPV6_ROUTER_ALERT", "nothing is forwarded"),
		ipv6Refused(IPV6_JOIN_ANYCAST, "IPV6_JOIN_ANYCAST", "gVisor has no anycast groups"),
		ipv6Refused(IPV6_FLOWINFO_SEND, "IPV6_FLOWINFO_SEND", "gVisor sends no flow labels"),
		ipv6Refused(IPV6_PKTINFO, "IPV6_PKTINFO", "a control message does the same for one packet"),
		ipv6Refused(IPV6_RECVHOPOPTS, "IPV6_RECVHOPOPTS", "extension headers are not kept"),
		ipv6Refused(IPV6_RECVRTHDR, "IPV6_RECVRTHDR", "extension headers are not kept"),
		ipv6Refused(IPV6_RECVDSTOPTS, "IPV6_RECVDSTOPTS", "extension headers are not kept"),
		ipv6Refused(IPV6_RECVPATHMTU, "IPV6_RECVPATHMTU", "gVisor does not tell of path MTUs"),
		ipv6Refused(IPV6_AUTOFLOWLABEL, "IPV6_AUTOFLOWLABEL", "gVisor sends no flow labels"),
		ipv6Refused(IPV6_ADDR_PREFERENCES, "IPV6_ADDR_PREFERENCES", "gVisor chooses source addresses (RFC 6724)"),
		ipv6Refused(IPV6_UNICAST_IF, "IPV6_UNICAST_IF", "SO_BINDTODEVICE does the same"),
		ipv6Refused(IPV6_RECVFRAGSIZE, "IPV6_RECVFRAGSIZE", "sizes of fragments are not kept"),
	}
}

func ipv6Refused(name int, label, why string) socket.Option {
	return socket.Option{Level: socket.SOL_IPV6, Name: name, Label: label, State: socket.OptionRefused, Why: why}
}

func ipv6Flag(name int, label string, f Flag) socket.Option {
	return ipv6Option(name, label,
		func(is *Sock, v int) error { is.setTelling(f, v != 0); return nil },
		func(is *Sock) int { return socket.BoolInt(is.Has(f)) })
}

// anyLength takes too short a value for 0.
func anyLength(o socket.Option) socket.Option {
	set := o.Set
	o.Set = func(sk *socket.Sock, val []byte) error {
		if len(val) < socket.SizeofInt {
			val = make([]byte, socket.SizeofInt)
		}
		return set(sk, val)
	}
	return o
}

// ipv6Bool is an option that takes only 0 and 1; off is the flag's meaning.
func ipv6Bool(name int, label string, off Flag) socket.Option {
	return ipv6Option(name, label,
		func(is *Sock, v int) error {
			if v != 0 && v != 1 {
				return errno.EINVAL
			}
			is.setTelling(off, v == 0)
			return nil
		},
		func(is *Sock) int { return socket.BoolInt(!is.Has(off)) })
}

func setPMTU6(is *Sock, v int) error {
	if v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT {
		return errno.EINVAL
	}
	is.opts.more.pmtu6.Store(int32(v) + 1)
	return nil
}

func setMulticastHops(sk *socket.Sock, val []byte) error {
	is := Of(sk)
	if is.Type == socket.SOCK_STREAM {
		return errno.ENOPROTOOPT
	}
	v, err := socket.OptInt(val)
	if err != nil || v < -1 || v > 255 {
		return errno.EINVAL
	}
	if v == -1 {
		v = 1
	}
	is.opts.more.mcHops.Store(int32(v) + 1)
	is.pass(tcpip.MulticastTTLOption, v)
	return nil
}

func setMulticastIf6(sk *socket.Sock, val []byte) error {
	is := Of(sk)
	if is.Type == socket.SOCK_STREAM {
		return errno.ENOPROTOOPT
	}
	v, err := socket.OptInt(val)
	switch {
	case err != nil:
		return err
	case v == 0:
	case v < 0 || is.Net.InterfaceName(v) == "":
		return errno.ENODEV
	case is.BoundDevIf() != 0 && is.BoundDevIf() != v:
		return errno.EINVAL
	}
	is.opts.more.mcIndex6.Store(int32(v))
	is.pass(tcpip.IPv6MulticastInterfaceOption, v)
	return nil
}

// minMTU6 is IPV6_MIN_MTU (RFC 8200 §5).
const minMTU6 = 1280

func setMTU6(sk *socket.Sock, val []byte) error {
	v, err := socket.OptInt(val)
	if err != nil {
		return err
	}
	if v != 0 && v < minMTU6 {
		return errno.EINVAL
	}
	Of(sk).opts.more.mtu6.Store(int32(v))
	return nil
}

// membership6 joins or leaves the group of C's struct ipv6_mreq.
func membership6(sk *socket.Sock, val []byte, join bool) error {
	is := Of(sk)
	switch {
	case len(val) < sizeofIPv6Mreq:
		return errno.EINVAL
	case is.Type == socket.SOCK_STREAM:
		return errno.EPROTO
	}
	group := netip.AddrFrom16([16]byte(val[:16]))
	index := int(int32(binary.NativeEndian.Uint32(val[16:])))
	if !group.IsMulticast() {
		return errno.EINVAL
	}
	if index == 0 {
		index = is.Net.RouteInterface(group)
	} else if is.Net.InterfaceName(index) == "" {
		index = 0
	}
	if index == 0 {
		return errno.ENODEV
	}
	return is.changeMembership(tcpip.AddMembershipOption{
		NIC: tcpip.NICID(index), MulticastAddr: netdev.ToTCPIP(group),
	}, join)
}
