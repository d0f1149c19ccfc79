package link

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
)

var _ stack.GSOEndpoint = (*Endpoint)(nil)

// gsoMaxSize is what gVisor's TCP takes room for headers from: with them, a segment
// stays below the 65,535 bytes of an IP packet. Also where it is cut here, the largest is the cheapest: over user
// networking in QEMU, a KiB sent takes 6,000 instructions, with 32 KiB 6,350 and with 16 KiB 7,000.
const gsoMaxSize = 65536

// offloads is what of the device's abilities gVisor, or package link for it, can use.
type offloads struct {
	rxChecksum, txChecksum, tcp4, tcp6 bool
}

// findOffloads asks the device. To gVisor all devices seem to cut TCP's segments, and to complete their checksums: what
// one does not do is done in transmitCut. The checksums of UDP gVisor
// would leave also where it cuts a datagram into fragments, which no device can
// complete; so they are not (stack.CapabilityTXChecksumOffload).
func findOffloads(dev nic.Device) (o offloads) {
	if d, ok := dev.(nic.ChecksumOffload); ok {
		o.txChecksum, o.rxChecksum = d.ChecksumOffload()
	}
	if d, ok := dev.(nic.SegmentationOffload); ok {
		o.tcp4, o.tcp6 = d.SegmentationOffload()
	}
	return o
}

// SupportedGSO implements stack.GSOEndpoint.
func (e *Endpoint) SupportedGSO() stack.SupportedGSO { return stack.HostGSOSupported }

// GSOMaxSize implements stack.GSOEndpoint.
func (e *Endpoint) GSOMaxSize() uint32 { return gsoMaxSize }

// Capabilities implements stack.LinkEndpoint: neighbours are resolved by ARP and NDP.
//
// gVisor asks again for each packet that it is handed, from within the delivery, whether its
// checksums need no look (stack.nic.DeliverNetworkPacket), and at no other time:
// the answer is that for the packet which is being delivered.
func (e *Endpoint) Capabilities() stack.LinkEndpointCapabilities {
	c := stack.CapabilityResolutionRequired
	if e.vouched.good.Load() {
		c |= stack.CapabilityRXChecksumOffload
	}
	return c
}

// offload fills in what gVisor has left of pkt to the device.
func offload(f *nic.TxFrame, pkt *stack.PacketBuffer) {
	gso := &pkt.GSOOptions
	if gso.Type != stack.GSOTCPv4 && gso.Type != stack.GSOTCPv6 || !gso.NeedsCsum {
		return
	}
	// L3HdrLen of the options is that of a header without options or extensions.
	start := len(pkt.LinkHeader().Slice()) + len(pkt.NetworkHeader().Slice())
	f.Checksum = nic.Checksum{Start: uint16(start), Offset: gso.CsumOffset}
	tcp := header.TCP(pkt.TransportHeader().Slice())
	if pkt.Data().Size() <= int(gso.MSS) || len(tcp) < header.TCPMinimumSize {
		return
	}
	f.Segmentation = nic.Segmentation{
		Type:      nic.SegmentTCP4,
		ECN:       tcp.Flags()&header.TCPFlagCwr != 0,
		HeaderLen: uint16(start + len(tcp)),
		Size:      gso.MSS,
	}
	if gso.Type == stack.GSOTCPv6 {
		f.Segmentation.Type = nic.SegmentTCP6
	}
}
