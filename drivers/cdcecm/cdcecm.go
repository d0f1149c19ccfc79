// Package cdcecm is the gadget's side of USB networking by CDC-ECM (USB Class Definitions for
// Communication Devices 1.2, and its subclass specification for Ethernet control models 1.2): to the
// host we are a network card, and what it sends is received here.
//
// The package knows frames and class requests but no USB controller. A controller's driver calls
// the functions of the endpoints, each from a goroutine of its own, one transfer a
// frame: Out with what the host has sent, In for what it is to get, Notify for the interrupt endpoint, and
// Setup with the requests on endpoint 0. That is the form which package
// github.com/usbarmory/tamago/soc/nxp/usb has.
//
// A frame is copied once in either direction, besides what the controller's driver copies; there is no
// allocation for one. Left out: multicast filters, statistics requests,
// power management, jumbo frames.
package cdcecm

import (
	"errors"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
)

const (
	mtu = 1500
	// maxFrame is the longest frame in bytes; hosts that use VLANs send 4 more than wMaxSegmentSize.
	maxFrame = nic.HeaderLen + nic.VLANLen + mtu
	// transferLen is the length of a receive transfer: more than any frame, whose short packet ends it.
	transferLen = 2048
	maxParts    = 64

	txFrames = 64
	rxFrames = 32
	// patience is how long an endpoint's function waits before it lets the controller's driver look whether
	// the host has changed the configuration.
	patience = 100 * time.Millisecond
)

// MaxSegmentSize is wMaxSegmentSize of the Ethernet networking functional descriptor.
const MaxSegmentSize = nic.HeaderLen + mtu

// Config says what the gadget is. The zero value is ready.
type Config struct {
	// MAC is our address and HostMAC the host's, which its driver takes from the descriptor (iMACAddress): two different
	// ones. When zero, they are those of DefaultMAC and DefaultHostMAC.
	MAC, HostMAC nic.MAC
	// Name is for messages; "cdc-ecm" when empty.
	Name string
	// Logf prints one line; log.Printf when nil.
	Logf func(format string, args ...any)
}

// The usual addresses of a USB armory and its host (usbarmory wiki), the same at each start: the host knows the
// interface by them.
var (
	DefaultMAC     = nic.MAC{0x1a, 0x55, 0x89, 0xa2, 0x69, 0x41}
	DefaultHostMAC = nic.MAC{0x1a, 0x55, 0x89, 0xa2, 0x69, 0x42}
)

// Device is the gadget. It implements nic.Device and nic.Statistics.
type Device struct {
	c    Config
	info nic.Info

	up      atomic.Bool
	handler nic.Handler
	// events wakes the goroutine: for a change of the link, room in the ring, or the end.
	events       chan struct{}
	done, closed chan struct{}

	// filled has what the host has sent, empty memory for more.
	filled, empty chan rxFrame
	rx            rxState // the goroutine's of Out

	mu    sync.Mutex
	state state
	tx    txRing

	in     inState     // the goroutine's of In
	notify notifyState // that of Notify
	once   struct{ length, transfer sync.Once }
	stats  counters
}

var (
	_ nic.Device     = (*Device)(nil)
	_ nic.Statistics = (*Device)(nil)
)

type state uint8

const (
	stateNew state = iota
	stateRunning
	stateClosed
)

// rxFrame is a Buffer with n bytes of a frame in it.
type rxFrame struct {
	buf nic.Buffer
	n   int
}

// txRing holds frames until the host fetches them.
type txRing struct {
	frames      [txFrames][maxFrame]byte
	length      [txFrames]int
	first, used int
	// stopped is set from ErrFull until TransmitReady, ready when that is due.
	stopped, ready bool
	// queued wakes In.
	queued chan struct{}
}

// New returns a Device that a controller's driver can use. The error is about Config.
func New(c Config) (*Device, error) {
	if c.MAC == (nic.MAC{}) {
		c.MAC = DefaultMAC
	}
	if c.HostMAC == (nic.MAC{}) {
		c.HostMAC = DefaultHostMAC
	}
	if !c.MAC.Unicast() || !c.HostMAC.Unicast() || c.MAC == c.HostMAC {
		return nil, errors.New("cdcecm: MAC and HostMAC must be two different stations' addresses")
	}
	if c.Name == "" {
		c.Name = "cdc-ecm"
	}
	if c.Logf == nil {
		c.Logf = log.Printf
	}
	d := &Device{
		c:      c,
		info:   nic.Info{Name: c.Name, MAC: c.MAC, MTU: mtu, MaxParts: maxParts},
		events: make(chan struct{}, 1), done: make(chan struct{}), closed: make(chan struct{}),
		filled: make(chan rxFrame, rxFrames), empty: make(chan rxFrame, rxFrames),
	}
	d.tx.queued = make(chan struct{}, 1)
	return d, nil
}

// HostMAC returns the host's address as the descriptor's string has it: 12 hexadecimal digits.
func (d *Device) HostMAC() string {
	const digits = "0123456789ABCDEF"
	var s []byte
	for _, b := range d.c.HostMAC {
		s = append(s, digits[b>>4], digits[b&15])
	}
	return string(s)
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info { return d.info }

// Link implements nic.Device. It is up while the host has the data interface switched on.
func (d *Device) Link() nic.LinkState {
	if !d.up.Load() {
		return nic.LinkState{}
	}
	return nic.LinkState{Up: true, Mbps: 480, FullDuplex: true}
}

// Start implements nic.Device.
func (d *Device) Start(h nic.Handler) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.state {
	case stateRunning:
		return nic.ErrStarted
	case stateClosed:
		return nic.ErrClosed
	}
	d.handler = h
	for range rxFrames {
		b := h.Buffer(transferLen)
		if b == nil {
			d.releaseRx()
			return errors.New(d.info.Name + ": no memory for receive buffers")
		}
		d.empty <- rxFrame{buf: b}
	}
	d.state = stateRunning
	go d.run(d.Link())
	return nil
}

// run is the device's goroutine: it alone calls the handler.
func (d *Device) run(link nic.LinkState) {
	defer close(d.done)
	frame := nic.RxFrame{Parts: make([]nic.RxPart, 1)}
	for {
		select {
		case f := <-d.filled:
			d.receive(&frame, f)
			continue
		case <-d.events:
		}
		if now := d.Link(); now != link {
			link = now
			d.handler.LinkChange(link)
		}
		closed, ready := d.takeEvents()
		if closed {
			return
		}
		if ready {
			d.handler.TransmitReady()
		}
	}
}

func (d *Device) takeEvents() (closed, ready bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ready, d.tx.ready = d.tx.ready, false
	return d.state == stateClosed, ready
}

// receive hands a frame up, and has other memory filled instead; without any, the frame is dropped.
func (d *Device) receive(frame *nic.RxFrame, f rxFrame) {
	next := d.handler.Buffer(transferLen)
	if next == nil {
		d.stats.rxNoBuffer.Add(1)
		d.empty <- rxFrame{buf: f.buf}
		return
	}
	d.empty <- rxFrame{buf: next}
	d.stats.rxFrames.Add(1)
	d.stats.rxBytes.Add(uint64(f.n))
	frame.Parts[0] = nic.RxPart{Buffer: f.buf, Len: f.n}
	d.handler.Receive(frame)
	frame.Parts[0].Buffer = nil
}

// Close implements nic.Device. The controller's driver may go on calling: frames are dropped then.
func (d *Device) Close() error {
	d.mu.Lock()
	was := d.state
	d.state = stateClosed
	d.mu.Unlock()
	switch was {
	case stateClosed:
		<-d.closed
		return nil
	case stateRunning:
		d.wake()
		<-d.done
		d.rx.mu.Lock()
		defer d.rx.mu.Unlock()
		d.releaseRx()
	}
	close(d.closed)
	return nil
}

// releaseRx gives back the memory that waits to be filled, or handed up.
func (d *Device) releaseRx() {
	for {
		select {
		case f := <-d.empty:
			f.buf.Release()
		case f := <-d.filled:
			f.buf.Release()
		default:
			return
		}
	}
}

func (d *Device) wake() { signal(d.events) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
