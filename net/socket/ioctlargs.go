package socket

import (
	"net"

	"github.com/tamanet/tamanet/net/netdev"
)

// More ioctl commands (include/uapi/linux/sockios.h).
const (
	FIOSETOWN        = 0x8901
	SIOCSPGRP        = 0x8902
	FIOGETOWN        = 0x8903
	SIOCGPGRP        = 0x8904
	SIOCATMARK       = 0x8905
	SIOCGSTAMP       = 0x8906
	SIOCGSTAMPNS     = 0x8907
	SIOCADDRT        = 0x890B
	SIOCDELRT        = 0x890C
	SIOCGIFNAME      = 0x8910
	SIOCGIFCONF      = 0x8912
	SIOCGIFFLAGS     = 0x8913
	SIOCSIFFLAGS     = 0x8914
	SIOCGIFADDR      = 0x8915
	SIOCSIFADDR      = 0x8916
	SIOCGIFDSTADDR   = 0x8917
	SIOCSIFDSTADDR   = 0x8918
	SIOCGIFBRDADDR   = 0x8919
	SIOCSIFBRDADDR   = 0x891A
	SIOCGIFNETMASK   = 0x891B
	SIOCSIFNETMASK   = 0x891C
	SIOCGIFMETRIC    = 0x891D
	SIOCSIFMETRIC    = 0x891E
	SIOCGIFMTU       = 0x8921
	SIOCSIFMTU       = 0x8922
	SIOCSIFHWADDR    = 0x8924
	SIOCGIFHWADDR    = 0x8927
	SIOCADDMULTI     = 0x8931
	SIOCDELMULTI     = 0x8932
	SIOCGIFINDEX     = 0x8933
	SIOCDIFADDR      = 0x8936
	SIOCGIFBR        = 0x8940
	SIOCSIFBR        = 0x8941
	SIOCETHTOOL      = 0x8946
	SIOCGSKNS        = 0x894C
	SIOCDARP         = 0x8953
	SIOCGARP         = 0x8954
	SIOCSARP         = 0x8955
	SIOCADDDLCI      = 0x8980
	SIOCDELDLCI      = 0x8981
	SIOCGIFVLAN      = 0x8982
	SIOCSIFVLAN      = 0x8983
	SIOCBRADDBR      = 0x89a0
	SIOCBRDELBR      = 0x89a1
	SIOCDEVPRIVATE   = 0x89F0
	devPrivateMax    = SIOCDEVPRIVATE + 15
	SIOCGSTAMP_NEW   = 0x80108906 // _IOR(0x89, 6, long long[2])
	SIOCGSTAMPNS_NEW = 0x80108907
	firstSocketIoctl = 0x8900
	lastSocketIoctl  = 0x89ff
	ARPHRD_ETHER     = 1
	ARPHRD_LOOPBACK  = 772
	ARPHRD_NONE      = 0xfffe
	ETHTOOL_GLINK    = 0x0a
	ETHTOOL_GSTATS   = 0x1d
	RTF_UP           = 0x1
	RTF_GATEWAY      = 0x2
	RTF_HOST         = 0x4
	RTF_REJECT       = 0x200
	ATF_COM          = 0x02
	ATF_PERM         = 0x04
	ATF_PUBL         = 0x08
	ATF_NETMASK      = 0x20
)

// An Ifreq names an interface and holds the one value that the command reads
// or sets: C's struct ifreq.
type Ifreq struct {
	Name string

	Index  int                   // SIOCGIFINDEX, SIOCGIFNAME
	Flags  netdev.InterfaceFlags // SIOC[GS]IFFLAGS
	Addr   Sockaddr              // addresses, masks
	MTU    int                   // bytes
	Metric int

	// HWAddr and HWType, of ARPHRD_*, are SIOC[GS]IFHWADDR's.
	HWAddr net.HardwareAddr
	HWType uint16

	// Data is SIOCETHTOOL's: an *EthtoolValue or *EthtoolStats; or a device's
	// private commands' own.
	Data any
}

// An Ifconf is SIOCGIFCONF's answer: the interfaces with an IPv4 address, one
// for each. C's struct ifconf has room for as many as it says; a nil Req with
// Count set asks only how many there are.
type Ifconf struct {
	Req   []Ifreq // as many as it has room for are filled, from the front
	Count int     // how many were stored, or with no room how many there are
}

// An EthtoolValue is C's struct ethtool_value: ETHTOOL_GLINK's Data is 1 when
// the link is up.
type EthtoolValue struct {
	Cmd, Data uint32
}

// EthtoolStats are a device's counters by name (ETHTOOL_GSTRINGS and
// ETHTOOL_GSTATS at once).
type EthtoolStats struct {
	Names  []string
	Values []uint64
}

// An Rtentry is a route to add or remove: C's struct rtentry.
type Rtentry struct {
	Dst, Gateway, Genmask Sockaddr
	Flags                 uint16 // RTF_*
	Dev                   string // the interface's name; may be empty with a gateway
	MTU                   int    // bytes; 0 is the interface's
}

// An Arpreq is an entry of the ARP table: C's struct arpreq.
type Arpreq struct {
	PA     Sockaddr         // the protocol address
	HA     net.HardwareAddr // 6 bytes
	HAType uint16           // the family of arp_ha, ARPHRD_ETHER
	Flags  int              // ATF_*
	Dev    string           // may be empty, but for SIOCGARP
}
