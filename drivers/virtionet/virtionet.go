// Package virtionet is the driver of VIRTIO 1.2 network devices (§5.1).
//
// It implements nic.Device with one queue pair. Features beyond MAC, MTU and STATUS
// are used where the device offers them, and Config.Disable switches each off:
//
//	csum, guest_csum    the other side completes, or has found right, checksums of TCP and UDP
//	tso4, tso6, ecn     the device cuts long TCP segments into frames
//	mrg_rxbuf           a received frame may lie in several small buffers
//	guest_tso4, guest_tso6, guest_ecn
//	                    the device hands up TCP segments longer than the MTU: as
//	                    a neighbour on the same host left them uncut, or put together
//	event_idx           fewer interrupts and notifications
//	indirect_desc       a transmitted frame takes one slot of its ring, whatever parts it has
//	packed              rings of one area that both sides write, in place of three
//
// An appliance that forwards packets switches guest_tso4 and guest_tso6 off: what
// is longer than the MTU cannot go on.
//
// A device's goroutine waits for the interrupt and then, as Linux's NAPI does, polls with
// interrupts off until both rings are empty, switches them on and looks once more.
// Transmitted frames are taken back by the next Transmit or by that goroutine; an
// interrupt for them is asked for only when the ring fills, or when nothing else has come
// by within a few milliseconds. Idle, it does nothing at all.
//
// A device that writes nonsense into a ring, or asks for it (NEEDS_RESET), is
// reset and set up again with the same features; one that does so again and again without
// a good frame in between is given up, with the link down.
//
// Not there yet: multiqueue, the control queue.
package virtionet

import (
	"errors"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// The queues of the first pair (§5.1.2).
const (
	queueRx = 0
	queueTx = 1
)

const (
	// defaultMTU is Ethernet's, for a device that does not tell one.
	defaultMTU = 1500
	// maxMTU bounds what a device can make the driver allocate for each descriptor.
	maxMTU = 9000
	// defaultQueue is what QEMU's devices have by default.
	defaultQueue = 256
	// maxParts is how many pieces a frame may have; the chain has one more for the header.
	maxParts = 15
	// txIntrFrames is how many frames may be with the device before it is asked to
	// interrupt: a socket with a send buffer of 32 KiB waits for its frames at 21.
	txIntrFrames = 16
	// txReclaimDelay is how long sent frames may wait for something to come by.
	txReclaimDelay = 5 * time.Millisecond
	// pollBudget is the number of frames after which a poll lets others run.
	pollBudget = 64
	// maxResets is how often in a row, without a good frame, a device is reset before it
	// is given up.
	maxResets = 8
)

// Config says how to drive a device. Transport, Memory and Interrupt are required.
type Config struct {
	// Transport is the device, whose DeviceID is virtio.DeviceNet. The driver owns it from
	// New on.
	Transport virtio.Transport
	// Memory holds the rings, and lends frames to the device.
	Memory dma.Memory
	// Interrupt is the device's line, which no other device shares.
	Interrupt nic.Interrupt
	// QueueInterrupts are those of the queue pairs, where the Transport is a
	// virtio.QueueInterrupter: vector i+1 is QueueInterrupts[i], of pair i, and vector 0
	// is Interrupt, of the configuration. Without them Interrupt is for everything.
	QueueInterrupts []nic.Interrupt
	// Name is for messages; "virtio-net" when empty.
	Name string
	// RxQueue and TxQueue bound the rings, in descriptors; 256 when zero.
	RxQueue, TxQueue int
	// Disable are features not to be used even if the device offers them; see
	// ParseFeatures.
	Disable virtio.Features
	// Logf prints one line; log.Printf when nil.
	Logf func(format string, args ...any)
}

// Device is a virtio network device. It implements nic.Device and nic.Statistics.
type Device struct {
	t    virtio.Transport
	mem  dma.Memory
	irq  nic.Interrupt
	logf func(format string, args ...any)
	info nic.Info

	features virtio.Features
	link     atomic.Pointer[nic.LinkState]
	handler  nic.Handler
	// done is closed when the goroutine has ended, closed when Close has.
	done, closed chan struct{}

	// rx is touched by the goroutine alone while it runs.
	rx struct {
		q *virtio.Queue
		// bufs are the buffers with the device, by head.
		bufs []nic.Buffer
		// frame is the one that is being received, size its bytes so far, missing
		// how many buffers it still lacks; skip says that it is lost already.
		frame   nic.RxFrame
		header  header
		size    int
		missing int
		skip    bool
		seg     [1]virtio.Segment
	}

	// mu guards state, tx and the queue's counters. It is not held over a
	// call to an Owner or the Handler.
	mu    sync.Mutex
	state state
	tx    struct {
		q      *virtio.Queue
		owners []nic.Owner // with the device, by head
		// headers has headerSlot bytes for each descriptor: that of a
		// frame is at its head's.
		headers *dma.Block
		segs    [maxParts + 1]virtio.Segment
		// stopped is set from ErrFull until TransmitReady.
		stopped bool
		// polling is set while the goroutine polls: it will look at this ring before it sleeps.
		polling bool
		// timer wakes the goroutine when frames have waited to be taken
		// back; timing is set while it runs, expired once it has.
		timer   *time.Timer
		timing  bool
		expired atomic.Bool
	}

	// resets counts those since the last good frame; only the goroutine uses it.
	resets int
	once   struct{ ring, length, offload, config, unmapped sync.Once }
	stats  counters
}

var (
	_ nic.Device     = (*Device)(nil)
	_ nic.Statistics = (*Device)(nil)
)

// state is where a Device is in its life.
type state uint8

const (
	stateNew state = iota
	stateRunning
	// stateResetting is while the goroutine has the rings for itself.
	stateResetting
	stateFailed
	stateClosed
)

// err is what Transmit returns in a state.
func (s state) err() error {
	switch s {
	case stateRunning:
		return nil
	case stateResetting:
		return nic.ErrFull
	case stateFailed:
		return nic.ErrFailed
	case stateClosed:
		return nic.ErrClosed
	default:
		return nic.ErrNotStarted
	}
}

// New takes a device as far as its rings: features are negotiated and its
// configuration is read, but it may not use memory before Start. The errors
// wrap virtio.ErrReset, ErrFeatures, ErrConfig, ErrQueue and dma.ErrNoMemory.
func New(c Config) (*Device, error) {
	if c.Transport == nil || c.Memory == nil || c.Interrupt == nil {
		return nil, errors.New("virtionet: Config needs Transport, Memory and Interrupt")
	}
	if id := c.Transport.DeviceID(); id != virtio.DeviceNet {
		return nil, fmt.Errorf("virtionet: device id is %d, want %d", id, virtio.DeviceNet)
	}
	d := &Device{t: c.Transport, mem: c.Memory, irq: c.Interrupt, logf: c.Logf, done: make(chan struct{}), closed: make(chan struct{})}
	if d.logf == nil {
		d.logf = log.Printf
	}
	d.info = nic.Info{Name: c.Name, MaxParts: maxParts}
	if d.info.Name == "" {
		d.info.Name = "virtio-net"
	}
	if err := d.setup(c); err != nil {
		virtio.Fail(d.t)
		return nil, fmt.Errorf("%s: %w", d.info.Name, err)
	}
	return d, nil
}

func (d *Device) setup(c Config) (err error) {
	if err := d.negotiate(wantedFeatures &^ c.Disable); err != nil {
		return err
	}
	if err := d.readConfig(); err != nil {
		return err
	}
	if c.RxQueue == 0 {
		c.RxQueue = defaultQueue
	}
	if c.TxQueue == 0 {
		c.TxQueue = defaultQueue
	}
	if d.rx.q, err = virtio.NewQueue(d.t, d.mem, queueRx, c.RxQueue, d.features); err != nil {
		return err
	}
	if d.tx.q, err = virtio.NewQueue(d.t, d.mem, queueTx, c.TxQueue, d.features); err == nil {
		d.tx.headers, err = d.mem.Alloc(headerSlot*d.tx.q.Size(), headerSlot)
	}
	if err == nil && d.tx.q.Size() < 2 {
		err = fmt.Errorf("%w: a transmit queue of %d descriptor cannot hold a frame", virtio.ErrQueue, d.tx.q.Size())
	}
	if err == nil && d.features.Has(virtio.FeatureIndirectDesc) {
		err = d.tx.q.UseIndirect(maxParts + 1)
	}
	if err != nil {
		// The device has seen the queues, but was not told to use them.
		if virtio.Reset(d.t) == nil {
			d.freeMemory()
		}
		return err
	}
	// A chain longer than the queue is not allowed (§2.7.5.3.1).
	d.info.MaxParts = min(maxParts, d.tx.q.Size()-1)
	d.rx.bufs = make([]nic.Buffer, d.rx.q.Size())
	d.tx.owners = make([]nic.Owner, d.tx.q.Size())
	d.rx.frame.Parts = make([]nic.RxPart, 0, maxRxParts)
	d.tx.q.DisableInterrupts()
	return nil
}

// freeMemory gives back the rings of a device that was reset.
func (d *Device) freeMemory() {
	for _, q := range []*virtio.Queue{d.rx.q, d.tx.q} {
		if q != nil {
			q.Close()
		}
	}
	if d.tx.headers != nil {
		d.mem.Free(d.tx.headers)
	}
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info { return d.info }

// Link implements nic.Device.
func (d *Device) Link() nic.LinkState { return *d.link.Load() }

// Start implements nic.Device.
func (d *Device) Start(h nic.Handler) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.state {
	case stateNew:
	case stateClosed:
		return nic.ErrClosed
	default:
		return nic.ErrStarted
	}
	d.handler = h
	if err := d.fillRx(); err != nil {
		return err
	}
	d.tx.timer = time.AfterFunc(time.Hour, func() {
		d.tx.expired.Store(true)
		d.irq.Wake()
	})
	d.tx.timer.Stop()
	d.state = stateRunning
	virtio.Run(d.t)
	d.rx.q.Kick()
	go d.run()
	return nil
}

// Close implements nic.Device.
func (d *Device) Close() error {
	d.mu.Lock()
	was := d.state
	d.state = stateClosed
	d.mu.Unlock()
	switch was {
	case stateClosed:
		<-d.closed
		return nil
	case stateNew:
	default:
		d.tx.timer.Stop()
		d.irq.Wake()
		<-d.done
	}
	defer close(d.closed)
	if err := virtio.Reset(d.t); err != nil {
		return fmt.Errorf("%s: memory lent to it is lost: %w", d.info.Name, err)
	}
	for _, b := range d.drainRx() {
		b.Release()
	}
	for _, o := range d.drainTx() {
		o.DecRef()
	}
	d.freeMemory()
	return nil
}
