package virtionet

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tamanet/tamanet/drivers/nic"
)

var (
	_ nic.Promiscuous = (*Device)(nil)
	_ nic.Multicast   = (*Device)(nil)
	_ nic.MACSetter   = (*Device)(nil)
	_ nic.VLANFilter  = (*Device)(nil)
)

// maxGroups is how many groups are filtered for; with more, all are received. QEMU's table has 64
// entries.
const maxGroups = 64

// filter says which frames are to be received. What a device does not filter, because it cannot, comes up
// all the same.
type filter struct {
	mac         nic.MAC
	promiscuous bool
	// groups are those that are received; all when nil.
	groups []nic.MAC
	// vlans are sorted, without 0.
	vlans []uint16
}

// SetPromiscuous implements nic.Promiscuous. Like that of the other methods here, its error is nic.ErrClosed,
// nic.ErrFailed, or wraps ErrControl: the device goes by what it was told before.
func (d *Device) SetPromiscuous(on bool) error {
	return d.setFilter(func(f *filter) { f.promiscuous = on }, func(*filter) error { return d.sendPromiscuous() })
}

// SetMulticast implements nic.Multicast.
func (d *Device) SetMulticast(groups []nic.MAC) error {
	return d.setFilter(func(f *filter) { f.groups = slices.Clone(groups) }, func(old *filter) error { return d.sendGroups(old.allGroups()) })
}

// SetMAC implements nic.MACSetter.
func (d *Device) SetMAC(m nic.MAC) error {
	if !m.Unicast() {
		return fmt.Errorf("%s: %v is not a station's address", d.info.Name, m)
	}
	return d.setFilter(func(f *filter) { f.mac = m }, func(*filter) error {
		if d.features.Has(FeatureCtrlMACAddr) {
			return d.sendMAC()
		}
		return d.sendTable()
	})
}

// SetVLANs implements nic.VLANFilter.
func (d *Device) SetVLANs(ids []uint16) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > 0 && (ids[0] == 0 || ids[len(ids)-1] > 4094) {
		return fmt.Errorf("%s: VLANs %v, want 1 to 4094", d.info.Name, ids)
	}
	return d.setFilter(func(f *filter) { f.vlans = ids }, func(old *filter) error {
		if !d.features.Has(FeatureCtrlVLAN) {
			return nil
		}
		if err := d.sendVLANs(ctrlVLANAdd, without(ids, old.vlans)); err != nil {
			return err
		}
		return d.sendVLANs(ctrlVLANDel, without(old.vlans, ids))
	})
}

// without are those of a that are not in b.
func without(a, b []uint16) (c []uint16) {
	for _, v := range a {
		if !slices.Contains(b, v) {
			c = append(c, v)
		}
	}
	return c
}

// setFilter changes the filter, and has a device that is live told of it by send, which is given the filter
// of before. A device that is not is told when it is.
func (d *Device) setFilter(change func(*filter), send func(old *filter) error) error {
	d.ctrl.mu.Lock()
	defer d.ctrl.mu.Unlock()
	s := d.now()
	if s == stateClosed || s == stateFailed {
		return s.err()
	}
	old := d.ctrl.filter
	change(&d.ctrl.filter)
	if s != stateRunning {
		return nil
	}
	var err error
	if d.ctrl.unsure {
		err = d.sendRxMode()
	}
	if err == nil {
		err = send(&old)
	}
	if d.ctrl.unsure = err != nil; err != nil {
		d.ctrl.filter = old
		return fmt.Errorf("%s: %w", d.info.Name, err)
	}
	return nil
}

// sendMAC tells the device the station's address, if it does not know it.
func (d *Device) sendMAC() error {
	if !d.features.Has(FeatureCtrlMACAddr) {
		return nil
	}
	return d.command(ctrlMACAddrSet, d.ctrl.filter.mac[:])
}

// allGroups says whether frames for all groups are received.
func (f *filter) allGroups() bool { return f.groups == nil || len(f.groups) > maxGroups }

// sendRxMode tells a device all of which frames to receive, whatever it goes by so far.
func (d *Device) sendRxMode() error {
	all := d.ctrl.filter.allGroups()
	if all {
		if err := d.switchRx(ctrlRxAllMulti, true); err != nil {
			return err
		}
	}
	if err := d.sendTable(); err != nil {
		return err
	}
	if !all {
		if err := d.switchRx(ctrlRxAllMulti, false); err != nil {
			return err
		}
	}
	return d.sendPromiscuous()
}

// sendPromiscuous tells the device whether to receive frames for others (§5.1.6.5.1).
func (d *Device) sendPromiscuous() error { return d.switchRx(ctrlRxPromisc, d.ctrl.filter.promiscuous) }

// sendGroups tells the device for which groups to receive frames. One that gets all of them, as it did when all is
// set, goes on with that until the table has come, so that none is missed in between.
func (d *Device) sendGroups(all bool) error {
	if d.ctrl.filter.allGroups() {
		if all {
			return nil
		}
		return d.switchRx(ctrlRxAllMulti, true)
	}
	if err := d.sendTable(); err != nil || !all {
		return err
	}
	return d.switchRx(ctrlRxAllMulti, false)
}

func (d *Device) switchRx(cmd command, on bool) error {
	if !d.features.Has(FeatureCtrlRX) {
		return nil
	}
	b := []byte{0}
	if on {
		b[0] = 1
	}
	return d.command(cmd, b)
}

// sendTable sends the two tables of a TABLE_SET (§5.1.6.5.2): the station's own address, where the device cannot be
// told it in another way, and the groups.
func (d *Device) sendTable() error {
	if !d.features.Has(FeatureCtrlRX) {
		return nil
	}
	f := &d.ctrl.filter
	var own, groups []nic.MAC
	if !d.features.Has(FeatureCtrlMACAddr) && f.mac != d.deviceMAC {
		own = append(own, f.mac)
	}
	if !f.allGroups() {
		groups = f.groups
	}
	var b []byte
	for _, macs := range [][]nic.MAC{own, groups} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(macs)))
		for _, m := range macs {
			b = append(b, m[:]...)
		}
	}
	return d.command(ctrlMACTableSet, b)
}

// sendVLANs sends a command for each of ids.
func (d *Device) sendVLANs(cmd command, ids []uint16) error {
	for _, id := range ids {
		if err := d.command(cmd, []byte{byte(id), byte(id >> 8)}); err != nil {
			return err
		}
	}
	return nil
}
