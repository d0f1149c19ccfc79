package link_test

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/net/link"
)

func TestReceiveClassifies(t *testing.T) {
	for _, tc := range []struct {
		name          string
		dst           tcpip.LinkAddress
		promiscuous   bool
		kind          tcpip.PacketType
		network, link int
	}{
		{"ours", ourMAC, false, tcpip.PacketHost, 1, 0},
		{"broadcast", header.EthernetBroadcastAddress, false, tcpip.PacketBroadcast, 1, 0},
		{"multicast", "\x01\x00\x5e\x00\x00\x01", false, tcpip.PacketMulticast, 1, 0},
		{"another station's", otherMAC, false, 0, 0, 0},
		{"another station's, promiscuous", otherMAC, true, tcpip.PacketOtherHost, 0, 1},
		{"ours, promiscuous", ourMAC, true, tcpip.PacketHost, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, up := newDevice(), &dispatcher{}
			e := newEndpoint(t, d, link.Options{})
			e.Attach(up)
			if err := e.SetPromiscuous(tc.promiscuous); err != nil || len(d.promis) != 1 || d.promis[0] != tc.promiscuous {
				t.Errorf("SetPromiscuous = %v, device was told %v", err, d.promis)
			}
			f := ethernet(tc.dst, otherMAC, protocol, "payload")
			d.receive(f, 12)
			if len(up.network) != tc.network || len(up.link) != tc.link {
				t.Fatalf("delivered %d and %d times, want %d and %d", len(up.network), len(up.link), tc.network, tc.link)
			}
			for _, got := range append(up.network, up.link...) {
				if got.proto != protocol || got.kind != tc.kind || got.header != string(f[:14]) || got.data != "payload" {
					t.Errorf("delivered %+v", got)
				}
			}
			if s := e.Stats(); s.RxOtherHost != uint64(1-tc.network-tc.link) {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

func TestReceiveInParts(t *testing.T) {
	d, up := newDevice(), &dispatcher{}
	newEndpoint(t, d, link.Options{}).Attach(up)
	f := ethernet(ourMAC, otherMAC, protocol, "a payload in several parts")
	d.receive(f, 0, 14)
	d.receive(f, 5, 20, 3, 1)
	d.receive(f, 5, len(f))
	for i, got := range up.network {
		if got.data != string(f[14:]) || got.header != string(f[:14]) {
			t.Errorf("frame %d came up as %+v", i, got)
		}
	}
	if len(up.network) != 3 {
		t.Errorf("%d frames came up, want 3", len(up.network))
	}
}

// TestReceiveDoesNotCopy looks for the device's memory in the packet.
func TestReceiveDoesNotCopy(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	b := d.h.Buffer(2048)
	mem := b.Bytes()
	copy(mem[12:], ethernet(ourMAC, otherMAC, protocol, "x"))
	var same bool
	e.Attach(dispatcherFunc(func(pkt *stack.PacketBuffer) {
		data, _ := pkt.Data().PullUp(1)
		same = &data[0] == &mem[26]
	}))
	d.h.Receive(&nic.RxFrame{Parts: []nic.RxPart{{Buffer: b, Off: 12, Len: 15}}})
	if !same {
		t.Error("the packet's data is not where the device has put it")
	}
}

type dispatcherFunc func(*stack.PacketBuffer)

func (f dispatcherFunc) DeliverNetworkPacket(_ tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	f(pkt)
}
func (dispatcherFunc) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

func TestReceiveDrops(t *testing.T) {
	d, up := newDevice(), &dispatcher{}
	e := newEndpoint(t, d, link.Options{})
	f := ethernet(ourMAC, otherMAC, protocol, "x")
	d.receive(f, 0)
	e.Attach(up)
	d.receive(f[:13], 0)
	d.receive(nil, 0)
	e.Attach(nil)
	d.receive(f, 0)
	if s := e.Stats(); s.RxDetached != 2 || s.RxShort != 2 || len(up.network) != 0 {
		t.Errorf("counters are %+v, delivered %d", s, len(up.network))
	}
	if e.IsAttached() {
		t.Error("IsAttached after Attach(nil)")
	}
}
