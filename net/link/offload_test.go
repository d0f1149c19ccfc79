package link_test

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
	"github.com/tamanet/tamanet/net/link"
)

const (
	txOffloads = virtionet.FeatureCsum | virtionet.FeatureHostTSO4 | virtionet.FeatureHostTSO6
	rxOffloads = virtionet.FeatureGuestCsum | virtionet.FeatureMrgRxbuf | virtionet.FeatureGuestTSO4 |
		virtionet.FeatureGuestTSO6 | virtionet.FeatureGuestECN
	allOffload = txOffloads | rxOffloads | virtionet.FeatureHostECN | virtio.FeatureEventIdx | virtio.FeatureIndirectDesc
)

// bridge joins two hosts as a host's bridge joins its guests: what a guest leaves to its device is
// passed on undone to a peer that takes it.
func bridge(tb testing.TB, a, b *host) {
	tb.Helper()
	to := func(peer *host) func(virtionettest.Header, []byte) {
		return func(h virtionettest.Header, frame []byte) {
			if peer.net.Takes(h) {
				peer.net.DeliverWaitRaw(h, frame)
				return
			}
			h.Perform(frame, func(f []byte) { peer.net.DeliverWait(f) })
		}
	}
	a.net.StartRaw(to(b))
	b.net.StartRaw(to(a))
	tb.Cleanup(func() {
		a.s.Destroy()
		b.s.Destroy()
		a.net.Stop(tb)
		b.net.Stop(tb)
	})
}

// TestTCPWithOffloads moves data with every combination that matters on both sides.
func TestTCPWithOffloads(t *testing.T) {
	v4 := [2]netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")}
	v6 := [2]netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")}
	for _, tc := range []struct {
		name     string
		addrs    [2]netip.Addr
		mtu      int
		ring     uint32
		from, to virtio.Features
		segments bool // are left to the device to cut
		good     bool // checksums need no look
		whole    bool // segments come up uncut
	}{
		{"all", v4, 1500, 256, allOffload, allOffload, true, true, true},
		{"all, IPv6", v6, 1500, 256, allOffload, allOffload, true, true, true},
		{"all, jumbo frames", v4, 9000, 64, allOffload, allOffload, true, true, true},
		{"all, tiny rings", v4, 1500, 8, allOffload, allOffload, true, true, true},
		{"sender's only", v4, 1500, 256, txOffloads, 0, true, false, false},
		{"sender's only, IPv6", v6, 1500, 256, txOffloads, 0, true, false, false},
		{"mergeable buffers only", v4, 1500, 256, txOffloads, virtionet.FeatureMrgRxbuf, true, false, false},
		{"mergeable buffers and jumbo frames", v4, 9000, 64, txOffloads, virtionet.FeatureMrgRxbuf, true, false, false},
		{"all but large receive", v4, 1500, 256, allOffload, virtionet.FeatureGuestCsum | virtionet.FeatureMrgRxbuf, true, true, false},
		{"all but mergeable buffers", v4, 1500, 256, allOffload, allOffload &^ virtionet.FeatureMrgRxbuf, true, true, false},
		{"receiver's only", v4, 1500, 256, 0, allOffload, false, false, false},
		{"without TSO6", v4, 1500, 256, allOffload &^ virtionet.FeatureHostTSO6, allOffload, true, true, true},
		{"without TSO6, IPv6", v6, 1500, 256, allOffload &^ virtionet.FeatureHostTSO6, allOffload, false, true, false},
		{"none, IPv6", v6, 1500, 256, 0, 0, false, false, false},
		{"none, jumbo frames and tiny rings", v4, 9000, 8, 0, 0, false, false, false},
		{"checksum only", v4, 1500, 256, virtionet.FeatureCsum, virtionet.FeatureGuestCsum, false, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newHostOver(t, tc.addrs[0], tc.mtu, tc.ring, tc.from)
			b := newHostOver(t, tc.addrs[1], tc.mtu, tc.ring, tc.to)
			bridge(t, a, b)
			transfer(t, a, b, 8<<20)
			sent, got := a.ep.Device().(nic.Statistics).Stats(), b.ep.Device().(nic.Statistics).Stats()
			if (sent.TxSegmented > 0) != tc.segments || sent.TxInvalid != 0 {
				t.Errorf("sender: %+v", sent)
			}
			if (got.RxSegmented > 0) != tc.whole || (got.RxChecksum > 0) != tc.good || got.RxOffload+got.RxLength != 0 {
				t.Errorf("receiver: %+v", got)
			}
		})
	}
}

// TestTCPWithOffloadsOverALossyWire has the fake device do the work and the wire spoil some of it.
func TestTCPWithOffloadsOverALossyWire(t *testing.T) {
	a := newHostOver(t, netip.MustParseAddr("10.9.0.1"), 1500, 256, allOffload)
	b := newHostOver(t, netip.MustParseAddr("10.9.0.2"), 1500, 256, allOffload)
	connect(t, a, b, impaired(1, 0.001, 0.001))
	transfer(t, a, b, 8<<20)
}

// TestChecksumGoodIsForOnePacket checks what gVisor is told about a packet, and the next.
func TestChecksumGoodIsForOnePacket(t *testing.T) {
	r := virtionettest.New(nic.MAC{2, 0, 0, 0, 0, 1}, 1500, 16).Offer(virtionet.FeatureGuestCsum)
	e, err := link.New(r.NewDriver(t), link.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan bool, 1)
	e.Attach(dispatcherFunc(func(*stack.PacketBuffer) {
		answers <- e.Capabilities()&stack.CapabilityRXChecksumOffload != 0
	}))
	r.Start(func([]byte) {})
	frame := ethernet(ourMAC, otherMAC, header.IPv4ProtocolNumber, string(ipv4Header(40))+"0123456789012345678901234567890123456789")
	for i, valid := range []bool{true, false, true} {
		h := virtionettest.Header{}
		if valid {
			h.Flags = virtionettest.DataValid
		}
		r.DeliverWaitRaw(h, frame)
		if got := <-answers; got != valid {
			t.Errorf("packet %d: checksums need no look: %v, want %v", i, got, valid)
		}
	}
	e.Close()
	r.Stop(t)
	if e.Capabilities()&stack.CapabilityRXChecksumOffload != 0 {
		t.Error("checksums need no look beside a packet")
	}
}

// ipv4Header is a TCP packet's with n bytes of payload.
func ipv4Header(n int) []byte {
	h := header.IPv4(make([]byte, header.IPv4MinimumSize))
	h.Encode(&header.IPv4Fields{TotalLength: uint16(len(h) + n), TTL: 64, Protocol: uint8(header.TCPProtocolNumber)})
	h.SetChecksum(^h.CalculateChecksum())
	return h
}
