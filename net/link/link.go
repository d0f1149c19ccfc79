// Package link joins a network device to gVisor's stack: a nic.Device becomes a
// stack.LinkEndpoint that speaks Ethernet.
//
// Frames are not copied on the way. A device receives into the memory of gVisor
// buffer views, which become packet buffers; it transmits from the views
// of a packet buffer, of which it holds a reference until it is done. Checksums of TCP, and
// cutting its long segments into frames, are left to a device that does them, and else are done here, last of all
// (Linux: GSO), so that the way down the stack is taken once for all frames of a segment.
//
// A device with several queue pairs is used with as many as the program has processors: frames of
// different pairs are delivered side by side, and packets of a flow leave by one pair, in order.
//
// When a device's ring is full, packets wait in a bounded queue, in order, and follow as the ring
// empties. Until they have left they count in their socket's send buffer, where a
// writer waits: that is how a slow device slows it down. Past the queue's bound, which one
// socket does not reach, a write fails with ErrNoBufferSpace. Nothing is dropped without a counter.
package link

import (
	"errors"
	"fmt"
	"log"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
)

// DefaultQueueLen is Linux's default txqueuelen for Ethernet.
const DefaultQueueLen = 1000

// Options adjust an Endpoint; the zero value is what most want.
type Options struct {
	// QueueLen bounds the packets that wait while the ring is full, for each queue pair;
	// DefaultQueueLen when 0. Of TCP 16 times as many may wait.
	QueueLen int
	// OnLink, when set, is called when the medium goes up or down, in the
	// device's goroutine: it must not block, or close the Endpoint.
	OnLink func(nic.LinkState)
	// Logf prints one line; log.Printf when nil.
	Logf func(format string, args ...any)
	// OnAnnounce, when set, is called when neighbours are to be told where this station is, as
	// OnLink is.
	OnAnnounce func()
	// Queues bounds the queue pairs that are used of a device with several;
	// runtime.GOMAXPROCS when 0.
	Queues int
	// NoGRO has each packet delivered by itself as it comes in: neither are TCP segments joined (Linux:
	// ethtool -K eth0 gro off), nor acknowledgements.
	NoGRO bool
}

// Endpoint is a stack.LinkEndpoint over a nic.Device. Every method is safe for concurrent use.
type Endpoint struct {
	dev  nic.Device
	info nic.Info
	opts Options

	dispatcher  atomic.Pointer[attached]
	addr        atomic.Pointer[tcpip.LinkAddress]
	mtu         atomic.Uint32
	promiscuous atomic.Bool
	offloads    offloads
	queues      []*queue
	// used is how many of queues the device uses; 0 is one.
	used       atomic.Uint32
	vouched    vouched
	stats      counters
	logInvalid sync.Once

	closing sync.Once
	mu      sync.Mutex
	onClose func()
}

// attached holds the dispatcher, since an interface cannot be stored atomically.
type attached struct{ stack.NetworkDispatcher }

var (
	_ stack.LinkEndpoint = (*Endpoint)(nil)
	_ nic.Handler        = (*queue)(nil)
	_ nic.Announcer      = (*queue)(nil)
)

// New starts dev and returns its endpoint, which owns dev from here on, also when Start
// fails: dev is then closed. Frames are counted and dropped until the stack attaches
// itself.
func New(dev nic.Device, opts Options) (*Endpoint, error) {
	if opts.QueueLen <= 0 {
		opts.QueueLen = DefaultQueueLen
	}
	if opts.Logf == nil {
		opts.Logf = log.Printf
	}
	e := &Endpoint{dev: dev, info: dev.Info(), opts: opts, offloads: findOffloads(dev)}
	addr := tcpip.LinkAddress(e.info.MAC[:])
	e.addr.Store(&addr)
	e.mtu.Store(uint32(e.info.MTU))
	if err := e.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("link: %w", err), dev.Close())
	}
	return e, nil
}

// Device returns the device, for its statistics. It stays the Endpoint's: do not close it.
func (e *Endpoint) Device() nic.Device { return e.dev }

// Link returns the state of the medium.
func (e *Endpoint) Link() nic.LinkState { return e.dev.Link() }

// MTU implements stack.LinkEndpoint: the Ethernet header is not counted.
func (e *Endpoint) MTU() uint32 { return e.mtu.Load() }

// SetMTU implements stack.LinkEndpoint. What the device cannot do is cut to what
// it can, and what IPv4 cannot live with raised to what it can.
func (e *Endpoint) SetMTU(mtu uint32) {
	e.mtu.Store(max(min(mtu, uint32(e.info.MTU)), nic.MinMTU))
}

// MaxHeaderLength implements stack.LinkEndpoint.
func (e *Endpoint) MaxHeaderLength() uint16 { return header.EthernetMinimumSize }

// LinkAddress implements stack.LinkEndpoint.
func (e *Endpoint) LinkAddress() tcpip.LinkAddress { return *e.addr.Load() }

// SetLinkAddress implements stack.LinkEndpoint. Frames are sent from and
// accepted for the new address; whether the hardware lets those through is its matter, and SetHardwareAddr's.
func (e *Endpoint) SetLinkAddress(addr tcpip.LinkAddress) { e.addr.Store(&addr) }

// SetHardwareAddr has a device that filters receive frames for addr, of 6 bytes, before
// SetLinkAddress. The error is the device's, which then goes on as before.
func (e *Endpoint) SetHardwareAddr(addr tcpip.LinkAddress) error {
	if len(addr) != header.EthernetAddressSize {
		return fmt.Errorf("link: %s: hardware address of %d bytes, want %d", e.info.Name, len(addr), header.EthernetAddressSize)
	}
	if s, ok := e.dev.(nic.MACSetter); ok {
		if err := s.SetMAC(nic.MAC([]byte(addr))); err != nil {
			return fmt.Errorf("link: %s: hardware address: %w", e.info.Name, err)
		}
	}
	return nil
}

// ARPHardwareType implements stack.LinkEndpoint.
func (e *Endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// SetPromiscuous makes the stack's packet sockets see frames for other
// stations too. The error is the device's; one that filters nothing needs no switch.
func (e *Endpoint) SetPromiscuous(on bool) error {
	if p, ok := e.dev.(nic.Promiscuous); ok {
		if err := p.SetPromiscuous(on); err != nil {
			return fmt.Errorf("link: %s: promiscuous mode: %w", e.info.Name, err)
		}
	}
	e.promiscuous.Store(on)
	return nil
}

// SetMulticast has a device that filters receive frames for groups, addresses of 6 bytes each, and leave out those for
// others as far as it can; with nil it receives all. One that refuses is to receive all, which is logged.
func (e *Endpoint) SetMulticast(groups []tcpip.LinkAddress) {
	m, ok := e.dev.(nic.Multicast)
	if !ok {
		return
	}
	var macs []nic.MAC
	if groups != nil {
		macs = make([]nic.MAC, len(groups))
		for i, g := range groups {
			copy(macs[i][:], g)
		}
	}
	err := m.SetMulticast(macs)
	if err == nil || errors.Is(err, nic.ErrClosed) || errors.Is(err, nic.ErrFailed) {
		return
	}
	e.opts.Logf("link: %s: multicast filter: %v", e.info.Name, err)
	if macs != nil {
		m.SetMulticast(nil)
	}
}

// Attach implements stack.LinkEndpoint. With nil, frames are dropped from now
// on; a delivery that has begun may still be running when Attach returns. The
// stack calls Attach with its own lock held, which that delivery may be waiting for.
func (e *Endpoint) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.dispatcher.Store(nil)
		return
	}
	e.dispatcher.Store(&attached{d})
}

// IsAttached implements stack.LinkEndpoint.
func (e *Endpoint) IsAttached() bool { return e.dispatcher.Load() != nil }

// Wait implements stack.LinkEndpoint. The Endpoint has no goroutine, and for
// the device's the stack must not wait here, with its lock held: Close does.
func (e *Endpoint) Wait() {}

// SetOnCloseAction implements stack.LinkEndpoint.
func (e *Endpoint) SetOnCloseAction(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.onClose = f
}

// Close implements stack.LinkEndpoint: it closes the device. When it returns, no frame is
// delivered any more and every packet was released. It must not be called from a delivery.
func (e *Endpoint) Close() {
	e.closing.Do(func() {
		e.mu.Lock()
		f := e.onClose
		e.mu.Unlock()
		if f != nil {
			f()
		}
		e.Attach(nil)
		if err := e.dev.Close(); err != nil {
			e.opts.Logf("link: %v", err)
		}
		for _, q := range e.queues {
			q.close()
		}
	})
}
