package netdev_test

import (
	"errors"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/internal/leaktest"
	"github.com/tamanet/tamanet/net/netdev"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newStack(t *testing.T, cfg netdev.Config) *netdev.Stack {
	t.Helper()
	s, err := netdev.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// newLink returns a link whose frames go nowhere.
func newLink(t *testing.T) *channel.Endpoint {
	l := channel.New(16, 1500, tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01"))
	t.Cleanup(l.Close)
	return l
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

func TestLoopbackIsAlwaysThere(t *testing.T) {
	s := newStack(t, netdev.Config{})
	list := s.Interfaces()
	if len(list) != 1 {
		t.Fatalf("%d interfaces, want lo alone", len(list))
	}
	lo := list[0]
	if lo.Name != "lo" || lo.Index != netdev.LoopbackIndex || lo.MTU != 65536 {
		t.Errorf("lo is %+v", lo)
	}
	if want := netdev.IFF_UP | netdev.IFF_RUNNING | netdev.IFF_LOOPBACK; lo.Flags != want {
		t.Errorf("flags %#x, want %#x", lo.Flags, want)
	}
	if len(lo.Addresses) != 2 {
		t.Errorf("addresses %v", lo.Addresses)
	}
}

func TestAddInterface(t *testing.T) {
	s := newStack(t, netdev.Config{})
	index, err := s.AddInterface(netdev.InterfaceConfig{
		Name: "eth0", Link: newLink(t), MTU: 1400, Addresses: prefixes("10.0.2.15/24"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.InterfaceName(index) != "eth0" || s.InterfaceIndex("eth0") != index {
		t.Error("name and index do not lead to each other")
	}
	eth := s.Interfaces()[1]
	if eth.MTU != 1400 || eth.HardwareAddr.String() != "02:00:00:00:00:01" {
		t.Errorf("eth0 is %+v", eth)
	}
	if s.InterfaceName(77) != "" || s.InterfaceIndex("eth7") != 0 {
		t.Error("an interface that is not there was found")
	}
}

func TestAddInterfaceRefuses(t *testing.T) {
	s := newStack(t, netdev.Config{})
	for name, cfg := range map[string]netdev.InterfaceConfig{
		"no name":           {Link: newLink(t)},
		"name too long":     {Name: "a-name-of-16-byt", Link: newLink(t)},
		"no link":           {Name: "eth0"},
		"MTU of the link":   {Name: "eth0", Link: newLink(t), MTU: 1501},
		"MTU too small":     {Name: "eth0", Link: newLink(t), MTU: 67},
		"multicast address": {Name: "eth0", Link: newLink(t), Addresses: prefixes("224.0.0.1/8")},
		"no address":        {Name: "eth0", Link: newLink(t), Addresses: []netip.Prefix{{}}},
	} {
		if _, err := s.AddInterface(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := s.AddInterface(netdev.InterfaceConfig{Name: "lo", Link: newLink(t)}); !errors.Is(err, errno.EEXIST) {
		t.Errorf("second lo: %v, want EEXIST", err)
	}
	if n := len(s.Interfaces()); n != 1 {
		t.Errorf("%d interfaces after refusals", n)
	}
}

func TestRoutes(t *testing.T) {
	s := newStack(t, netdev.Config{})
	if _, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: newLink(t), Addresses: prefixes("10.0.2.15/24")}); err != nil {
		t.Fatal(err)
	}
	outside := netip.MustParseAddr("198.51.100.7")
	if s.HasRoute(outside) {
		t.Error("a way out without a default route")
	}
	def := netdev.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.2.2"), Interface: "eth0"}
	if err := s.AddRoute(def); err != nil {
		t.Fatal(err)
	}
	if !s.HasRoute(outside) {
		t.Error("no way out with a default route")
	}
	var text []string
	for _, r := range s.Routes() {
		text = append(text, r.String())
	}
	if got := text[len(text)-1]; got != "default via 10.0.2.2 dev eth0" {
		t.Errorf("the last of %q is not the default", text)
	}
	for _, c := range []struct {
		route netdev.Route
		want  error
	}{
		{def, errno.EEXIST},
		{netdev.Route{Dst: def.Dst, Interface: "eth9"}, errno.ENODEV},
		{netdev.Route{Interface: "eth0"}, errno.EINVAL},
		{netdev.Route{Dst: def.Dst, Gateway: netip.MustParseAddr("fe80::1"), Interface: "eth0"}, errno.EINVAL},
	} {
		if err := s.AddRoute(c.route); !errors.Is(err, c.want) {
			t.Errorf("add %v: %v, want %v", c.route, err, c.want)
		}
	}
	if err := s.RemoveRoute(def); err != nil || s.HasRoute(outside) {
		t.Errorf("remove: %v", err)
	}
	if err := s.RemoveRoute(def); !errors.Is(err, errno.ESRCH) {
		t.Errorf("remove again: %v, want ESRCH", err)
	}
}

func TestAddrType(t *testing.T) {
	s := newStack(t, netdev.Config{})
	if _, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: newLink(t), Addresses: prefixes("10.0.2.15/24", "fd00::5/64")}); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]netdev.AddrType{
		"127.0.0.1":       netdev.RTN_LOCAL,
		"127.9.9.9":       netdev.RTN_LOCAL,
		"::1":             netdev.RTN_LOCAL,
		"10.0.2.15":       netdev.RTN_LOCAL,
		"fd00::5":         netdev.RTN_LOCAL,
		"10.0.2.16":       netdev.RTN_UNICAST,
		"fd00::6":         netdev.RTN_UNICAST,
		"10.0.2.255":      netdev.RTN_BROADCAST,
		"255.255.255.255": netdev.RTN_BROADCAST,
		"0.0.0.0":         netdev.RTN_BROADCAST,
		"224.0.0.1":       netdev.RTN_MULTICAST,
		"ff02::1":         netdev.RTN_MULTICAST,
	} {
		if got := s.AddrType(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is %d, want %d", addr, got, want)
		}
	}
}

// TestMemoryScalesWithRAM holds what many busy connections may take of a
// small machine.
func TestMemoryScalesWithRAM(t *testing.T) {
	const mib = 1 << 20
	for _, ram := range []uint64{32 * mib, 64 * mib, 128 * mib, 512 * mib, 4096 * mib, 0, 1 << 50} {
		m := netdev.MemoryFor(ram)
		for name, r := range map[string]netdev.BufferRange{"receive": m.TCPReceive, "send": m.TCPSend, "datagram": m.Datagram} {
			if r.Min <= 0 || r.Default < r.Min || r.Default > r.Max {
				t.Errorf("%d MiB: %s range %+v is not in order", ram/mib, name, r)
			}
		}
		if each := uint64(m.TCPReceive.Max + m.TCPSend.Max); ram >= 64*mib && 32*each > ram {
			t.Errorf("%d MiB: 32 full connections take %d MiB", ram/mib, 32*each/mib)
		}
	}
	s := newStack(t, netdev.Config{RAM: 64 * mib})
	var opt tcpip.TCPReceiveBufferSizeRangeOption
	if err := s.IP().TransportProtocolOption(tcp.ProtocolNumber, &opt); err != nil {
		t.Fatal(err)
	}
	if opt.Max != s.Memory().TCPReceive.Max || opt.Max >= 1*mib {
		t.Errorf("the stack has %+v", opt)
	}
}

func TestTunedAsDecided(t *testing.T) {
	s := newStack(t, netdev.Config{})
	var cc tcpip.CongestionControlOption
	var rack tcpip.TCPRecovery
	s.IP().TransportProtocolOption(tcp.ProtocolNumber, &cc)
	s.IP().TransportProtocolOption(tcp.ProtocolNumber, &rack)
	if cc != "cubic" || rack != tcpip.TCPRACKLossDetection {
		t.Errorf("congestion control %q, recovery %d", cc, rack)
	}
	first, last := s.IP().PortRange()
	if first != 32768 || last != 60999 {
		t.Errorf("ephemeral ports %d to %d", first, last)
	}
	if _, err := netdev.New(netdev.Config{CongestionControl: "hope"}); err == nil {
		t.Error("an unknown congestion control was accepted")
	}
}

func TestDefault(t *testing.T) {
	if netdev.Interfaces() != nil || netdev.Routes() != nil {
		t.Error("something is there before there is a default")
	}
	s := newStack(t, netdev.Config{})
	netdev.SetDefault(s)
	if len(netdev.Interfaces()) != 1 || len(netdev.Routes()) != 2 {
		t.Errorf("interfaces %v, routes %v", netdev.Interfaces(), netdev.Routes())
	}
	s.Close()
	s.Close()
	if netdev.Default() != nil {
		t.Error("a closed stack is still the default")
	}
	if _, err := s.AddInterface(netdev.InterfaceConfig{Name: "eth0", Link: newLink(t)}); err == nil {
		t.Error("a closed stack took an interface")
	}
}

func TestAddressesThereAndBack(t *testing.T) {
	for _, text := range []string{"0.0.0.0", "192.0.2.1", "::", "2001:db8::1", "::ffff:192.0.2.1"} {
		a := netip.MustParseAddr(text)
		if got := netdev.FromTCPIP(netdev.ToTCPIP(a)); got != a {
			t.Errorf("%v came back as %v", a, got)
		}
	}
	if netdev.ToTCPIP(netip.Addr{}) != (tcpip.Address{}) || netdev.FromTCPIP(tcpip.Address{}).IsValid() {
		t.Error("no address became one")
	}
	if netdev.NetProto(netip.MustParseAddr("1.2.3.4")) != header.IPv4ProtocolNumber {
		t.Error("protocol of IPv4")
	}
}
