package inet

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/net/errno"
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

func setRFC4884(is *Sock, v int) error {
	if v != 0 && v != 1 {
		return errno.EINVAL
	}
	is.setFlag(RecvErrRFC4884, v != 0)
	return nil
}
