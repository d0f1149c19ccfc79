package socket

import (
	"net"
	"net/netip"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
)

// Device returns the interface that a command names, or ENODEV. What follows
// a colon is an alias, and ignored (dev_load).
func (sk *Sock) Device(name string) (netdev.Interface, error) {
	for i := range len(name) {
		if name[i] == ':' {
			name = name[:i]
			break
		}
	}
	i, ok := sk.Net.InterfaceByIndex(sk.Net.InterfaceIndex(name))
	if !ok {
		return i, errno.ENODEV
	}
	return i, nil
}

// devIoctl is Linux's dev_ioctl: the commands of devices, whatever the
// socket's family.
func (sk *Sock) devIoctl(t *Task, cmd uint, arg any) error {
	do, ok := devCommands[cmd]
	if !ok {
		return errno.ENOTTY
	}
	ifr, ok := arg.(*Ifreq)
	switch {
	case !ok:
		return errno.EFAULT
	case cmd == SIOCGIFNAME:
		name := sk.Net.InterfaceName(ifr.Index)
		if name == "" {
			return errno.ENODEV
		}
		ifr.Name = name
		return nil
	case do.admin && !t.Capable(CAP_NET_ADMIN):
		return errno.EPERM
	}
	i, err := sk.Device(ifr.Name)
	if err != nil {
		return err
	}
	return do.f(sk.Net, i, ifr)
}

// A devCommand is what dev_ifsioc does for a command.
type devCommand struct {
	admin bool // asks for CAP_NET_ADMIN
	f     func(st *netdev.Stack, i netdev.Interface, ifr *Ifreq) error
}

// devCommands are the commands of dev_ifsioc and dev_ifsioc_locked.
var devCommands = map[uint]devCommand{
	SIOCGIFNAME:   {},
	SIOCGIFINDEX:  {f: func(_ *netdev.Stack, i netdev.Interface, ifr *Ifreq) error { ifr.Index = i.Index; return nil }},
	SIOCGIFFLAGS:  {f: func(_ *netdev.Stack, i netdev.Interface, ifr *Ifreq) error { ifr.Flags = i.Flags; return nil }},
	SIOCGIFMTU:    {f: func(_ *netdev.Stack, i netdev.Interface, ifr *Ifreq) error { ifr.MTU = i.MTU; return nil }},
	SIOCGIFMETRIC: {f: func(_ *netdev.Stack, _ netdev.Interface, ifr *Ifreq) error { ifr.Metric = 0; return nil }},
	SIOCGIFHWADDR: {f: getHWAddr},
	SIOCSIFFLAGS:  {admin: true, f: setFlags},
	SIOCSIFMTU: {admin: true, f: func(st *netdev.Stack, i netdev.Interface, ifr *Ifreq) error {
		return st.SetMTU(i.Index, ifr.MTU)
	}},
	SIOCSIFMETRIC: {admin: true, f: func(*netdev.Stack, netdev.Interface, *Ifreq) error { return errno.EOPNOTSUPP }},
	SIOCSIFHWADDR: {admin: true, f: setHWAddr},
	SIOCADDMULTI:  {admin: true, f: changeMulticast((*netdev.Stack).AddGlobalMulticast)},
	SIOCDELMULTI:  {admin: true, f: changeMulticast((*netdev.Stack).RemoveGlobalMulticast)},
	SIOCETHTOOL:   {f: ethtool},
}

// hwType is the device's type, of ARPHRD_*.
func hwType(i netdev.Interface) uint16 {
	switch {
	case i.Flags&netdev.IFF_LOOPBACK != 0:
		return ARPHRD_LOOPBACK
	case len(i.HardwareAddr) == 0:
		return ARPHRD_NONE
	}
	return ARPHRD_ETHER
}

func getHWAddr(_ *netdev.Stack, i netdev.Interface, ifr *Ifreq) error {
	ifr.HWType, ifr.HWAddr = hwType(i), i.HardwareAddr
	if i.Flags&netdev.IFF_LOOPBACK != 0 {
		ifr.HWAddr = make(net.HardwareAddr, 6)
	}
	return nil
}

func setHWAddr(st *netdev.Stack, i netdev.Interface, ifr *Ifreq) error {
	if ifr.HWType != hwType(i) {
		return errno.EINVAL
	}
	return st.SetHardwareAddr(i.Index, ifr.HWAddr)
}

// changeMulticast is SIOCADDMULTI or SIOCDELMULTI. EINVAL with a family.
func changeMulticast(change func(*netdev.Stack, int, net.HardwareAddr) error) func(*netdev.Stack, netdev.Interface, *Ifreq) error {
	return func(st *netdev.Stack, i netdev.Interface, ifr *Ifreq) error {
		if ifr.HWType != AF_UNSPEC {
			return errno.EINVAL
		}
		var addr [ethAddrLen]byte
		copy(addr[:], ifr.HWAddr)
		return change(st, i.Index, addr[:])
	}
}

// ethAddrLen is the length of an Ethernet address, ETH_ALEN.
const ethAddrLen = 6

// setFlags acts on IFF_UP, IFF_PROMISC and IFF_ALLMULTI; the others are ignored, as Linux
// ignores what a program may not set (dev_change_flags).
func setFlags(st *netdev.Stack, i netdev.Interface, ifr *Ifreq) error {
	changed := i.Flags ^ ifr.Flags
	if changed&netdev.IFF_PROMISC != 0 {
		if err := st.SetPromiscuous(i.Index, ifr.Flags&netdev.IFF_PROMISC != 0); err != nil {
			return err
		}
	}
	if changed&netdev.IFF_ALLMULTI != 0 {
		if err := st.SetAllMulticast(i.Index, ifr.Flags&netdev.IFF_ALLMULTI != 0); err != nil {
			return err
		}
	}
	if changed&netdev.IFF_UP != 0 {
		return st.SetUp(i.Index, ifr.Flags&netdev.IFF_UP != 0)
	}
	return nil
}

// ethtool is Linux's dev_ethtool, for the state of the link and statistics.
func ethtool(_ *netdev.Stack, i netdev.Interface, ifr *Ifreq) error {
	switch v := ifr.Data.(type) {
	case *EthtoolValue:
		if v.Cmd != ETHTOOL_GLINK {
			return errno.EOPNOTSUPP
		}
		v.Data = uint32(BoolInt(i.Flags&netdev.IFF_UP != 0 && i.Flags&netdev.IFF_RUNNING != 0))
		return nil
	case *EthtoolStats:
		c := i.Counters
		v.Names = []string{"rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_errors", "rx_unknown", "tx_dropped"}
		v.Values = []uint64{c.RxPackets, c.RxBytes, c.TxPackets, c.TxBytes, c.RxErrors, c.RxUnknown, c.TxDropped}
		return nil
	}
	return errno.EFAULT
}

// devPrivate hands SIOCDEVPRIVATE and what follows to the driver
// (dev_siocdevprivate).
func (sk *Sock) devPrivate(cmd uint, arg any) error {
	ifr, ok := arg.(*Ifreq)
	if !ok {
		return errno.EFAULT
	}
	i, err := sk.Device(ifr.Name)
	if err != nil {
		return err
	}
	f := sk.Net.PrivateIoctl(i.Index)
	switch {
	case f == nil:
		return errno.EOPNOTSUPP
	case i.Flags&netdev.IFF_UP == 0:
		return errno.ENODEV
	}
	return f(cmd, ifr.Data)
}

// ifConf is Linux's dev_ifconf.
func (sk *Sock) ifConf(arg any) error {
	c, ok := arg.(*Ifconf)
	if !ok {
		return errno.EFAULT
	}
	n := 0
	for _, i := range sk.Net.Interfaces() {
		for _, p := range i.Addresses {
			if !p.Addr().Is4() {
				continue
			}
			if c.Req != nil {
				if n == len(c.Req) {
					break
				}
				c.Req[n] = Ifreq{Name: i.Name, Addr: SockaddrFrom(netip.AddrPortFrom(p.Addr(), 0))}
			}
			n++
		}
	}
	c.Count = n
	return nil
}
