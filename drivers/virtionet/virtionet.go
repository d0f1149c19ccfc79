// Package virtionet is the driver of VIRTIO 1.2 network devices (§5.1).
//
// It implements nic.Device, and nic.MultiQueue with the queue pairs that the device has. Features beyond MAC, MTU and STATUS
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
//	ctrl_vq             commands to the device, without which there is nothing of the following
//	ctrl_rx             only frames for this station come up, unless it is promiscuous
//	ctrl_mac_addr       the station's address can be changed
//	ctrl_vlan           only frames of the VLANs that were asked for come up
//	guest_announce      the device says when neighbours need to be told where this station is
//	mq                  several queue pairs, if the handler asks for them
//
// Each pair has a goroutine, which waits for the interrupt and then, as Linux's NAPI does, polls with
// interrupts off until both rings are empty, lets other goroutines have their turn, and when there is nothing
// new then switches interrupts on and looks once more.
// Transmitted frames are taken back by the next Transmit or by that goroutine; an
// interrupt for them is asked for only when the ring fills, or when nothing else has come
// by within a few milliseconds. A device that has sent nothing by then is notified again. Idle, it does nothing at all. Where a transport has an interrupt for
// each queue, pairs share none; else one line is for all, and wakes all.
//
// Commands wait for the device's answer, for a second at most, without a goroutine or an interrupt.
//
// A device that writes nonsense into a ring, or asks for it (NEEDS_RESET), is
// reset and set up again with the same features; one that does so again and again without
// a good frame in between is given up, with the link down.
package virtionet

import (
	"cmp"
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

const (
	// defaultMTU is Ethernet's, for a device that does not tell one.
	defaultMTU = 1500
	// maxMTU bounds what a device can make the driver allocate for each descriptor.
	maxMTU = 9000
	// defaultQueue is what QEMU's devices have by default.
	defaultQueue = 256
	// maxPairs bounds what is set up of a device with many.
	maxPairs = 64
	// maxParts is how many pieces a frame may have; the chain has one more for the header.
	maxParts = 15
	// txIntrFrames is how many frames may be with the device before it is asked to
	// interrupt: a socket with a send buffer of 32 KiB waits for its frames at 21.
	txIntrFrames = 16
	// txReclaimDelay is how long sent frames may wait for something to come by, and after how long
	// without any frame sent the device is notified again.
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
	// Release, when set, is called once, by Close, when the device uses its interrupts no more: lines that
	// were allocated for it may be given to another one. It is not where New fails, or a device that cannot be reset is closed.
	Release func()
	// Logf prints one line; log.Printf when nil.
	Logf func(format string, args ...any)
}

// Device is a virtio network device. It implements nic.Device, nic.MultiQueue, nic.QueueStatistics, nic.Promiscuous,
// nic.Multicast, nic.MACSetter, nic.VLANFilter, nic.ChecksumOffload and nic.SegmentationOffload.
type Device struct {
	t    virtio.Transport
	mem  dma.Memory
	irq  nic.Interrupt
	logf func(format string, args ...any)
	info nic.Info
	// release is Config's.
	release func()

	features virtio.Features
	// rxQueue and txQueue bound the rings.
	rxQueue, txQueue int
	// vectored is set when each pair has an interrupt of its own, and irq is the configuration's.
	vectored bool
	// txDelay is txReclaimDelay, but in tests.
	txDelay time.Duration
	// maxPairs is how many the device has, pairs those that can be used, active how many are.
	maxPairs int
	pairs    []*pair
	active   atomic.Int32
	ctrl     control
	// deviceMAC is the address that the device has by itself, zero when it has none.
	deviceMAC nic.MAC

	link    atomic.Pointer[nic.LinkState]
	handler nic.Handler
	// batchEnd is called after a batch of received frames.
	batchEnd func()
	// configDue asks pair 0's goroutine to look at the configuration, cause the device's to reset it.
	configDue atomic.Bool
	cause     atomic.Pointer[error]
	workers   sync.WaitGroup
	// done is closed when the goroutine has ended, closed when Close has.
	done, closed chan struct{}

	// mu is held to change state, and so is each pair's mu, any of which suffices to read it. The order
	// of locks is mu, ctrl.mu, a pair's. None is held over a call to an Owner or the
	// Handler.
	mu    sync.Mutex
	state state

	// resets counts those since the last good frame.
	resets atomic.Int32
	once   struct{ ring, length, offload, config, unmapped, control sync.Once }
	stats  struct{ interrupts, resets atomic.Uint64 }
}

var (
	_ nic.MultiQueue      = (*Device)(nil)
	_ nic.QueueStatistics = (*Device)(nil)
	_ nic.Batching        = (*Device)(nil)
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
// wrap virtio.ErrReset, ErrFeatures, ErrConfig, ErrQueue and dma.ErrNoMemory, or are those of
// a virtio.QueueInterrupter.
func New(c Config) (*Device, error) {
	if c.Transport == nil || c.Memory == nil || c.Interrupt == nil {
		return nil, errors.New("virtionet: Config needs Transport, Memory and Interrupt")
	}
	if id := c.Transport.DeviceID(); id != virtio.DeviceNet {
		return nil, fmt.Errorf("virtionet: device id is %d, want %d", id, virtio.DeviceNet)
	}
	d := &Device{
		t: c.Transport, mem: c.Memory, irq: c.Interrupt, logf: c.Logf, release: c.Release, done: make(chan struct{}), closed: make(chan struct{}),
		rxQueue: cmp.Or(c.RxQueue, defaultQueue), txQueue: cmp.Or(c.TxQueue, defaultQueue),
		txDelay: txReclaimDelay,
	}
	if d.logf == nil {
		d.logf = log.Printf
	}
	d.info = nic.Info{Name: cmp.Or(c.Name, "virtio-net"), MaxParts: maxParts}
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
	d.newPairs(c.QueueInterrupts)
	if err = d.setConfigVector(); err == nil {
		err = d.pairs[0].open()
	}
	if err == nil {
		err = d.openControl()
	}
	if err != nil {
		// The device has seen the queues, but was not told to use them.
		if virtio.Reset(d.t) == nil {
			d.freeMemory()
		}
		return err
	}
	// A chain longer than the queue is not allowed (§2.7.5.3.1).
	d.info.MaxParts = min(maxParts, d.pairs[0].tx.q.Size()-1)
	return nil
}

// newPairs makes the pairs that can be used, with an interrupt each where the transport has them.
func (d *Device) newPairs(irqs []nic.Interrupt) {
	n := min(d.maxPairs, maxPairs)
	if t, ok := d.t.(virtio.QueueInterrupter); ok {
		if v := min(len(irqs), t.Vectors()-1); v > 0 {
			d.vectored, n = true, min(n, v)
		}
	}
	for i := range n {
		p := &pair{d: d, index: i}
		switch {
		case d.vectored:
			p.irq = irqs[i]
		case i == 0:
			p.irq = d.irq
		default:
			p.irq = newLine()
		}
		d.pairs = append(d.pairs, p)
	}
	d.active.Store(1)
}

// setConfigVector assigns the configuration's interrupt.
func (d *Device) setConfigVector() error {
	if !d.vectored {
		return nil
	}
	return d.t.(virtio.QueueInterrupter).SetConfigVector(0)
}

// freeMemory gives back the rings of a device that was reset.
func (d *Device) freeMemory() {
	for _, p := range d.pairs {
		p.freeMemory()
	}
	d.ctrl.freeMemory(d.mem)
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info { return d.info }

// Link implements nic.Device.
func (d *Device) Link() nic.LinkState { return *d.link.Load() }

// Queues implements nic.MultiQueue.
func (d *Device) Queues() int { return len(d.pairs) }

// Start implements nic.Device.
func (d *Device) Start(h nic.Handler) error {
	_, err := d.StartQueues([]nic.Handler{h})
	return err
}

// StartQueues implements nic.MultiQueue. Pairs for which there is not all that they need are done
// without, but the first.
func (d *Device) StartQueues(hs []nic.Handler) (used int, err error) {
	if len(hs) < 1 || len(hs) > len(d.pairs) {
		return 0, fmt.Errorf("%s: started with %d handlers for %d queue pairs", d.info.Name, len(hs), len(d.pairs))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.state {
	case stateNew:
	case stateClosed:
		return 0, nic.ErrClosed
	default:
		return 0, nic.ErrStarted
	}
	d.handler = hs[0]
	n := 0
	for ; n < len(hs); n++ {
		if err := d.pairs[n].start(hs[n]); err != nil {
			if n == 0 {
				return 0, err
			}
			d.logf("%s: using %d of %d queue pairs: %v", d.info.Name, n, len(hs), err)
			break
		}
	}
	d.active.Store(int32(n))
	d.ctrl.mu.Lock()
	virtio.Run(d.t)
	for _, p := range d.inUse() {
		p.rx.q.Kick()
	}
	if err := d.setPairs(); err != nil {
		d.refused("several queue pairs", err)
		d.active.Store(1)
	}
	d.configure()
	if !d.vectored && !d.inline() {
		// The line's goroutine does not poll, so that no pair waits for another.
		d.pairs[0].setIRQ(newLine())
	}
	// Not before DRIVER_OK: until then no notification is allowed (§3.1.1).
	d.setState(stateRunning)
	d.ctrl.mu.Unlock()
	// What changed between New and now raised no interrupt.
	d.configDue.Store(true)
	go d.run()
	return len(d.inUse()), nil
}

// inUse are the pairs that are used.
func (d *Device) inUse() []*pair { return d.pairs[:d.active.Load()] }

// setState changes the state. mu is held.
func (d *Device) setState(to state) {
	for _, p := range d.pairs {
		p.mu.Lock()
	}
	d.state = to
	for _, p := range d.pairs {
		p.mu.Unlock()
	}
}

// now is the state. No lock is held.
func (d *Device) now() state {
	d.pairs[0].mu.Lock()
	defer d.pairs[0].mu.Unlock()
	return d.state
}

// Close implements nic.Device.
func (d *Device) Close() error {
	d.mu.Lock()
	was := d.state
	d.setState(stateClosed)
	d.mu.Unlock()
	switch was {
	case stateClosed:
		<-d.closed
		return nil
	case stateNew:
	default:
		d.irq.Wake()
		<-d.done
		for _, p := range d.inUse() {
			p.tx.timer.Stop()
		}
	}
	defer close(d.closed)
	if err := d.takeBack(); err != nil {
		return err
	}
	if d.release != nil {
		d.release()
	}
	return nil
}

// takeBack resets the device and takes back all that was lent to it.
func (d *Device) takeBack() error {
	d.ctrl.mu.Lock()
	defer d.ctrl.mu.Unlock()
	if err := virtio.Reset(d.t); err != nil {
		return fmt.Errorf("%s: memory lent to it is lost: %w", d.info.Name, err)
	}
	for _, p := range d.pairs {
		for _, b := range p.drainRx() {
			b.Release()
		}
		for _, o := range p.drainTx() {
			o.DecRef()
		}
	}
	d.freeMemory()
	return nil
}
