package inet

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// More options of level SOL_IP (include/uapi/linux/in.h).
const (
	IP_HDRINCL              = 3
	IP_OPTIONS              = 4
	IP_ROUTER_ALERT         = 5
	IP_RECVOPTS             = 6
	IP_RETOPTS              = 7
	IP_PKTINFO              = 8
	IP_PKTOPTIONS           = 9
	IP_MTU_DISCOVER         = 10
	IP_RECVERR              = 11
	IP_RECVTTL              = 12
	IP_RECVTOS              = 13
	IP_MTU                  = 14
	IP_FREEBIND             = 15
	IP_IPSEC_POLICY         = 16
	IP_XFRM_POLICY          = 17
	IP_PASSSEC              = 18
	IP_TRANSPARENT          = 19
	IP_RECVORIGDSTADDR      = 20
	IP_MINTTL               = 21
	IP_NODEFRAG             = 22
	IP_CHECKSUM             = 23
	IP_BIND_ADDRESS_NO_PORT = 24
	IP_RECVFRAGSIZE         = 25
	IP_RECVERR_RFC4884      = 26
	IP_MULTICAST_IF         = 32
	IP_MULTICAST_TTL        = 33
	IP_MULTICAST_LOOP       = 34
	IP_ADD_MEMBERSHIP       = 35
	IP_DROP_MEMBERSHIP      = 36
	IP_ADD_SOURCE           = 39
	IP_MSFILTER             = 41
	MCAST_JOIN_GROUP        = 42
	MCAST_LEAVE_GROUP       = 45
	IP_MULTICAST_ALL        = 49
	IP_UNICAST_IF           = 50
	IP_LOCAL_PORT_RANGE     = 51
	IP_PROTOCOL             = 52
	SO_ORIGINAL_DST         = 80
)

// Path MTU discovery (include/uapi/linux/in.h). The numbers of the first four
// are gVisor's too.
const (
	IP_PMTUDISC_DONT  = 0
	IP_PMTUDISC_WANT  = 1
	IP_PMTUDISC_OMIT  = 5
	pmtudiscInterface = 4
)

// Flag is an option of SOL_IP or SOL_IPV6 that is on or off.
type Flag uint32

// The flags that decide what a receive tells, and others.
const (
	RecvPktInfo Flag = 1 << iota
	RecvTTL
	RecvTOS
	RecvErr
	RecvOrigDst
	RecvPktInfo6
	RecvHopLimit
	RecvTClass
	RecvErr6
	RecvOrigDst6
	FreeBind
	Transparent
	BindAddressNoPort
	noMulticastLoop
	noMulticastAll
	noMulticastLoop6
	noMulticastAll6
	RecvErrRFC4884
	RecvErr6RFC4884
	dontFrag
	recvOpts
	HdrIncl
	noDefrag

	// tellsSomething are those for which a receive has more to do.
	tellsSomething = RecvPktInfo | RecvTTL | RecvTOS | RecvOrigDst |
		RecvPktInfo6 | RecvHopLimit | RecvTClass | RecvOrigDst6
)

// moreOptions are the options beyond TTL and TOS.
type moreOptions struct {
	flags      atomic.Uint32
	pmtu       atomic.Int32 // one more than IP_PMTUDISC_*: 0 is the default
	pmtu6      atomic.Int32
	minTTL     atomic.Int32
	minHops    atomic.Int32
	mcTTL      atomic.Int32 // one more: 0 is the default
	mcHops     atomic.Int32
	mcIndex    atomic.Int32 // IP_MULTICAST_IF's interface
	mcAddr     atomic.Uint32
	mcIndex6   atomic.Int32
	portRange  atomic.Uint32
	mtu6       atomic.Int32
	memberMu   sync.Mutex
	membership []tcpip.AddMembershipOption
}

func (o *moreOptions) inherit(from *moreOptions) {
	o.flags.Store(from.flags.Load())
	o.pmtu.Store(from.pmtu.Load())
	o.pmtu6.Store(from.pmtu6.Load())
	o.minTTL.Store(from.minTTL.Load())
	o.minHops.Store(from.minHops.Load())
	o.mcTTL.Store(from.mcTTL.Load())
	o.mcHops.Store(from.mcHops.Load())
	o.mcIndex.Store(from.mcIndex.Load())
	o.mcAddr.Store(from.mcAddr.Load())
	o.mcIndex6.Store(from.mcIndex6.Load())
	o.portRange.Store(from.portRange.Load())
	o.mtu6.Store(from.mtu6.Load())
}

// Has reports whether an option is on.
func (is *Sock) Has(f Flag) bool { return is.opts.more.flags.Load()&uint32(f) != 0 }

// MulticastAll reports whether the Sock receives the packets of groups that it
// is no member of: IP_MULTICAST_ALL, or IPV6_MULTICAST_ALL.
func (is *Sock) MulticastAll(v6 bool) bool {
	if v6 {
		return !is.Has(noMulticastAll6)
	}
	return !is.Has(noMulticastAll)
}

// TellsErrors reports whether IP_RECVERR is on, or IPV6_RECVERR.
func (is *Sock) TellsErrors(v6 bool) bool {
	if v6 {
		return is.Has(RecvErr6)
	}
	return is.Has(RecvErr)
}

// Tells reports whether a receive has control messages of SOL_IP or SOL_IPV6
// to store.
func (is *Sock) Tells() bool { return is.Has(tellsSomething) }

// PMTUDiscover is IP_MTU_DISCOVER's value, IP_PMTUDISC_*, or
// IPV6_MTU_DISCOVER's.
func (is *Sock) PMTUDiscover(v6 bool) int {
	if v6 {
		return pmtuValue(&is.opts.more.pmtu6)
	}
	return pmtuValue(&is.opts.more.pmtu)
}

// DontFrag reports whether IPV6_DONTFRAG is on.
func (is *Sock) DontFrag() bool { return is.Has(dontFrag) }

// MayBindForeign reports whether addresses that are not the machine's may be
// bound to (inet_can_nonlocal_bind).
func (is *Sock) MayBindForeign() bool {
	return is.Has(FreeBind|Transparent) || is.Net.Sysctl.NonlocalBind.Load()
}

func (is *Sock) setFlag(f Flag, on bool) {
	if on {
		is.opts.more.flags.Or(uint32(f))
	} else {
		is.opts.more.flags.And(^uint32(f))
	}
}

// Why some options are only stored, or work for some sockets.
const (
	freeBind       = "a stream cannot connect from an address that is not there"
	transparentUDP = "only UDP sends from such an address, and within this machine"
	groupsUDP      = "on UDP; gVisor's endpoints receive what was sent to any group"
	fragmentUDP    = "on UDP; gVisor fragments what other sockets send"
)

// moreIPOptions are SOL_IP's options beyond TTL and TOS (do_ip_setsockopt).
func moreIPOptions() []socket.Option {
	return []socket.Option{
		ipFlag(IP_PKTINFO, "IP_PKTINFO", RecvPktInfo),
		ipFlag(IP_RECVTTL, "IP_RECVTTL", RecvTTL),
		ipFlag(IP_RECVTOS, "IP_RECVTOS", RecvTOS),
		ipFlag(IP_RECVERR, "IP_RECVERR", RecvErr),
		ipFlag(IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR", RecvOrigDst),
		ipStored(ipFlag(IP_RECVOPTS, "IP_RECVOPTS", recvOpts), "received IP options are not kept"),
		ipFlag(IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT", BindAddressNoPort),
		ipWorks(nonEmpty(ipFlag(IP_FREEBIND, "IP_FREEBIND", FreeBind)), freeBind),
		ipWorks(nonEmpty(privileged(ipFlag(IP_TRANSPARENT, "IP_TRANSPARENT", Transparent))), transparentUDP),
		nonEmpty(inverse(ipFlag(IP_MULTICAST_LOOP, "IP_MULTICAST_LOOP", noMulticastLoop))),
		nonEmpty(ipWorks(ipOption(IP_MULTICAST_ALL, "IP_MULTICAST_ALL", setMulticastAll,
			func(is *Sock) int { return socket.BoolInt(!is.Has(noMulticastAll)) }), groupsUDP)),
		ipStored(ipOption(IP_RECVERR_RFC4884, "IP_RECVERR_RFC4884", setRFC4884,
			func(is *Sock) int { return socket.BoolInt(is.Has(RecvErrRFC4884)) }), "gVisor does not parse RFC 4884's extensions"),
		ipOption(IP_MTU_DISCOVER, "IP_MTU_DISCOVER", setPMTU, func(is *Sock) int { return pmtuValue(&is.opts.more.pmtu) }),
		nonEmpty(ipOption(IP_MINTTL, "IP_MINTTL", setMinTTL, func(is *Sock) int { return int(is.opts.more.minTTL.Load()) })),
		nonEmpty(ipOption(IP_MULTICAST_TTL, "IP_MULTICAST_TTL", setMulticastTTL, func(is *Sock) int {
			return multicastHops(&is.opts.more.mcTTL)
		})),
		rawOnly(ipFlag(IP_HDRINCL, "IP_HDRINCL", HdrIncl)),
		ipStored(rawOnly(ipFlag(IP_NODEFRAG, "IP_NODEFRAG", noDefrag)), "there is no defragmenter to pass by"),
		{Level: socket.SOL_IP, Name: IP_MTU, Label: "IP_MTU", Get: getMTU},
		{Level: socket.SOL_IP, Name: IP_PROTOCOL, Label: "IP_PROTOCOL", Get: func(sk *socket.Sock, val []byte) (int, error) {
			// The number that a socket is hashed by: a raw one's protocol, but
			// the others' port.
			is := Of(sk)
			is.Lock()
			defer is.Unlock()
			return putSmall(val, int(is.num))
		}},
		{Level: socket.SOL_IP, Name: IP_MULTICAST_IF, Label: "IP_MULTICAST_IF", Set: setMulticastIf, Get: getMulticastIf},
		{Level: socket.SOL_IP, Name: IP_ADD_MEMBERSHIP, Label: "IP_ADD_MEMBERSHIP", Set: addMembership},
		{Level: socket.SOL_IP, Name: IP_DROP_MEMBERSHIP, Label: "IP_DROP_MEMBERSHIP", Set: dropMembership},
		{Level: socket.SOL_IP, Name: IP_LOCAL_PORT_RANGE, Label: "IP_LOCAL_PORT_RANGE", Set: setPortRange, Get: getPortRange},
		ipRefused(IP_OPTIONS, "IP_OPTIONS", "no IP options are sent"),
		ipRefused(IP_ROUTER_ALERT, "IP_ROUTER_ALERT", "nothing is forwarded"),
		ipRefused(IP_RETOPTS, "IP_RETOPTS", "received IP options are not kept"),
		ipRefused(IP_PKTOPTIONS, "IP_PKTOPTIONS", "a stream keeps no control messages"),
		ipRefused(IP_IPSEC_POLICY, "IP_IPSEC_POLICY", "there is no IPsec"),
		ipRefused(IP_XFRM_POLICY, "IP_XFRM_POLICY", "there is no IPsec"),
		ipRefused(IP_PASSSEC, "IP_PASSSEC", "hooks label nothing"),
		ipRefused(IP_CHECKSUM, "IP_CHECKSUM", "checksums of packets are not kept"),
		ipRefused(IP_RECVFRAGSIZE, "IP_RECVFRAGSIZE", "sizes of fragments are not kept"),
		ipRefused(IP_ADD_SOURCE, "IP_ADD_SOURCE_MEMBERSHIP", "gVisor has no source filters (RFC 3376)"),
		ipRefused(IP_MSFILTER, "IP_MSFILTER", "gVisor has no source filters (RFC 3376)"),
		ipRefused(MCAST_JOIN_GROUP, "MCAST_JOIN_GROUP", "IP_ADD_MEMBERSHIP does the same"),
		ipRefused(IP_UNICAST_IF, "IP_UNICAST_IF", "SO_BINDTODEVICE does the same"),
		{Level: socket.SOL_IP, Name: SO_ORIGINAL_DST, Label: "SO_ORIGINAL_DST", Why: "a handler of package netfilter"},
	}
}

func ipRefused(name int, label, why string) socket.Option {
	return socket.Option{Level: socket.SOL_IP, Name: name, Label: label, State: socket.OptionRefused, Why: why}
}

func ipStored(o socket.Option, why string) socket.Option {
	o.State, o.Why = socket.OptionStored, why
	return o
}

// ipWorks makes an option that works for some sockets; why says for which.
func ipWorks(o socket.Option, why string) socket.Option {
	o.State, o.Why = socket.OptionWorks, why
	return o
}

func ipFlag(name int, label string, f Flag) socket.Option {
	return ipOption(name, label,
		func(is *Sock, v int) error { is.setTelling(f, v != 0); return nil },
		func(is *Sock) int { return socket.BoolInt(is.Has(f)) })
}

// inverse makes an option of a flag that says it is off.
func inverse(o socket.Option) socket.Option {
	set, get := o.Set, o.Get
	o.Set = func(sk *socket.Sock, val []byte) error {
		read := smallInt
		if o.Level == socket.SOL_IPV6 {
			read = socket.OptInt
		}
		v, err := read(val)
		if err != nil {
			return err
		}
		var b [socket.SizeofInt]byte
		socket.PutInt(b[:], socket.BoolInt(v == 0))
		return set(sk, b[:])
	}
	o.Get = func(sk *socket.Sock, val []byte) (int, error) {
		var b [socket.SizeofInt]byte
		if _, err := get(sk, b[:]); err != nil {
			return 0, err
		}
		v, err := socket.OptInt(b[:])
		if err != nil {
			return 0, err
		}
		if o.Level == socket.SOL_IPV6 {
			return socket.PutInt(val, socket.BoolInt(v == 0))
		}
		return putSmall(val, socket.BoolInt(v == 0))
	}
	return o
}

// smallInt reads an option as do_ip_setsockopt does: an int, or a byte.
func smallInt(val []byte) (int, error) {
	switch {
	case len(val) >= socket.SizeofInt:
		return socket.OptInt(val)
	case len(val) > 0:
		return int(val[0]), nil
	}
	return 0, nil
}

// putSmall writes an option as do_ip_getsockopt does: a small one as a byte
// where there is no room for an int.
func putSmall(val []byte, v int) (int, error) {
	if len(val) > 0 && len(val) < socket.SizeofInt && v >= 0 && v <= 255 {
		val[0] = byte(v)
		return 1, nil
	}
	return socket.PutInt(val, v)
}

// nonEmpty refuses an option without a value.
func nonEmpty(o socket.Option) socket.Option {
	set := o.Set
	o.Set = func(sk *socket.Sock, val []byte) error {
		if len(val) == 0 {
			return errno.EINVAL
		}
		return set(sk, val)
	}
	return o
}

// rawOnly is an option that is set on raw sockets alone.
func rawOnly(o socket.Option) socket.Option {
	set := o.Set
	o.Set = func(sk *socket.Sock, val []byte) error {
		if sk.Type != socket.SOCK_RAW {
			return errno.ENOPROTOOPT
		}
		return set(sk, val)
	}
	return o
}

// privileged is an option that CAP_NET_RAW or CAP_NET_ADMIN turns on.
func privileged(o socket.Option) socket.Option {
	set := o.Set
	o.Set = func(sk *socket.Sock, val []byte) error {
		if v, err := smallInt(val); err == nil && v != 0 && !sk.Capable(socket.CAP_NET_RAW|socket.CAP_NET_ADMIN) {
			return errno.EPERM
		}
		return set(sk, val)
	}
	return o
}

func setMulticastAll(is *Sock, v int) error {
	if v != 0 && v != 1 {
		return errno.EINVAL
	}
	is.setFlag(noMulticastAll, v == 0)
	return nil
}

func setRFC4884(is *Sock, v int) error {
	if v != 0 && v != 1 {
		return errno.EINVAL
	}
	is.setFlag(RecvErrRFC4884, v != 0)
	return nil
}

func setPMTU(is *Sock, v int) error {
	if v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT {
		return errno.EINVAL
	}
	is.opts.more.pmtu.Store(int32(v) + 1)
	if ep := is.ep.Load(); ep != nil {
		applyPMTU(ep, int32(v))
	}
	return nil
}

func pmtuValue(v *atomic.Int32) int {
	if n := v.Load(); n != 0 {
		return int(n) - 1
	}
	return IP_PMTUDISC_WANT
}

func setMinTTL(is *Sock, v int) error {
	if v < 0 || v > 255 {
		return errno.EINVAL
	}
	is.opts.more.minTTL.Store(int32(v))
	is.minTTLSet()
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

// maxMTU4 is what IPv4's length field allows (IP_MAX_MTU).
const maxMTU4 = 0xffff

// getMTU is the MTU of the route to the peer.
func getMTU(sk *socket.Sock, val []byte) (int, error) {
	mtu := Of(sk).peerMTU()
	if mtu == 0 {
		return 0, errno.ENOTCONN
	}
	if sk.Family == socket.AF_INET {
		mtu = min(mtu, maxMTU4)
	}
	return socket.PutInt(val, mtu)
}

// peerMTU returns the MTU on the way to the peer, or 0 without a peer.
func (is *Sock) peerMTU() int {
	ep := is.ep.Load()
	if ep == nil {
		return 0
	}
	remote, terr := ep.GetRemoteAddress()
	if terr != nil {
		return 0
	}
	ip := netdev.FromTCPIP(remote.Addr).Unmap()
	if !ip.IsValid() {
		return 0
	}
	return is.Net.RouteMTU(ip)
}

// setPortRange is IP_LOCAL_PORT_RANGE: the lower bound in the low half.
func setPortRange(sk *socket.Sock, val []byte) error {
	if len(val) != socket.SizeofInt {
		return errno.EINVAL
	}
	v := binary.NativeEndian.Uint32(val)
	lo, hi := v&0xffff, v>>16
	if lo != 0 && hi != 0 && lo > hi {
		return errno.EINVAL
	}
	Of(sk).opts.more.portRange.Store(v)
	return nil
}

func getPortRange(sk *socket.Sock, val []byte) (int, error) {
	return putSmall(val, int(int32(Of(sk).opts.more.portRange.Load())))
}

// LocalPorts returns the bounds of the ports that the Sock's port is picked
// from, and whether the program set them (inet_sk_get_local_port_range).
func (is *Sock) localPorts() (lo, hi uint16, set bool) {
	v := is.opts.more.portRange.Load()
	lo, hi = is.Net.IP().PortRange()
	if l := uint16(v); l != 0 && l >= lo {
		lo = l
	}
	if h := uint16(v >> 16); h != 0 && h <= hi {
		hi = h
	}
	return lo, hi, v != 0 && lo <= hi
}
