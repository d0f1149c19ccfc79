package netdev_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
)

// hearing is a link that says what it is told of groups.
type hearing struct {
	*channel.Endpoint
	told chan []tcpip.LinkAddress
}

func (h hearing) SetMulticast(groups []tcpip.LinkAddress) { h.told <- groups }

// next waits until the link is told something.
func (h hearing) next(t *testing.T, what string) []tcpip.LinkAddress {
	t.Helper()
	select {
	case groups := <-h.told:
		return groups
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: the link is not told", what)
		return nil
	}
}

// TestGroupsOfTheInterface: an interface is in the groups that every host is in, and in the solicited-node groups of
// its IPv6 addresses (RFC 4291 §2.8), the one that it gives itself included. The link is told of all at once.
func TestGroupsOfTheInterface(t *testing.T) {
	const (
		allSystems = "\x01\x00\x5e\x00\x00\x01"
		allNodes   = "\x33\x33\x00\x00\x00\x01"
		linkLocal  = "\x33\x33\xff\x00\x00\x01"
		global     = "\x33\x33\xff\x12\x34\x56"
	)
	group := net.HardwareAddr{1, 0, 0x5e, 1, 2, 3}
	s := newStack(t, netdev.Config{})
	l := hearing{newLink(t), make(chan []tcpip.LinkAddress, 10)}
	index, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: l, Addresses: prefixes("192.0.2.1/24", "2001:db8::12:3456/64")})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func() error
		want []tcpip.LinkAddress
	}{
		{"added", func() error { return nil }, []tcpip.LinkAddress{allSystems, allNodes, linkLocal, global}},
		{"down", func() error { return s.SetUp(index, false) }, []tcpip.LinkAddress{allSystems, allNodes, global}},
		{"up", func() error { return s.SetUp(index, true) }, []tcpip.LinkAddress{allSystems, allNodes, linkLocal, global}},
		{"without the address", func() error { return s.RemoveAddress(index, netip.MustParsePrefix("2001:db8::12:3456/64")) },
			[]tcpip.LinkAddress{allSystems, allNodes, linkLocal}},
		{"a solicited-node group joined", func() error { return s.JoinedGroup(index, netip.MustParseAddr("ff02::1:ff12:3456")) },
			[]tcpip.LinkAddress{allSystems, allNodes, linkLocal, global}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got := l.next(t, step.name)
		slices.Sort(step.want)
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: link was told %x, want %x", step.name, got, step.want)
		}
	}
	if err := errors.Join(s.AddGlobalMulticast(index, group), s.AddGlobalMulticast(index, group), s.RemoveGlobalMulticast(index, group)); err != nil {
		t.Error(err)
	}
	l.next(t, "added by an administrator")
	if got := l.next(t, "removed, though added twice"); slices.Contains(got, tcpip.LinkAddress(group)) {
		t.Errorf("link was told %x", got)
	}
	if err := s.RemoveGlobalMulticast(index, group); err != errno.ENOENT {
		t.Errorf("removed once more: %v, want ENOENT", err)
	}
	select {
	case got := <-l.told:
		t.Errorf("link was told %x again", got)
	default:
	}
	if err := s.JoinedGroup(99, netip.MustParseAddr("224.0.0.5")); err != errno.ENODEV {
		t.Errorf("no such interface: %v, want ENODEV", err)
	}
}

// TestAddressThatAnotherStationHas: with an address that was found to be another station's, the interface gives its
// solicited-node group up (RFC 4862 §5.4.5).
func TestAddressThatAnotherStationHas(t *testing.T) {
	s := newStack(t, netdev.Config{})
	l := hearing{newLink(t), make(chan []tcpip.LinkAddress, 10)}
	index, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: l})
	if err != nil {
		t.Fatal(err)
	}
	l.next(t, "added")
	ep, terr := s.IP().GetNetworkEndpoint(tcpip.NICID(index), header.IPv6ProtocolNumber)
	if terr != nil {
		t.Fatal(terr)
	}
	ep.(stack.DuplicateAddressDetector).SetDADConfigurations(stack.DADConfigurations{DupAddrDetectTransmits: 1, RetransmitTimer: time.Hour})
	if err := s.AddAddress(index, netip.MustParsePrefix("2001:db8::12:3456/64")); err != nil {
		t.Fatal(err)
	}
	const solicited = "\x33\x33\xff\x12\x34\x56"
	if got := l.next(t, "with the address"); !slices.Contains(got, solicited) {
		t.Fatalf("link was told %x", got)
	}
	l.advertise(netip.MustParseAddr("2001:db8::12:3456"))
	if got := l.next(t, "the address is taken"); slices.Contains(got, solicited) {
		t.Errorf("link was told %x", got)
	}
}

// advertise has a neighbour say that an address is its own.
func (h hearing) advertise(addr netip.Addr) {
	ip, dst := tcpip.AddrFrom16(addr.As16()), header.IPv6AllNodesMulticastAddress
	b := make([]byte, header.IPv6MinimumSize+header.ICMPv6NeighborAdvertMinimumSize)
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: header.ICMPv6NeighborAdvertMinimumSize, TransportProtocol: header.ICMPv6ProtocolNumber,
		HopLimit: header.NDPHopLimit, SrcAddr: ip, DstAddr: dst,
	})
	icmp := header.ICMPv6(b[header.IPv6MinimumSize:])
	icmp.SetType(header.ICMPv6NeighborAdvert)
	header.NDPNeighborAdvert(icmp.MessageBody()).SetTargetAddress(ip)
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: icmp, Src: ip, Dst: dst}))
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
	h.InjectInbound(header.IPv6ProtocolNumber, pkt)
	pkt.DecRef()
}
