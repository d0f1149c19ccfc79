package link_test

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/net/link"
)

// sink is a device that sends what it is given at once.
type sink struct{ device }

func (s *sink) Transmit(f *nic.TxFrame) error {
	f.Owner.DecRef()
	return nil
}

// FuzzInbound hands any frame, in up to three parts, to an endpoint with a
// whole stack above it. It must come through without a panic or a leak.
func FuzzInbound(f *testing.F) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	d := &sink{*newDevice()}
	e, err := link.New(d, link.Options{Logf: f.Logf})
	if err != nil {
		f.Fatal(err)
	}
	if err := s.CreateNIC(1, e); err != nil {
		f.Fatal(err)
	}
	addr := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{10, 9, 0, 1}), PrefixLen: 24}
	if err := s.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: addr}, stack.AddressProperties{}); err != nil {
		f.Fatal(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}, {Destination: header.IPv6EmptySubnet, NIC: 1}})
	f.Cleanup(s.Destroy)
	f.Fuzz(func(t *testing.T, frame []byte, first, second uint8) {
		before := e.Stats()
		// A Device's first part holds the Ethernet header.
		d.receive(frame, int(first&15), nic.HeaderLen+int(first), int(second))
		after := e.Stats()
		if len(frame) < nic.HeaderLen && after.RxShort != before.RxShort+1 {
			t.Errorf("%d bytes were not counted as short: %+v", len(frame), after)
		}
	})
}
