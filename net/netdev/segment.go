package netdev

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/packetsocket"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A SegmentHook sees each TCP segment that came in for an endpoint before the
// endpoint does, and reports whether it may have it. It runs where the packet
// was received, on loopback within the sender's call: it must not block or
// lock an endpoint. The packet is the stack's.
type SegmentHook func(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool

// SetSegmentHook sets the one hook of the stack.
func (s *Stack) SetSegmentHook(h SegmentHook) { s.segmentHook.Store(&h) }

// tcpProtocol is gVisor's TCP with the hook in front of it, and with all that the
// stack asks of it beside its interface.
type tcpProtocol struct {
	stack.TransportProtocol
	stack.SendBufSizeProto
	net *Stack
}

// queuer is how the stack hands a TCP segment to its endpoint.
type queuer interface {
	QueuePacket(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer)
}

// newTCP makes gVisor's TCP. How many goroutines it goes through segments with, each with connections of its own, is not to be
// chosen: as many as there are processors when it is made. Tried by setting GOMAXPROCS meanwhile, on a machine so busy that a
// boot's figures are up to four times another's, medians of four boots (tamanet bench --only tamanet --short --net=wire; requests a
// second over 1 and 16 connections, Mbit/s in and out over 1 and 8):
//
//	2 CPUs, one    700  1,630   149  168   130  140
//	2 CPUs, two    430  1,260   155  203   145  164
//	1 CPU, one     990  1,980   199  233   258  325
//	1 CPU, two     850  2,150   308  251   363  270
//
// A connection alone has the same goroutine in all of them: that is how much says nothing. 4 MiB out of 2 CPUs with one and with two,
// in seconds as in tune's table: perfect wire 0.13 and 0.32, loss=1% 0.67 and 0.65, delay=10ms 0.39 and 0.58, both 7.2 and
// 7.0, reorder=5%,delay=10ms 2.8 and 3.5. So nothing speaks for going around gVisor here.
func (s *Stack) newTCP(ip *stack.Stack) stack.TransportProtocol {
	p := tcp.NewProtocol(ip)
	s.segments = p.(queuer)
	return &tcpProtocol{TransportProtocol: p, SendBufSizeProto: p.(stack.SendBufSizeProto), net: s}
}

// LimitSendBuffers keeps TCP's send buffers at their first size, or lets them
// grow to their largest again.
func (s *Stack) LimitSendBuffers(limit bool) { s.sendLimited.Store(limit) }

// SendBufferSize implements stack.SendBufSizeProto: gVisor asks when a buffer could grow. The largest is never less than
// the first, since gVisor does not wake who waits for a buffer that is larger than the largest.
func (p *tcpProtocol) SendBufferSize() tcpip.TCPSendBufferSizeRangeOption {
	r := p.SendBufSizeProto.SendBufferSize()
	if p.net.sendLimited.Load() {
		r.Max = r.Default
	}
	return r
}

// QueueSegment hands a segment to an endpoint, without showing it to the hook, which may call
// this. The packet stays the caller's.
func (s *Stack) QueueSegment(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	s.segments.QueuePacket(ep, id, pkt)
}

// QueuePacket implements the stack's interface for protocols with queues.
func (p *tcpProtocol) QueuePacket(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	if h := p.net.segmentHook.Load(); h != nil && !(*h)(ep, id, pkt) {
		return
	}
	p.net.QueueSegment(ep, id, pkt)
}

// A SegmentOwner owns an endpoint (tcpip.Endpoint.SetOwner) and is shown the
// segments that it sends, before anyone else. It may change the header; summed
// says that the checksum is there and has to be kept right. It is called with
// the endpoint locked.
type SegmentOwner interface {
	tcpip.PacketOwner
	Transmit(pkt *stack.PacketBuffer, summed bool)
}

// egress shows packets to their owners on the way out.
type egress struct{ *packetsocket.Endpoint }

// WritePackets implements stack.LinkEndpoint.
func (e egress) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		if o, ok := pkt.Owner.(SegmentOwner); ok && pkt.TransportProtocolNumber == tcp.ProtocolNumber {
			partial := pkt.GSOOptions.Type != stack.GSONone && pkt.GSOOptions.NeedsCsum
			o.Transmit(pkt, !partial && e.Capabilities()&stack.CapabilityTXChecksumOffload == 0)
		}
	}
	return e.Endpoint.WritePackets(pkts)
}
