package netdev

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/tamanet/tamanet/net/errno"
)

// multicaster is a link whose hardware leaves out frames for groups in which nobody is interested.
type multicaster interface {
	// SetMulticast has frames for these groups received, or for all of them when groups is nil.
	SetMulticast(groups []tcpip.LinkAddress)
}

// multicast is for which groups an interface receives frames (Linux: dev->mc and dev->allmulti). All of them come
// until it is up for the first time.
type multicast struct {
	mu sync.Mutex
	// joined counts who wants a group's frames, all who want those of every group; flag is the one of them that
	// IFF_ALLMULTI is.
	joined map[tcpip.LinkAddress]int
	all    int
	flag   bool
	// global are those that an administrator wants.
	global set[tcpip.LinkAddress]
	// own are the interface's IPv6 addresses, whose solicited-node groups it is in (RFC 4291 §2.7.1).
	own set[tcpip.Address]
	// up says that the interface is set up, and the link may be told.
	up bool

	// telling is held while the link is told, which may take a while: mu is not, for it is taken in gVisor's callbacks.
	telling sync.Mutex
	told    []tcpip.LinkAddress
}

// A set is empty when it is nil.
type set[K comparable] map[K]struct{}

// put has k in the set, or not, and says whether that has changed.
func (s *set[K]) put(k K, in bool) bool {
	_, was := (*s)[k]
	switch {
	case !in:
		delete(*s, k)
	case *s == nil:
		*s = set[K]{k: {}}
	default:
		(*s)[k] = struct{}{}
	}
	return in != was
}

// everyHost are the groups that each interface is in: those of IPv4 (RFC 1112 §4) and IPv6 (RFC 4291 §2.7.1).
var everyHost = []tcpip.LinkAddress{
	header.EthernetAddressFromMulticastIPv4Address(header.IPv4AllSystems),
	header.EthernetAddressFromMulticastIPv6Address(header.IPv6AllNodesMulticastAddress),
}

// wanted lists the groups, nil when all are wanted; ok is false while the link is not to be told.
func (m *multicast) wanted() (list []tcpip.LinkAddress, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all > 0 {
		return nil, m.up
	}
	list = slices.AppendSeq(slices.Clone(everyHost), maps.Keys(m.joined))
	list = slices.AppendSeq(list, maps.Keys(m.global))
	for addr := range m.own {
		list = append(list, header.EthernetAddressFromMulticastIPv6Address(header.SolicitedNodeAddr(addr)))
	}
	slices.Sort(list)
	return slices.Compact(list), m.up
}

// tellGroups tells the link which groups are wanted, if that has changed (Linux __dev_set_rx_mode). No lock of gVisor's
// may be held: the link may wait for its device.
func (d *device) tellGroups() {
	link, ok := d.link.(multicaster)
	if !ok {
		return
	}
	m := &d.multicast
	m.telling.Lock()
	defer m.telling.Unlock()
	if list, ok := m.wanted(); ok && !slices.Equal(list, m.told) {
		link.SetMulticast(list)
		m.told = list
	}
}

// begin has the link told from now on.
func (m *multicast) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.up = true
}

// join adds n to those who want a group, by its link address.
func (m *multicast) join(group tcpip.LinkAddress, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joined == nil {
		m.joined = make(map[tcpip.LinkAddress]int)
	}
	if m.joined[group] += n; m.joined[group] <= 0 {
		delete(m.joined, group)
	}
}

// assign notes that the interface has an address, or no longer has it, and says whether the link may be told.
func (m *multicast) assign(addr tcpip.Address, has bool) (up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if addr.Len() == header.IPv6AddressSize {
		m.own.put(addr, has)
	}
	return m.up
}

// assigned notes such a change that gVisor has made by itself, with locks held that receiving takes, too.
func (s *Stack) assigned(id tcpip.NICID, addr tcpip.Address, has bool) {
	if d := s.device(int(id)); d != nil && d.multicast.assign(addr, has) {
		go d.tellGroups()
	}
}

// AddMulticast has frames for a group's hardware address received on an interface, as often as RemoveMulticast is
// called for it (Linux net/core/dev_addr_lists.c dev_mc_add). When it returns, the device has been told. ENODEV.
func (s *Stack) AddMulticast(index int, group net.HardwareAddr) error {
	return s.changeMulticast(index, func(m *multicast) { m.join(tcpip.LinkAddress(group), 1) })
}

// RemoveMulticast takes an AddMulticast back (dev_mc_del). ENODEV.
func (s *Stack) RemoveMulticast(index int, group net.HardwareAddr) error {
	return s.changeMulticast(index, func(m *multicast) { m.join(tcpip.LinkAddress(group), -1) })
}

// AddGlobalMulticast is AddMulticast for an administrator, who wants a group or does not (dev_mc_add_global). EINVAL for a
// link that filters nothing, ENODEV.
func (s *Stack) AddGlobalMulticast(index int, group net.HardwareAddr) error {
	_, err := s.setGlobal(index, group, true)
	return err
}

// RemoveGlobalMulticast takes an AddGlobalMulticast back (dev_mc_del_global). ENOENT when there was none, EINVAL for a
// link that filters nothing, ENODEV.
func (s *Stack) RemoveGlobalMulticast(index int, group net.HardwareAddr) error {
	there, err := s.setGlobal(index, group, false)
	if err == nil && !there {
		err = errno.ENOENT
	}
	return err
}

func (s *Stack) setGlobal(index int, group net.HardwareAddr, on bool) (changed bool, err error) {
	if d := s.device(index); d != nil {
		if _, filters := d.link.(multicaster); !filters {
			return false, errno.EINVAL
		}
	}
	err = s.changeMulticast(index, func(m *multicast) {
		m.mu.Lock()
		defer m.mu.Unlock()
		changed = m.global.put(tcpip.LinkAddress(group), on)
	})
	return changed, err
}

// AddAllMulticast has n more callers, or -n fewer, want the frames for all groups (dev_set_allmulti). ENODEV.
func (s *Stack) AddAllMulticast(index, n int) error {
	return s.changeMulticast(index, func(m *multicast) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.all += n
	})
}

// SetAllMulticast sets or clears an interface's IFF_ALLMULTI, which is one of those that AddAllMulticast counts. ENODEV.
func (s *Stack) SetAllMulticast(index int, on bool) error {
	return s.changeMulticast(index, func(m *multicast) {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch {
		case on && !m.flag:
			m.all++
		case !on && m.flag:
			m.all--
		}
		m.flag = on
	})
}

// isAll says whether IFF_ALLMULTI is set.
func (m *multicast) isAll() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flag
}

func (s *Stack) changeMulticast(index int, change func(*multicast)) error {
	d := s.device(index)
	if d == nil {
		return errno.ENODEV
	}
	change(&d.multicast)
	d.tellGroups()
	return nil
}

// JoinedGroup has the frames of an IP group received on an interface, for a socket that has joined it, until LeftGroup
// is called as often (Linux ip_mc_filter_add). ENODEV.
func (s *Stack) JoinedGroup(index int, group netip.Addr) error {
	return s.AddMulticast(index, groupAddr(group))
}

// LeftGroup takes a JoinedGroup back (ip_mc_filter_del). ENODEV.
func (s *Stack) LeftGroup(index int, group netip.Addr) error {
	return s.RemoveMulticast(index, groupAddr(group))
}

// groupAddr is the Ethernet address of an IP group (RFC 1112 §6.4, RFC 2464 §7).
func groupAddr(group netip.Addr) net.HardwareAddr {
	if group.Is4() {
		return net.HardwareAddr(header.EthernetAddressFromMulticastIPv4Address(ToTCPIP(group)))
	}
	return net.HardwareAddr(header.EthernetAddressFromMulticastIPv6Address(ToTCPIP(group)))
}
