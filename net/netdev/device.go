package netdev

import (
	"errors"
	"net"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
)

// device is what is behind an interface, and what is asked of it beyond gVisor's link endpoint.
type device struct {
	link stack.LinkEndpoint

	mu sync.Mutex
	// promiscuity counts who wants every frame; flag is the one of them that IFF_PROMISC is.
	promiscuity int
	flag        bool

	multicast multicast
}

// promiscuous is a link whose hardware filters.
type promiscuous interface {
	SetPromiscuous(on bool) error
}

// addressed is a link whose hardware has to know the interface's address.
type addressed interface {
	SetHardwareAddr(tcpip.LinkAddress) error
}

// device returns what is behind an interface, nil when there is no such interface.
func (s *Stack) device(index int) *device {
	d, _ := s.devices.Load(tcpip.NICID(index))
	dev, _ := d.(*device)
	return dev
}

// isPromiscuous says whether anybody wants every frame.
func (d *device) isPromiscuous() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.promiscuity > 0
}

// add changes the count. mu is held.
func (d *device) add(n int) error {
	was := d.promiscuity
	if on := was+n > 0; on != (was > 0) {
		if p, ok := d.link.(promiscuous); ok {
			if err := p.SetPromiscuous(on); err != nil {
				return errors.Join(errno.EIO, err)
			}
		}
	}
	d.promiscuity = was + n
	return nil
}

// AddPromiscuity has n more callers, or -n fewer, want all frames of an interface, also those for other
// stations; they are seen by packet sockets alone (Linux net/core/dev.c dev_set_promiscuity).
// ENODEV; EIO when the device refuses, which then goes on as before.
func (s *Stack) AddPromiscuity(index, n int) error {
	d := s.device(index)
	if d == nil {
		return errno.ENODEV
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.add(n)
}

// SetPromiscuous sets or clears an interface's IFF_PROMISC, which is one of those that AddPromiscuity
// counts. Its errors are the same.
func (s *Stack) SetPromiscuous(index int, on bool) error {
	d := s.device(index)
	if d == nil {
		return errno.ENODEV
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flag == on {
		return nil
	}
	n := 1
	if !on {
		n = -1
	}
	if err := d.add(n); err != nil {
		return err
	}
	d.flag = on
	return nil
}

// SetHardwareAddr sets an interface's hardware address, of 6 bytes. EADDRNOTAVAIL for one that no
// station can have, EOPNOTSUPP where the link has none, ENODEV; EIO when the device refuses it.
func (s *Stack) SetHardwareAddr(index int, addr net.HardwareAddr) error {
	i, ok := s.InterfaceByIndex(index)
	d := s.device(index)
	switch {
	case !ok || d == nil:
		return errno.ENODEV
	case i.Flags&IFF_LOOPBACK != 0 || len(i.HardwareAddr) == 0:
		return errno.EOPNOTSUPP
	case len(addr) != header.EthernetAddressSize || addr[0]&1 != 0:
		return errno.EADDRNOTAVAIL
	}
	if a, ok := d.link.(addressed); ok {
		if err := a.SetHardwareAddr(tcpip.LinkAddress(addr)); err != nil {
			return errors.Join(errno.EIO, err)
		}
	}
	defer s.changed()
	return deviceError(s.ip.SetNICAddress(tcpip.NICID(index), tcpip.LinkAddress(addr)))
}
