package board

import (
	"net/netip"
	"reflect"
	"testing"
)

var defaults = NetDefaults{
	Addr:     netip.MustParsePrefix("10.0.2.15/24"),
	Gateway:  netip.MustParseAddr("10.0.2.2"),
	DNS:      []netip.AddrPort{netip.MustParseAddrPort("10.0.2.3:53")},
	Hostname: "tamanet",
}

func TestConfigTakesDefaultsWhereTheCommandLineIsSilent(t *testing.T) {
	for _, tt := range []struct {
		cmdline string
		want    NetDefaults
	}{
		{"", defaults},
		{"ip=10.0.2.300/24 hostname=_", defaults},
		{"hostname=a", NetDefaults{defaults.Addr, defaults.Gateway, defaults.DNS, "a"}},
		{
			"ip=10.0.2.20/24 gw=10.0.2.9 dns=10.0.2.8",
			NetDefaults{
				netip.MustParsePrefix("10.0.2.20/24"), netip.MustParseAddr("10.0.2.9"),
				[]netip.AddrPort{netip.MustParseAddrPort("10.0.2.8:53")}, "tamanet",
			},
		},
		{
			"ip=192.0.2.1/24", // the default gateway is not in this network
			NetDefaults{netip.MustParsePrefix("192.0.2.1/24"), netip.Addr{}, defaults.DNS, "tamanet"},
		},
		{
			"ip=2001:db8::1/64",
			NetDefaults{netip.MustParsePrefix("2001:db8::1/64"), netip.Addr{}, defaults.DNS, "tamanet"},
		},
	} {
		m := &Machine{Cmdline: tt.cmdline, Net: defaults}
		c := m.Config()
		got := NetDefaults{c.Addr, c.Gateway, c.DNS, c.Hostname}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %+v, want %+v", tt.cmdline, got, tt.want)
		}
	}
}

func TestConfigOfNoDefaults(t *testing.T) {
	c := new(Machine).Config()
	if c.Addr.IsValid() || c.Gateway.IsValid() || c.DNS != nil || c.Hostname != "" {
		t.Errorf("got %+v", c)
	}
}

func TestCurrent(t *testing.T) {
	if Current() != nil {
		t.Error("there is a machine on an ordinary operating system")
	}
	m := new(Machine)
	Register(m)
	defer Register(nil)
	if Current() != m {
		t.Error("Current is not what was registered")
	}
}
