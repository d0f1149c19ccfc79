package link

import (
	"runtime"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
)

// queue is a pair of the device's queues: its Handler, and the packets that wait for room in its
// transmit ring.
type queue struct {
	e        *Endpoint
	index    uint32
	coalesce coalescer

	// waiting is set while pkts is not empty: a new packet must then not overtake it.
	waiting atomic.Bool
	// ready counts the calls of TransmitReady.
	ready atomic.Uint32

	mu       sync.Mutex
	pkts     []waiting // a circular buffer
	first, n int
	draining bool
	closed   bool
}

// waiting is a packet that waits, with a reference, and how many of the frames that it is cut into were sent.
type waiting struct {
	pkt  *stack.PacketBuffer
	sent int
}

// start starts the device with a queue for each pair that is worth it.
func (e *Endpoint) start() error {
	m, several := e.dev.(nic.MultiQueue)
	n := 1
	if several {
		n = e.opts.Queues
		if n <= 0 {
			n = runtime.GOMAXPROCS(0)
		}
		n = min(n, m.Queues())
	}
	for i := range n {
		e.queues = append(e.queues, &queue{e: e, index: uint32(i)})
		e.queues[i].coalesce.init(e)
	}
	e.vouched.several = n > 1
	if n == 1 {
		e.batches(e.dev)
		return e.dev.Start(e.queues[0])
	}
	handlers := make([]nic.Handler, n)
	for i, q := range e.queues {
		handlers[i] = q
	}
	used, err := m.StartQueues(handlers)
	if err == nil {
		e.used.Store(uint32(used))
	}
	return err
}

// queueOf returns the queue of a packet's flow.
func (e *Endpoint) queueOf(pkt *stack.PacketBuffer) *queue {
	if n := e.used.Load(); n > 1 {
		return e.queues[flowHash(pkt)%n]
	}
	return e.queues[0]
}

// flowHash is equal for packets of a flow. gVisor has one of its own for TCP; for others it is made of
// addresses and ports, by FNV-1a.
func flowHash(pkt *stack.PacketBuffer) uint32 {
	if pkt.Hash != 0 {
		return pkt.Hash
	}
	h := uint32(2166136261)
	add := func(b []byte) {
		for _, v := range b {
			h = (h ^ uint32(v)) * 16777619
		}
	}
	network, transport := pkt.NetworkHeader().Slice(), pkt.TransportHeader().Slice()
	switch pkt.NetworkProtocolNumber {
	case header.IPv4ProtocolNumber:
		if len(network) >= header.IPv4MinimumSize {
			add(network[12:20])
		}
	case header.IPv6ProtocolNumber:
		if len(network) >= header.IPv6MinimumSize {
			add(network[8:40])
		}
	}
	if len(transport) >= 4 && (pkt.TransportProtocolNumber == header.TCPProtocolNumber || pkt.TransportProtocolNumber == header.UDPProtocolNumber) {
		add(transport[:4])
	}
	return h
}

// LinkChange implements nic.Handler.
func (q *queue) LinkChange(l nic.LinkState) {
	if q.e.opts.OnLink != nil {
		q.e.opts.OnLink(l)
	}
}

// Announce implements nic.Announcer.
func (q *queue) Announce() {
	if q.e.opts.OnAnnounce != nil {
		q.e.opts.OnAnnounce()
	}
}

// vouched is what is said of a packet's checksums to gVisor, which asks the endpoint while the packet is
// delivered (see Capabilities). With several queues, packets that are vouched for are delivered side
// by side, others by themselves: the answer must not be that for another packet.
type vouched struct {
	several bool
	mu      sync.RWMutex
	good    atomic.Bool
}

// begin says how it is with the packet that is going to be delivered; end follows.
func (v *vouched) begin(good bool) {
	switch {
	case !v.several:
	case good:
		v.mu.RLock()
	default:
		v.mu.Lock()
	}
	v.good.Store(good)
}

func (v *vouched) end(good bool) {
	switch {
	case !v.several:
		v.good.Store(false)
	case good:
		v.mu.RUnlock()
	default:
		v.mu.Unlock()
	}
}
