package boot

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		want       Config
	}{
		{"empty", "", Config{}},
		{"only spaces", " \t\n ", Config{}},
		{
			"all keys",
			"ip=10.0.2.15/24 gw=10.0.2.2 dns=10.0.2.3,192.0.2.1:5353 hostname=node-1.example",
			Config{
				Addr:     netip.MustParsePrefix("10.0.2.15/24"),
				Gateway:  netip.MustParseAddr("10.0.2.2"),
				DNS:      []netip.AddrPort{netip.MustParseAddrPort("10.0.2.3:53"), netip.MustParseAddrPort("192.0.2.1:5353")},
				Hostname: "node-1.example",
			},
		},
		{
			"IPv6",
			"ip=2001:db8::2/64 gw=2001:db8::1 dns=2001:db8::3,[2001:db8::4]:5353",
			Config{
				Addr:    netip.MustParsePrefix("2001:db8::2/64"),
				Gateway: netip.MustParseAddr("2001:db8::1"),
				DNS:     []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::3]:53"), netip.MustParseAddrPort("[2001:db8::4]:5353")},
			},
		},
		{"the last one counts", "hostname=a hostname=b", Config{Hostname: "b"}},
		{
			"the appliance's words",
			`verbose greeting="hello world" listen=:80 "two words" ""`,
			Config{Args: []string{"verbose", "greeting=hello world", "listen=:80", "two words", ""}},
		},
		{"open quote", `a="b c`, Config{Args: []string{"a=b c"}}},
		{
			"virtio-mmio slots",
			"virtio_mmio.device=512@0xfeb00000:5 virtio_mmio.device=4K@0xd0000000:6:1",
			Config{Slots: []Slot{{0xfeb00000, 512, 5}, {0xd0000000, 4096, 6}}},
		},
		{
			"virtio-net features",
			"virtio_net.disable=csum,tso4 virtio_net.disable=mrg_rxbuf",
			Config{NetDisable: []string{"csum", "tso4", "mrg_rxbuf"}},
		},
		{
			"settings of the network",
			`sysctl.net.ipv4.tcp_recovery=0 sysctl.net.ipv4.tcp_rmem="4096 65536 131072"`,
			Config{Sysctls: []Sysctl{{"net.ipv4.tcp_recovery", "0"}, {"net.ipv4.tcp_rmem", "4096 65536 131072"}}},
		},
		{"segments are not joined", "gro=on gro=off", Config{NoGRO: true}},
		{"segments are joined", "gro=off gro=on", Config{}},
		{"collector", "GOGC=250", Config{GOGC: 250}},
		{"no collector", "GOGC=off", Config{GOGC: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Parse(tt.line); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Parse(%q)\n got %+v\nwant %+v", tt.line, got, tt.want)
			}
		})
	}
}

func TestParseWarnsAndLeavesOut(t *testing.T) {
	for _, word := range []string{
		"ip=", "ip=10.0.2.15", "ip=10.0.2.15/33", "ip=10.0.2.256/24", "ip=0.0.0.0/0", "ip=224.0.0.1/24", "ip",
		"gw=", "gw=10.0.2.2/24", "gw=gateway", "gw=0.0.0.0", "gw=224.0.0.1",
		"dns=", "dns=10.0.2.3,", "dns=resolver.example", "dns=10.0.2.3:0", "dns=10.0.2.3:66000", "dns=0.0.0.0",
		"hostname=", "hostname=-a", "hostname=a-", "hostname=a..b", "hostname=a_b", "hostname=\xff",
		"hostname=" + strings.Repeat("a", 64), "hostname=" + strings.Repeat("a.", 127) + "aa",
		"virtio_net.disable", "virtio_net.disable=", "virtio_net.disable=csum,", "virtio_net.disable=,csum",
		"gro", "gro=", "gro=0",
		"GOGC=", "GOGC=0", "GOGC=-1", "GOGC=1e3", "GOGC=99999999999",
		"virtio_mmio.device=", "virtio_mmio.device=512", "virtio_mmio.device=512@0xfeb00000",
		"virtio_mmio.device=512@0xfeb00000:256", "virtio_mmio.device=512@0:5", "virtio_mmio.device=16@0xfeb00000:5",
		"virtio_mmio.device=512@0xffffffffffffff00:5", "virtio_mmio.device=512@0xfeb00001:5",
		"virtio_mmio.device=99999999999G@0xfeb00000:5", "virtio_mmio.device=K@0xfeb00000:5",
	} {
		t.Run(word, func(t *testing.T) {
			c := Parse("hostname=good ip=10.0.2.15/24 " + word)
			if len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "command line: ") {
				t.Errorf("warnings %q, want one", c.Warnings)
			}
			c.Warnings = nil
			want := Config{Hostname: "good", Addr: netip.MustParsePrefix("10.0.2.15/24")}
			if !reflect.DeepEqual(c, want) {
				t.Errorf("got %+v, want %+v", c, want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	defer SetArgs(nil)
	SetArgs(Parse("verbose listen=:80 ip=10.0.2.15/24 listen=:81 url=a=b").Args)

	for _, tt := range []struct {
		key, value string
		ok         bool
	}{
		{"verbose", "", true},
		{"listen", ":81", true},
		{"url", "a=b", true},
		{"ip", "", false},
		{"absent", "", false},
	} {
		if value, ok := Lookup(tt.key); value != tt.value || ok != tt.ok {
			t.Errorf("Lookup(%q) = %q, %v, want %q, %v", tt.key, value, ok, tt.value, tt.ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"ip=10.0.2.15/24 gw=10.0.2.2 dns=10.0.2.3 hostname=tamanet",
		`a="b c" "" "`,
		"virtio_mmio.device=512@0xfeb00e00:12",
		"ip=::1/128 dns=[::1]:53,",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c := Parse(line)
		if c.Hostname != "" && checkHostname(c.Hostname) != nil {
			t.Errorf("%q: host name %q", line, c.Hostname)
		}
		for _, s := range c.Slots {
			if s.Base+s.Size < s.Base || s.Size < minSlot {
				t.Errorf("%q: slot %+v", line, s)
			}
		}
		for _, a := range c.DNS {
			if !a.IsValid() || a.Port() == 0 {
				t.Errorf("%q: name server %v", line, a)
			}
		}
	})
}

// memmap builds a memory map from start, size, type triples.
func memmap(entries ...[3]uint64) []byte {
	var b []byte
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint64(b, e[0])
		b = binary.LittleEndian.AppendUint64(b, e[1])
		b = binary.LittleEndian.AppendUint32(b, uint32(e[2]))
		b = binary.LittleEndian.AppendUint32(b, 0)
	}
	return b
}

func TestParseMemmap(t *testing.T) {
	b := memmap(
		[3]uint64{0, 0x9fc00, MemmapRAM},
		[3]uint64{0x9fc00, 0x400, 2},
		[3]uint64{0x100000, 0x7f00000, MemmapRAM},
		[3]uint64{0x200000, 0, MemmapRAM},
		[3]uint64{^uint64(0), 2, MemmapRAM},
	)
	want := []MemmapEntry{{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0x100000, 0x7f00000, 1}}

	got := ParseMemmap(append(b, 1, 2, 3))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if ram := RAM(got); ram != 0x9fc00+0x7f00000 {
		t.Errorf("RAM = %#x", ram)
	}
}

func TestParseStartInfo(t *testing.T) {
	b := make([]byte, StartInfoSize)
	if got := ParseStartInfo(b); got != (StartInfo{}) {
		t.Errorf("without the magic number: %+v", got)
	}
	binary.LittleEndian.PutUint32(b, 0x336ec578)
	binary.LittleEndian.PutUint32(b[4:], 1)
	binary.LittleEndian.PutUint64(b[32:], 0xe0000)
	if got, want := ParseStartInfo(b), (StartInfo{Version: 1, RSDP: 0xe0000}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := ParseStartInfo(b[:StartInfoSize-1]); got != (StartInfo{}) {
		t.Errorf("too short: %+v", got)
	}
}

func FuzzParseMemmap(f *testing.F) {
	f.Add(memmap([3]uint64{0, 0x9fc00, MemmapRAM}, [3]uint64{^uint64(0), ^uint64(0), 2}))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range ParseMemmap(b) {
			if e.Size == 0 || e.Start+e.Size < e.Start {
				t.Errorf("entry %+v", e)
			}
		}
	})
}
