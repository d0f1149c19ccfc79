package netdev_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
)

// filtering is a link whose hardware filters, and may refuse.
type filtering struct {
	*channel.Endpoint
	told   []string
	refuse bool
}

func (f *filtering) say(what string) error {
	if f.refuse {
		return errors.New("hardware refuses")
	}
	f.told = append(f.told, what)
	return nil
}

func (f *filtering) SetPromiscuous(on bool) error { return f.say(fmt.Sprint(on)) }
func (f *filtering) SetHardwareAddr(a tcpip.LinkAddress) error {
	return f.say(net.HardwareAddr(a).String())
}

// TestPromiscuityReachesTheDevice: IFF_PROMISC and those who count are told apart, and the device hears of the first
// and the last (Linux: dev_set_promiscuity, __dev_change_flags).
func TestPromiscuityReachesTheDevice(t *testing.T) {
	s := newStack(t, netdev.Config{})
	l := &filtering{Endpoint: newLink(t)}
	index, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: l})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		do   func() error
		want bool
		told []string
	}{
		{func() error { return s.AddPromiscuity(index, 1) }, true, []string{"true"}},
		{func() error { return s.SetPromiscuous(index, true) }, true, []string{"true"}},
		{func() error { return s.SetPromiscuous(index, true) }, true, []string{"true"}},
		{func() error { return s.AddPromiscuity(index, -1) }, true, []string{"true"}},
		{func() error { return s.SetPromiscuous(index, false) }, false, []string{"true", "false"}},
		{func() error { return s.SetPromiscuous(index, false) }, false, []string{"true", "false"}},
	} {
		if err := step.do(); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
		it, _ := s.InterfaceByIndex(index)
		if on := it.Flags&netdev.IFF_PROMISC != 0; on != step.want || !slices.Equal(l.told, step.told) {
			t.Errorf("step %d: IFF_PROMISC %v, want %v; device was told %v, want %v", i, on, step.want, l.told, step.told)
		}
	}
	l.refuse = true
	if err := s.SetPromiscuous(index, true); !errors.Is(err, errno.EIO) {
		t.Errorf("refused: %v, want EIO", err)
	}
	if it, _ := s.InterfaceByIndex(index); it.Flags&netdev.IFF_PROMISC != 0 {
		t.Error("IFF_PROMISC although the device refuses")
	}
	l.refuse = false
	if err := s.SetPromiscuous(index, true); err != nil {
		t.Errorf("no more refused: %v", err)
	}
	if err := s.AddPromiscuity(77, 1); err != errno.ENODEV {
		t.Errorf("no such interface: %v", err)
	}
}

func TestHardwareAddrReachesTheDevice(t *testing.T) {
	s := newStack(t, netdev.Config{})
	l := &filtering{Endpoint: newLink(t)}
	index, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: l})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := net.ParseMAC("02:00:00:00:00:07")
	if err := s.SetHardwareAddr(index, addr); err != nil {
		t.Fatal(err)
	}
	l.refuse = true
	if err := s.SetHardwareAddr(index, net.HardwareAddr{2, 0, 0, 0, 0, 8}); !errors.Is(err, errno.EIO) {
		t.Errorf("refused: %v, want EIO", err)
	}
	it, _ := s.InterfaceByIndex(index)
	if !bytes.Equal(it.HardwareAddr, addr) || !slices.Equal(l.told, []string{addr.String()}) {
		t.Errorf("address is %v, device was told %v", it.HardwareAddr, l.told)
	}
}

// TestAnnounce looks at what neighbours are told, as a neighbour would.
func TestAnnounce(t *testing.T) {
	s := newStack(t, netdev.Config{})
	l := newLink(t)
	index, err := s.AddInterface(netdev.InterfaceConfig{
		Name: "eth0", Link: ethernet.New(l), Addresses: prefixes("192.0.2.5/24", "198.51.100.7/24", "2001:db8::5/64"),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Drain()
	if err := s.Announce(index); err != nil {
		t.Fatal(err)
	}
	mac := "\x02\x00\x00\x00\x00\x01"
	told := map[netip.Addr]bool{}
	for pkt := l.Read(); pkt != nil; pkt = l.Read() {
		view := pkt.ToView()
		b := view.AsSlice()
		eth, rest := header.Ethernet(b), b[header.EthernetMinimumSize:]
		if string(eth.SourceAddress()) != mac {
			t.Errorf("sent from %v", eth.SourceAddress())
		}
		switch eth.Type() {
		case header.ARPProtocolNumber:
			arp := header.ARP(rest)
			sender := netip.AddrFrom4([4]byte(arp.ProtocolAddressSender()))
			if !arp.IsValid() || arp.Op() != header.ARPRequest || eth.DestinationAddress() != header.EthernetBroadcastAddress ||
				string(arp.HardwareAddressSender()) != mac || netip.AddrFrom4([4]byte(arp.ProtocolAddressTarget())) != sender {
				t.Errorf("no gratuitous ARP: %x", b)
			}
			told[sender] = true
		case header.IPv6ProtocolNumber:
			if header.ICMPv6(rest[header.IPv6MinimumSize:]).Type() != header.ICMPv6NeighborAdvert {
				break // duplicate address detection and the like
			}
			v6 := header.IPv6(rest)
			na := header.NDPNeighborAdvert(header.ICMPv6(v6.Payload()).MessageBody())
			told[netip.AddrFrom16(na.TargetAddress().As16())] = true
			if na.SolicitedFlag() || !na.OverrideFlag() || na.TargetAddress() != v6.SourceAddress() || v6.HopLimit() != 255 ||
				string(eth.DestinationAddress()) != "\x33\x33\x00\x00\x00\x01" {
				t.Errorf("no unsolicited advertisement: %x", b)
			}
		}
		view.Release()
		pkt.DecRef()
	}
	for _, a := range []string{"192.0.2.5", "198.51.100.7", "2001:db8::5"} {
		if !told[netip.MustParseAddr(a)] {
			t.Errorf("nothing is said of %s, only of %v", a, told)
		}
	}
	if err := s.Announce(99); err != errno.ENODEV {
		t.Errorf("Announce of no interface = %v", err)
	}
	if err := s.Announce(netdev.LoopbackIndex); err != nil {
		t.Errorf("Announce of lo = %v", err)
	}
}
