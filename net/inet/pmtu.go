package inet

import (
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// Path MTU discovery (include/uapi/linux/in.h). The numbers of the first four
// are gVisor's too.
const (
	IP_PMTUDISC_DONT  = 0
	IP_PMTUDISC_WANT  = 1
	IP_PMTUDISC_OMIT  = 5
	pmtudiscInterface = 4
)

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
