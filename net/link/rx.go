package link

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
)

// view is a buffer.View as receive memory. The types convert into each other, so
// that a frame needs no wrapper object.
//
// A view's memory is a chunk of gVisor's pools with a reference count of one
// until it is handed up; nobody else can see it, which is why the device may
// write into what AsSlice returns.
type view buffer.View

func (v *view) Bytes() []byte { return (*buffer.View)(v).AsSlice() }
func (v *view) Release()      { (*buffer.View)(v).Release() }

// Buffer implements nic.Handler.
func (q *queue) Buffer(n int) nic.Buffer { return (*view)(buffer.NewViewSize(n)) }

// Receive implements nic.Handler.
func (q *queue) Receive(f *nic.RxFrame) {
	e := q.e
	pkt := packet(f)
	defer pkt.DecRef()
	d := e.dispatcher.Load()
	if d == nil {
		e.stats.rxDetached.Add(1)
		return
	}
	if !e.ParseHeader(pkt) {
		e.stats.rxShort.Add(1)
		return
	}
	eth := header.Ethernet(pkt.LinkHeader().Slice())
	pkt.PktType = e.classify(eth.DestinationAddress())
	if pkt.PktType != tcpip.PacketOtherHost {
		q.coalesce.deliver(d, pkt, f.ChecksumGood && e.offloads.rxChecksum)
	} else if e.promiscuous.Load() {
		// Only to packet sockets: IP must not take what is for another station (Linux: ip_rcv).
		d.DeliverLinkPacket(pkt.NetworkProtocolNumber, pkt)
	} else {
		e.stats.rxOtherHost.Add(1)
	}
}

// packet makes a packet of the views that the device has filled. It takes them over.
func packet(f *nic.RxFrame) *stack.PacketBuffer {
	var payload buffer.Buffer
	for i := range f.Parts {
		p := &f.Parts[i]
		v := (*buffer.View)(p.Buffer.(*view))
		v.TrimFront(p.Off)
		v.CapLength(p.Len)
		// MakeWithView and Merge move a view as it is; Append may copy it.
		b := buffer.MakeWithView(v)
		payload.Merge(&b)
	}
	return stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: payload})
}

// ParseHeader implements stack.LinkEndpoint.
func (e *Endpoint) ParseHeader(pkt *stack.PacketBuffer) bool {
	h, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	if ok {
		pkt.NetworkProtocolNumber = header.Ethernet(h).Type()
	}
	return ok
}

func (e *Endpoint) classify(dst tcpip.LinkAddress) tcpip.PacketType {
	switch {
	case dst == *e.addr.Load():
		return tcpip.PacketHost
	case dst == header.EthernetBroadcastAddress:
		return tcpip.PacketBroadcast
	case header.IsMulticastEthernetAddress(dst):
		return tcpip.PacketMulticast
	default:
		return tcpip.PacketOtherHost
	}
}
