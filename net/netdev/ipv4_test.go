package netdev_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/netdev"
)

// A host is a stack with one interface, whose frames the test sees, and a UDP socket on port 7.
type host struct {
	*netdev.Stack
	index int
	link  *channel.Endpoint
	ep    tcpip.Endpoint
}

var peer = netip.MustParseAddr("10.0.2.2")

func newHost(t *testing.T, capabilities stack.LinkEndpointCapabilities) *host {
	h := &host{Stack: newStack(t, netdev.Config{}), link: newLink(t)}
	h.link.LinkEPCapabilities |= capabilities
	h.IP().SetICMPLimit(math.MaxFloat64) // rate.Inf
	var err error
	h.index, err = h.AddInterface(netdev.InterfaceConfig{
		Name: "eth0", Link: h.link, Addresses: prefixes("10.0.2.15/24", "192.0.2.255/23"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddRoute(netdev.Route{Dst: prefixes("0.0.0.0/0")[0], Gateway: peer, Interface: "eth0"}); err != nil {
		t.Fatal(err)
	}
	h.ep, _ = h.IP().NewEndpoint(udp.ProtocolNumber, header.IPv4ProtocolNumber, new(waiter.Queue))
	if terr := h.ep.Bind(tcpip.FullAddress{Port: 7}); terr != nil {
		t.Fatal(terr)
	}
	t.Cleanup(h.ep.Close)
	return h
}

// receive has a packet come in.
func (h *host) receive(b []byte) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(slices.Clone(b))})
	defer pkt.DecRef()
	h.link.InjectInbound(header.IPv4ProtocolNumber, pkt)
}

// sent returns the packets that went out, without what IPv4 makes up: the identification and the checksum over it.
func (h *host) sent() (all []string) {
	for pkt := h.link.Read(); pkt != nil; pkt = h.link.Read() {
		v := pkt.ToView()
		b := bytes.Clone(v.AsSlice())
		v.Release()
		if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
			clear(b[4:6])
			clear(b[10:12])
		}
		all = append(all, hex.EncodeToString(b))
		pkt.DecRef()
	}
	return all
}

// counters returns all that the stack and the interface have counted, by name.
func (h *host) counters(t *testing.T) map[string]uint64 {
	all := map[string]uint64{}
	ep, terr := h.IP().GetNetworkEndpoint(tcpip.NICID(h.index), header.IPv4ProtocolNumber)
	if terr != nil {
		t.Fatal(terr)
	}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch c, ok := v.Interface().(*tcpip.StatCounter); {
		case ok:
			all[name] = c.Value()
		case v.Kind() == reflect.Pointer && !v.IsNil():
			walk(name, v.Elem())
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(name+"."+v.Type().Field(i).Name, v.Field(i))
				}
			}
		}
	}
	walk("stack", reflect.ValueOf(h.IP().Stats()))
	walk("eth0", reflect.ValueOf(ep.Stats()))
	return all
}

// packet makes a TCP or UDP packet from the peer, and then changes it as Linux's and gVisor's checks look for.
func packet(r *rand.Rand) []byte {
	size := r.IntN(40)
	b := make([]byte, 20+20+size)
	ip := header.IPv4(b)
	f := header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 64, ID: uint16(r.Uint32()), SrcAddr: netdev.ToTCPIP(peer),
		DstAddr: tcpip.AddrFrom4([4]byte{10, 0, 2, 15}), Protocol: uint8(header.UDPProtocolNumber),
	}
	addrs := [][4]byte{
		{10, 0, 2, 15}, {10, 0, 2, 2}, {10, 0, 2, 255}, {10, 0, 2, 0}, {192, 0, 2, 255}, {192, 0, 3, 255}, {192, 0, 2, 1}, {127, 0, 0, 1},
		{255, 255, 255, 255}, {224, 0, 0, 1}, {239, 1, 2, 3}, {0, 0, 0, 0}, {8, 8, 8, 8}, {240, 0, 0, 1}, {127, 255, 255, 255},
	}
	port := []uint16{7, 7, 9}[r.IntN(3)]
	change := r.IntN(14)
	switch change {
	case 0:
		f.DstAddr = tcpip.AddrFrom4(addrs[r.IntN(len(addrs))])
	case 1:
		f.SrcAddr = tcpip.AddrFrom4(addrs[r.IntN(len(addrs))])
	case 2:
		f.Flags = uint8(r.IntN(8))
	case 3:
		f.FragmentOffset = uint16(r.IntN(4) * 8)
	case 4:
		f.TotalLength = uint16(r.IntN(80))
	case 5:
		f.TTL = uint8(r.IntN(3))
	case 6:
		f.Protocol = uint8(r.IntN(256))
	case 7:
		f.Protocol = uint8(header.TCPProtocolNumber)
	}
	ip.Encode(&f)
	if change == 7 {
		header.TCP(b[20:]).Encode(&header.TCPFields{
			SrcPort: 1000, DstPort: port, SeqNum: 1, DataOffset: uint8(20 + 4*r.IntN(2)), Flags: header.TCPFlags(r.IntN(64)), WindowSize: 100,
		})
	} else {
		header.UDP(b[20:]).Encode(&header.UDPFields{SrcPort: 1000, DstPort: port, Length: uint16(len(b) - 20)})
	}
	switch change {
	case 8:
		b[0] = byte(r.IntN(256))
	case 9:
		b[20+r.IntN(20)] ^= 1 << r.IntN(8)
	}
	ip.SetChecksum(0)
	ip.SetChecksum(^checksum.Checksum(b[:20], 0))
	switch change {
	case 10:
		b[r.IntN(20)] ^= 1 << r.IntN(8)
	case 11:
		b = b[:r.IntN(len(b))]
	case 12:
		b = append(b, make([]byte, r.IntN(20))...)
	}
	return b
}

// TestPlainPacketsFareAsAllOthers has two hosts receive the same packets, good and bad. One of them is watched, so that
// all of its packets go gVisor's way; its answers and counters are the reference.
func TestPlainPacketsFareAsAllOthers(t *testing.T) {
	for _, capabilities := range []stack.LinkEndpointCapabilities{0, stack.CapabilityRXChecksumOffload} {
		quick, reference := newHost(t, capabilities), newHost(t, capabilities)
		reference.Watch()
		defer reference.Unwatch()
		hosts := []*host{quick, reference}
		for _, h := range hosts {
			h.sent() // what coming up sends
		}
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 6000 {
			switch i {
			case 2000:
				for _, h := range hosts {
					h.IP().SetPromiscuousMode(tcpip.NICID(h.index), true)
				}
			case 3000:
				for _, h := range hosts {
					h.IP().SetPromiscuousMode(tcpip.NICID(h.index), false)
					if err := h.RemoveAddress(h.index, prefixes("10.0.2.15/24")[0]); err != nil {
						t.Fatal(err)
					}
				}
			case 3500:
				for _, h := range hosts {
					if err := h.AddAddress(h.index, prefixes("10.0.2.15/24")[0]); err != nil {
						t.Fatal(err)
					}
				}
			case 4000, 4100:
				for _, h := range hosts {
					if err := h.SetUp(h.index, i == 4100); err != nil {
						t.Fatal(err)
					}
				}
			}
			b := packet(r)
			for _, h := range hosts {
				h.receive(b)
			}
			got, want := quick.sent(), reference.sent()
			if i == 4000 || i == 4100 {
				continue // groups are left and joined at random times
			}
			if !slices.Equal(got, want) {
				t.Fatalf("packet %d, %x: %q went out, want %q", i, b, got, want)
			}
		}
		got, want := quick.counters(t), reference.counters(t)
		for name, n := range want {
			if got[name] != n {
				t.Errorf("%s is %d, want %d", name, got[name], n)
			}
		}
		if want["eth0.IP.PacketsDelivered"] < 1000 || want["stack.UDP.PacketsReceived"] < 500 {
			t.Errorf("the packets do not do: %v", want)
		}
	}
}

// TestIPv4HidesNothing: gVisor asks endpoints for methods beyond their interface, by assertion.
func TestIPv4HidesNothing(t *testing.T) {
	s := newStack(t, netdev.Config{})
	ep, terr := s.IP().GetNetworkEndpoint(netdev.LoopbackIndex, header.IPv4ProtocolNumber)
	if terr != nil {
		t.Fatal(terr)
	}
	got := reflect.TypeOf(ep)
	original := reflect.TypeOf(ipv4.NewProtocol(s.IP()).NewEndpoint(nic{}, nil))
	if original.NumMethod() < 20 {
		t.Fatalf("%v has %d methods", original, original.NumMethod())
	}
	for m := range original.NumMethod() {
		if name := original.Method(m).Name; !strings.HasPrefix(name, "State") { // of checkpoints
			if _, ok := got.MethodByName(name); !ok {
				t.Errorf("%v has no %s", got, name)
			}
		}
	}
}

// nic is what an endpoint asks of its interface when it is made.
type nic struct{ stack.NetworkInterface }

func (nic) ID() tcpip.NICID { return 99 }

// TestHeadersAreAsEver compares what TCP and UDP send with and without the shorter way.
func TestHeadersAreAsEver(t *testing.T) {
	for _, tc := range []struct {
		name string
		size int
		df   bool
	}{{"whole", 100, true}, {"whole, may be cut", 100, false}, {"too long", 2000, true}, {"to be cut", 2000, false}} {
		var all [2][]string
		for i, watched := range []bool{false, true} {
			h := newHost(t, 0)
			h.sent()
			if watched {
				h.Watch()
				defer h.Unwatch()
			}
			route, terr := h.IP().FindRoute(0, tcpip.Address{}, netdev.ToTCPIP(peer), header.IPv4ProtocolNumber, false)
			if terr != nil {
				t.Fatal(terr)
			}
			defer route.Release()
			pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
				ReserveHeaderBytes: int(route.MaxHeaderLength()) + header.UDPMinimumSize, Payload: buffer.MakeWithData(make([]byte, tc.size)),
			})
			header.UDP(pkt.TransportHeader().Push(header.UDPMinimumSize)).Encode(&header.UDPFields{SrcPort: 7, DstPort: 7})
			pkt.TransportProtocolNumber = header.UDPProtocolNumber
			terr = route.WritePacket(stack.NetworkHeaderParams{Protocol: header.UDPProtocolNumber, TTL: 3, TOS: 5, DF: tc.df}, pkt)
			if terr != nil {
				t.Errorf("%s: %v", tc.name, terr)
			}
			pkt.DecRef()
			all[i] = h.sent()
			c := h.counters(t)
			if n := c["stack.IP.PacketsSent"]; n == 0 || n != c["eth0.IP.PacketsSent"] {
				t.Errorf("%s: %d and %d counted as sent", tc.name, n, c["eth0.IP.PacketsSent"])
			}
		}
		if len(all[1]) == 0 || !slices.Equal(all[0], all[1]) {
			t.Errorf("%s: %q went out, want %q", tc.name, all[0], all[1])
		}
	}
}
