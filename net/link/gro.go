package link

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/stack/gro"

	"github.com/tamanet/tamanet/drivers/nic"
)

// coalescer joins the TCP segments of a batch that follow each other into one, by gVisor's GRO
// (Linux: net/core/gro.c), so that the stack is passed through once for all of them. It is used by the device's
// goroutine alone.
type coalescer struct {
	gro gro.GRO
	on  bool
	up  delivery
	// held is set once something of this batch may be held back.
	held bool
}

// ackLen is the most that a packet without payload has in bytes: it is not worth a look when nothing is held
// back, and a sender gets little else.
const ackLen = 2 * 60

func (c *coalescer) init(e *Endpoint) {
	c.up.e = e
	c.gro.Dispatcher = &c.up
}

// batches makes use of the batches of a device that has them, and one queue.
func (e *Endpoint) batches(dev nic.Device) {
	if b, ok := dev.(nic.Batching); ok {
		c := &e.queues[0].coalesce
		c.on = true
		c.gro.Init(true)
		b.OnBatchEnd(c.endBatch)
	}
}

// endBatch delivers what was held back.
func (c *coalescer) endBatch() {
	if c.held {
		c.held = false
		c.gro.Flush()
	}
}

// deliver hands a packet to the stack, or holds one for this host back for a moment.
func (c *coalescer) deliver(d *attached, pkt *stack.PacketBuffer, checksumGood bool) {
	pkt.RXChecksumValidated = checksumGood
	up := &c.up
	up.attached = d
	if !c.on || pkt.PktType != tcpip.PacketHost || !c.held && pkt.Data().Size() <= ackLen || !checksumGood && !goodTCP4(pkt) {
		up.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
		return
	}
	pkt.RXChecksumValidated, c.held = true, true
	c.gro.Enqueue(pkt)
}

// goodTCP4 says whether pkt is TCP over IPv4, in one piece, with both checksums right. GRO looks for itself, but
// at the wrong place once the link header is consumed (gro.GRO.dispatch4, stack.PacketData.ChecksumAtOffset).
func goodTCP4(pkt *stack.PacketBuffer) bool {
	if pkt.NetworkProtocolNumber != header.IPv4ProtocolNumber {
		return false
	}
	b, ok := pkt.Data().PullUp(header.IPv4MinimumSize)
	size, ip := pkt.Data().Size(), header.IPv4(b)
	if !ok || !ip.IsValid(size) || ip.HeaderLength() != header.IPv4MinimumSize || int(ip.TotalLength()) != size ||
		ip.More() || ip.FragmentOffset() != 0 || ip.TransportProtocol() != header.TCPProtocolNumber || !ip.IsChecksumValid() {
		return false
	}
	// A header whose checksum is right adds nothing to the sum over the whole packet.
	pseudo := header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(size-header.IPv4MinimumSize))
	return checksum.Combine(pseudo, pkt.Data().Checksum()) == 0xffff
}

// delivery is the dispatcher behind GRO.
type delivery struct {
	e *Endpoint
	*attached
}

// DeliverNetworkPacket implements stack.NetworkDispatcher. Segments that were joined had
// their checksums looked at before.
func (d *delivery) DeliverNetworkPacket(proto tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	good := pkt.RXChecksumValidated
	d.e.vouched.begin(good)
	defer d.e.vouched.end(good)
	d.attached.DeliverNetworkPacket(proto, pkt)
}
