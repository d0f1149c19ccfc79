package link_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/internal/sockettest"
	"github.com/tamanet/tamanet/net/link"
	"github.com/tamanet/tamanet/net/netdev"
	afpacket "github.com/tamanet/tamanet/net/packet"
	"github.com/tamanet/tamanet/net/socket"
)

// A filterRig is a task whose eth0 is a virtio-net device that drops what its driver has not asked for.
type filterRig struct {
	*socket.Task
	net   *virtionettest.Net
	index int
	in    int // a packet socket that has every frame of the tests' protocol
}

func newFilterRig(t *testing.T, offered virtio.Features) *filterRig {
	t.Helper()
	r := &filterRig{net: virtionettest.New(nic.MAC{2, 0, 0, 0, 0, 1}, 1500, 64).Offer(offered)}
	r.net.Filtering = true
	ep, err := link.New(r.net.NewDriver(t), link.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.net.Stop(t) })
	r.Task = sockettest.NewTask(t)
	r.net.Start(func([]byte) {})
	addrs := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::12:3456/64")}
	if r.index, err = r.Net.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: ep, Addresses: addrs}); err != nil {
		t.Fatal(err)
	}
	if r.in, err = r.Socket(socket.AF_PACKET, socket.SOCK_RAW, int(bits.ReverseBytes16(uint16(protocol)))); err != nil {
		t.Fatal(err)
	}
	return r
}

// comesUp has the wire deliver a frame for a group, and one behind it that is for the station, and says whether the first
// of them came up.
func (r *filterRig) comesUp(t *testing.T, group string) bool {
	t.Helper()
	for _, dst := range []tcpip.LinkAddress{tcpip.LinkAddress(group), ourMAC} {
		f := ethernet(dst, otherMAC, protocol, fmt.Sprintf("%46s", "x"))
		waitFor(t, "a receive buffer", func() bool { return r.net.DeliverWait(f) })
	}
	for first := ""; ; first = "seen" {
		b := make([]byte, 100)
		if _, err := r.Recv(r.in, b, 0); err != nil {
			t.Fatal(err)
		}
		switch dst := tcpip.LinkAddress(b[:6]); {
		case dst == ourMAC:
			return first != ""
		case first != "" || string(dst) != group:
			t.Fatalf("a frame for %x came up", dst)
		}
	}
}

// set calls SetSockOpt with an int32 array's bytes behind addr.
func (r *filterRig) set(t *testing.T, fd, level, name int, addr []byte, more ...uint32) {
	t.Helper()
	for _, v := range more {
		addr = binary.NativeEndian.AppendUint32(addr, v)
	}
	if err := r.SetSockOpt(fd, level, name, addr); err != nil {
		t.Fatalf("option %d.%d: %v", level, name, err)
	}
}

// ioctl calls Ioctl about a group of eth0's.
func (r *filterRig) ioctl(t *testing.T, fd int, cmd uint, group string) {
	t.Helper()
	if err := r.Ioctl(fd, cmd, &socket.Ifreq{Name: "eth0", HWAddr: []byte(group)}); err != nil {
		t.Fatalf("ioctl %#x: %v", cmd, err)
	}
}

// TestJoinedGroupsAreReceived joins and leaves groups by every kind of socket: their frames come up as long as a socket is in
// the group, those of other groups do not, and never at any time those that every host has to hear.
func TestJoinedGroupsAreReceived(t *testing.T) {
	const (
		allSystems = "\x01\x00\x5e\x00\x00\x01"
		allNodes   = "\x33\x33\x00\x00\x00\x01"
		solicited  = "\x33\x33\xff\x12\x34\x56" // by 2001:db8::12:3456
		linkLocal  = "\x33\x33\xff\x00\x00\x01" // by fe80::ff:fe00:1
		added      = "\x33\x33\xff\x00\xab\xcd"
		four       = "\x01\x00\x5e\x01\x02\x03" // 239.1.2.3, 239.129.2.3
		six        = "\x33\x33\x00\x00\x00\x42" // ff02::42
	)
	var (
		mreq4    = []byte{239, 1, 2, 3, 192, 0, 2, 1}
		same4    = []byte{239, 129, 2, 3, 192, 0, 2, 1}
		group6   = netip.MustParseAddr("ff02::42").AsSlice()
		station6 = netip.MustParsePrefix("2001:db8::abcd/64")
		always   = []string{allSystems, allNodes, solicited, linkLocal}
		all      = append([]string{four, six, added}, always...)
	)
	r := newFilterRig(t, virtionet.FeatureCtrlVQ|virtionet.FeatureCtrlRX)
	open := func(family, typ, protocol int) int {
		fd, err := r.Socket(family, typ, protocol)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	udp4, udp6 := open(socket.AF_INET, socket.SOCK_DGRAM, 0), open(socket.AF_INET6, socket.SOCK_DGRAM, 0)
	udp0 := open(socket.AF_INET, socket.SOCK_DGRAM, 0)
	raw4 := open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
	pkt := open(socket.AF_PACKET, socket.SOCK_RAW, 0)
	packetMreq := func(name int, kind byte, addr string) {
		b := binary.NativeEndian.AppendUint32(nil, uint32(r.index))
		b = append(b, kind, 0, byte(len(addr)), 0)
		r.set(t, pkt, socket.SOL_PACKET, name, append(b, append([]byte(addr), make([]byte, 8-len(addr))...)...))
	}
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"as set up", func() {}, always},
		{"UDP joins", func() { r.set(t, udp4, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, mreq4) }, append(always, four)},
		{"a raw socket, too", func() { r.set(t, raw4, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, mreq4) }, append(always, four)},
		{"UDP leaves", func() { r.set(t, udp4, socket.SOL_IP, inet.IP_DROP_MEMBERSHIP, mreq4) }, append(always, four)},
		{"joins one with the same address", func() { r.set(t, udp4, socket.SOL_IP, inet.IP_ADD_MEMBERSHIP, same4) }, append(always, four)},
		{"the raw socket is closed", func() { r.Close(raw4) }, append(always, four)},
		{"UDP is closed", func() { r.Close(udp4) }, always},
		{"IPv6 joins", func() { r.set(t, udp6, socket.SOL_IPV6, inet.IPV6_ADD_MEMBERSHIP, group6, uint32(r.index)) }, append(always, six)},
		{"a packet socket, too", func() { packetMreq(afpacket.PACKET_ADD_MEMBERSHIP, afpacket.PACKET_MR_MULTICAST, six) }, append(always, six)},
		{"IPv6 is closed", func() { r.Close(udp6) }, append(always, six)},
		{"the packet socket leaves", func() { packetMreq(afpacket.PACKET_DROP_MEMBERSHIP, afpacket.PACKET_MR_MULTICAST, six) }, always},
		{"it wants all", func() { packetMreq(afpacket.PACKET_ADD_MEMBERSHIP, afpacket.PACKET_MR_ALLMULTI, "") }, all},
		{"it is closed", func() { r.Close(pkt) }, always},
		{"an address more", func() { r.Net.AddAddress(r.index, station6) }, append(always, added)},
		{"it is gone", func() { r.Net.RemoveAddress(r.index, station6) }, always},
		{"an administrator wants one", func() { r.ioctl(t, udp0, socket.SIOCADDMULTI, four) }, append(always, four)},
		{"no more", func() { r.ioctl(t, udp0, socket.SIOCDELMULTI, four) }, always},
		{"IFF_ALLMULTI", func() { r.Net.SetAllMulticast(r.index, true) }, all},
		{"no more", func() { r.Net.SetAllMulticast(r.index, false) }, always},
	} {
		step.do()
		for _, group := range all {
			if up := r.comesUp(t, group); up != slices.Contains(step.want, group) {
				t.Errorf("%s: frame for %x comes up: %v", step.name, group, up)
			}
		}
	}
}

// TestMoreGroupsThanTheDeviceHolds: with more groups than fit its table, the device passes all.
func TestMoreGroupsThanTheDeviceHolds(t *testing.T) {
	r := newFilterRig(t, virtionet.FeatureCtrlVQ|virtionet.FeatureCtrlRX)
	group := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{239, 1, 1, byte(i)}) }
	mac := func(i int) string { return string([]byte{1, 0, 0x5e, 1, 1, byte(i)}) }
	for i := range 100 {
		if err := r.Net.JoinedGroup(r.index, group(i)); err != nil {
			t.Fatal(err)
		}
	}
	if !r.comesUp(t, mac(0)) || !r.comesUp(t, mac(99)) {
		t.Error("a joined group is filtered")
	}
	for i := 1; i < 100; i++ {
		r.Net.LeftGroup(r.index, group(i))
	}
	if !r.comesUp(t, mac(0)) || r.comesUp(t, mac(99)) {
		t.Error("with one group left it is filtered, or another one is not")
	}
}

// refusing is a device whose filter takes no list.
type refusing struct {
	*device
	told [][]nic.MAC
}

func (d *refusing) SetMulticast(groups []nic.MAC) error {
	d.told = append(d.told, groups)
	if groups != nil {
		return errors.New("table is broken")
	}
	return nil
}

// TestFilterThatIsRefused: a device that does not take a list of groups is to receive all.
func TestFilterThatIsRefused(t *testing.T) {
	d := &refusing{device: newDevice()}
	e := newEndpoint(t, d, link.Options{})
	e.SetMulticast([]tcpip.LinkAddress{"\x01\x00\x5e\x00\x00\x01"})
	if len(d.told) != 2 || len(d.told[0]) != 1 || d.told[0][0] != (nic.MAC{1, 0, 0x5e, 0, 0, 1}) || d.told[1] != nil {
		t.Errorf("device was told %v", d.told)
	}
}
