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
	// held is set once GRO may hold something of this batch back. ack is held back otherwise.
	held bool
	ack  heldACK
}

// ackLen is the most that a packet without payload has in bytes: it is not worth a look when nothing is held
// back, and a sender gets little else.
const ackLen = 2 * 60

func (c *coalescer) init(e *Endpoint) {
	c.up.e = e
	c.gro.Dispatcher = &c.up
}

// batches makes use of the batches of a device that has them, and one queue, unless that is not wanted. Instructions with it and
// without, over user networking (tamanet bench --only tamanet --short --cmdline=gro=off): a KiB of TCP in 5,100 and 9,600,
// out, where acknowledgements are joined, 5,700 and 19,000; an HTTP request, which has nothing to join, 79,400 and 79,000. How
// long transfers take over wires that lose, delay and reorder stands with the other choices in netdev.Stack.tune.
func (e *Endpoint) batches(dev nic.Device) {
	if b, ok := dev.(nic.Batching); ok && !e.opts.NoGRO {
		c := &e.queues[0].coalesce
		c.on = true
		c.gro.Init(true)
		b.OnBatchEnd(c.endBatch)
	}
}

// endBatch delivers what was held back.
func (c *coalescer) endBatch() {
	c.flushACK()
	if c.held {
		c.held = false
		c.gro.Flush()
	}
}

// deliver hands a packet to the stack, or holds one for this host back for a moment.
func (c *coalescer) deliver(d *attached, pkt *stack.PacketBuffer, checksumGood bool) {
	up := &c.up
	up.attached = d
	good, small := checksumGood, pkt.Data().Size() <= ackLen
	if c.on && pkt.PktType == tcpip.PacketHost {
		good = good || goodTCP4(pkt)
	}
	pkt.RXChecksumValidated = good
	if c.holdACK(pkt, good && small && !c.held) {
		return
	}
	c.flushACK()
	if !c.on || pkt.PktType != tcpip.PacketHost || !good || !c.held && small {
		up.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
		return
	}
	if !exact(pkt) {
		// GRO takes all behind the headers for payload. What it holds of the flow goes first.
		c.endBatch()
		up.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
		return
	}
	c.held = true
	c.gro.Enqueue(pkt)
}

// exact says whether a packet ends where IP says, and not in what Ethernet pads a short frame with.
func exact(pkt *stack.PacketBuffer) bool {
	size, length := pkt.Data().Size(), 0
	switch pkt.NetworkProtocolNumber {
	case header.IPv4ProtocolNumber:
		if b, ok := pkt.Data().PullUp(header.IPv4MinimumSize); ok {
			length = int(header.IPv4(b).TotalLength())
		}
	case header.IPv6ProtocolNumber:
		if b, ok := pkt.Data().PullUp(header.IPv6MinimumSize); ok {
			length = header.IPv6MinimumSize + int(header.IPv6(b).PayloadLength())
		}
	}
	return length == size
}

// holdACK holds pkt back if it is an acknowledgement alone, in place of one that it replaces.
func (c *coalescer) holdACK(pkt *stack.PacketBuffer, may bool) bool {
	if !may || !c.on || pkt.PktType != tcpip.PacketHost {
		return false
	}
	a, ok := parseACK(pkt)
	if !ok {
		return false
	}
	if a.replaces(&c.ack) {
		c.up.e.stats.rxACKsJoined.Add(1)
		c.ack.pkt.DecRef()
		c.ack = heldACK{}
	}
	c.flushACK()
	pkt.IncRef()
	c.ack = a
	return true
}

// flushACK delivers the acknowledgement that is held back.
func (c *coalescer) flushACK() {
	if pkt := c.ack.pkt; pkt != nil {
		c.ack = heldACK{}
		c.up.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
		pkt.DecRef()
	}
}

// goodTCP4 says whether pkt is TCP over IPv4, in one piece, with both checksums right. GRO looks for itself, but
// at the wrong place once the link header is consumed (gro.GRO.dispatch4, stack.PacketData.ChecksumAtOffset).
func goodTCP4(pkt *stack.PacketBuffer) bool {
	if pkt.NetworkProtocolNumber != header.IPv4ProtocolNumber {
		return false
	}
	b, ok := pkt.Data().PullUp(header.IPv4MinimumSize)
	size, ip := pkt.Data().Size(), header.IPv4(b)
	if !ok || !ip.IsValid(size) || ip.HeaderLength() != header.IPv4MinimumSize ||
		ip.More() || ip.FragmentOffset() != 0 || ip.TransportProtocol() != header.TCPProtocolNumber || !ip.IsChecksumValid() {
		return false
	}
	// A header whose checksum is right adds nothing to the sum over the whole packet.
	length := int(ip.TotalLength())
	pseudo := header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(length-header.IPv4MinimumSize))
	if length == size {
		return checksum.Combine(pseudo, pkt.Data().Checksum()) == 0xffff
	}
	// Behind it is what Ethernet pads a short frame with.
	b, ok = pkt.Data().PullUp(length)
	return ok && checksum.Checksum(b, pseudo) == 0xffff
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
