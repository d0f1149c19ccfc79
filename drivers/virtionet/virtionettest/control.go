package virtionettest

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
)

// Answers to a command (VIRTIO 1.2 §5.1.6.5). NoAnswer has the device keep the command.
const (
	OK       = 0
	Err      = 1
	NoAnswer = -1
)

// filter is what a driver has asked for by commands.
type filter struct {
	promiscuous, allMulti bool
	mac                   nic.MAC
	own, groups           []nic.MAC
	vlans                 map[uint16]bool
	pairs, announced      int
}

// reset is the state of a device whose driver has asked for nothing, which is that of QEMU's too.
func (f *filter) reset(mac nic.MAC) {
	*f = filter{promiscuous: true, mac: mac, vlans: map[uint16]bool{}, pairs: 1, announced: f.announced}
}

// controlQueue is behind those of all pairs, if the driver knows of them (§5.1.2).
func (n *Net) controlQueue() int {
	if n.Accepted().Has(virtionet.FeatureMQ) {
		return 2 * n.pairs
	}
	return 2
}

// Pairs is how many queue pairs the driver has asked to use.
func (n *Net) Pairs() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.filter.pairs
}

// HasVLAN says whether the driver has asked for a VLAN.
func (n *Net) HasVLAN(id uint16) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.filter.vlans[id]
}

// Announced counts the announcements that the driver has acknowledged.
func (n *Net) Announced() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.filter.announced
}

// Announce asks the driver to announce its station (§5.1.6.5.4).
func (n *Net) Announce() { n.SetConfig(func(config []byte) { config[6] |= 2 }) }

// control answers the commands that wait.
func (n *Net) control() {
	q := n.Queue(n.controlQueue())
	for {
		c, ok, err := q.Next()
		if err != nil {
			n.fail(err)
		}
		if !ok {
			return
		}
		var b []byte
		for _, o := range c.Out {
			b = append(b, o...)
		}
		if len(b) < 2 || len(c.In) != 1 || len(c.In[0]) != 1 {
			n.fail(fmt.Errorf("a command of %d bytes with room for an answer %d", len(b), len(c.In)))
			return
		}
		command := binary.BigEndian.Uint16(b)
		ack := n.perform(command, b[2:])
		if n.OnCommand != nil {
			ack = n.OnCommand(command, b[2:], ack)
		}
		if n.kept = uint32(c.Head); ack != NoAnswer {
			c.In[0][0] = byte(ack)
			q.Finish(n.kept, 1)
		}
	}
}

// FinishKept answers the command that was left without an answer: that it is refused.
func (n *Net) FinishKept() {
	n.Work(func() { n.Queue(n.controlQueue()).Finish(n.kept, 1) })
}

// perform does a command. What is malformed is the driver's fault.
func (n *Net) perform(command uint16, data []byte) (ack int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := &n.filter
	needs, size := virtio.Features(0), 0
	switch command >> 8 {
	case 0:
		needs, size = virtionet.FeatureCtrlRX, 1
	case 1:
		needs, size = virtionet.FeatureCtrlRX, len(data)
		if command == 0x0101 {
			needs, size = virtionet.FeatureCtrlMACAddr, 6
		}
	case 2:
		needs, size = virtionet.FeatureCtrlVLAN, 2
	case 3:
		needs = virtionet.FeatureGuestAnnounce
	case 4:
		needs, size = virtionet.FeatureMQ, 2
	}
	if !n.Accepted().Has(needs) || len(data) != size || !n.do(f, command, data) {
		n.errs = append(n.errs, fmt.Errorf("command %#04x with %x", command, data))
		return Err
	}
	return OK
}

// do changes the filter. The lock is held, and data of the command's size.
func (n *Net) do(f *filter, command uint16, data []byte) (ok bool) {
	switch command {
	case 0x0000:
		f.promiscuous = data[0] != 0
	case 0x0001:
		f.allMulti = data[0] != 0
	case 0x0100:
		var own, groups []nic.MAC
		rest, ok := macs(data, &own)
		if ok {
			rest, ok = macs(rest, &groups)
		}
		if !ok || len(rest) != 0 {
			return false
		}
		f.own, f.groups = own, groups
	case 0x0101:
		copy(f.mac[:], data)
	case 0x0200:
		f.vlans[binary.LittleEndian.Uint16(data)] = true
	case 0x0201:
		delete(f.vlans, binary.LittleEndian.Uint16(data))
	case 0x0300:
		f.announced++
		n.UpdateConfig(func(config []byte) { config[6] &^= 2 })
	case 0x0400:
		v := int(binary.LittleEndian.Uint16(data))
		if v < 1 || v > n.pairs || !n.Queue(2*v-1).Ready() {
			return false
		}
		f.pairs = v
	default:
		return false
	}
	return true
}

// macs reads one table.
func macs(b []byte, list *[]nic.MAC) (rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, false
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(len(b)) < 6*uint64(count) {
		return nil, false
	}
	for range count {
		*list = append(*list, nic.MAC(b[:6]))
		b = b[6:]
	}
	return b, true
}

// wanted says whether the driver has asked for a frame.
func (n *Net) wanted(frame []byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, accepted := &n.filter, n.Accepted()
	if !n.Filtering || len(frame) < nic.HeaderLen || f.promiscuous {
		return true
	}
	if accepted.Has(virtionet.FeatureCtrlVLAN) && frame[12] == 0x81 && frame[13] == 0 && !f.vlans[binary.BigEndian.Uint16(frame[14:])&0xfff] {
		return false
	}
	dst := nic.MAC(frame[:6])
	switch {
	case dst == nic.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return true
	case dst[0]&1 != 0:
		return f.allMulti || slices.Contains(f.groups, dst)
	default:
		return dst == f.mac || slices.Contains(f.own, dst)
	}
}
