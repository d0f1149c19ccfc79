package enet

import (
	"fmt"
	"hash/crc32"

	"github.com/tamanet/tamanet/drivers/nic"
)

// filter says which frames are received.
type filter struct {
	mac         nic.MAC
	promiscuous bool
	// groups has a bit for each value of groupHash.
	groups uint64
}

// rcr is the filter's part of RCR.
func (f *filter) rcr() uint32 {
	if f.promiscuous {
		return rcrPROM
	}
	return 0
}

func (f *filter) allMulticast() { f.groups = ^uint64(0) }

// groupHash is the upper six bits of the address's CRC, not inverted (§22.6.6).
func groupHash(m nic.MAC) uint { return uint(^crc32.ChecksumIEEE(m[:]) >> 26) }

// writeFilter writes the address and the group filter; the lock is held. No other unicast address
// is received, so the individual filter stays empty.
func (d *Device) writeFilter() {
	m := d.filter.mac
	d.regs.Write32(regPALR, uint32(m[0])<<24|uint32(m[1])<<16|uint32(m[2])<<8|uint32(m[3]))
	d.regs.Write32(regPAUR, uint32(m[4])<<24|uint32(m[5])<<16)
	d.regs.Write32(regIAUR, 0)
	d.regs.Write32(regIALR, 0)
	d.regs.Write32(regGAUR, uint32(d.filter.groups>>32))
	d.regs.Write32(regGALR, uint32(d.filter.groups))
}

// SetMulticast implements nic.Multicast. The filter is a hash of 64 values, so some
// groups that were not asked for come too.
func (d *Device) SetMulticast(groups []nic.MAC) error {
	return d.setFilter(func(f *filter) {
		if groups == nil {
			f.allMulticast()
			return
		}
		f.groups = 0
		for _, g := range groups {
			f.groups |= 1 << groupHash(g)
		}
	})
}

// SetMAC implements nic.MACSetter.
func (d *Device) SetMAC(m nic.MAC) error {
	if !m.Unicast() {
		return fmt.Errorf("%s: %v is not a station's address", d.info.Name, m)
	}
	return d.setFilter(func(f *filter) { f.mac = m })
}

// SetPromiscuous implements nic.Promiscuous.
func (d *Device) SetPromiscuous(on bool) error {
	return d.setFilter(func(f *filter) { f.promiscuous = on })
}

func (d *Device) setFilter(change func(*filter)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.state {
	case stateClosed:
		return nic.ErrClosed
	case stateFailed:
		return nic.ErrFailed
	}
	change(&d.filter)
	if d.state == stateRunning { // else the MAC gets it when it starts
		d.writeFilter()
		d.regs.Write32(regRCR, d.regs.Read32(regRCR)&^rcrPROM|d.filter.rcr())
	}
	return nil
}
