// Package enet drives the ENET Ethernet MAC of NXP's i.MX6 processors, after the i.MX 6ULL
// reference manual (IMX6ULLRM Rev 1, chapter 22), with enhanced buffer descriptors (EN1588).
//
// A device's goroutine waits for the interrupt and then, as Linux's NAPI does,
// serves the rings until they are empty, the line masked meanwhile. The MAC coalesces
// interrupts; frames that were sent are taken back by the next Transmit or by
// that goroutine. Idle, only the link is looked at, once a second, or not even that where the
// PHY has an interrupt line.
//
// Frames are received in place where the Handler's memory begins on a cache
// line, and sent in place from pieces that are large and aligned as the MAC asks
// (16 bytes); all else is copied once, through memory that the Config gives. There is no allocation for a frame.
//
// The MAC and the PHY are not trusted: lengths are checked, every wait is bounded. A bus error, a
// transmitter that does not go on, or another kind of link make the MAC start over, with its frames to be sent lost.
//
// Left out: IEEE 1588 time stamps, AVB's further rings, VLAN filters, wake-up on magic packets.
package enet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/phy"
)

// ErrTimeout is wrapped when the MAC does not do what it was told in time.
var ErrTimeout = errors.New("enet: timed out")

const (
	defaultMTU   = 1500
	maxMTU       = 2000 // with all headers, a frame is less than the MAC's 2047 bytes
	defaultRx    = 256
	defaultTx    = 128
	minRing      = 8
	maxRing      = 1024
	defaultClock = 66000000

	fcsLen = 4
	// rxPad is what RACC.SHIFT16 puts ahead of a frame.
	rxPad = 2
	// cacheLine is that of the Cortex-A7, and what receive buffers are aligned to.
	cacheLine = 64
	// maxParts is no limit of the MAC: pieces that are small are put together.
	maxParts = 64
	// pollBudget is the number of frames after which a poll lets others run.
	pollBudget = 64
	// linkPoll is how often the PHY is asked (Linux: PHY_STATE_TIME).
	linkPoll = time.Second
	// maxResets is how often in a row, without a good frame, the MAC is reset before it is given up.
	maxResets = 8
)

// Config says how to drive an ENET. Regs, Memory and Interrupt are required.
type Config struct {
	// Regs are the MAC's registers, RegionSize bytes.
	Regs mmio.Region
	// Memory holds the rings and copies of frames, some 900 KiB for rings of the default size. Its Map
	// maintains the caches for what is received and sent in place.
	Memory dma.Memory
	// Interrupt is the MAC's line. It is level-triggered: the board masks it
	// from when it was raised until the next Wait.
	Interrupt nic.Interrupt
	// MAC is the address; when zero, the one that the MAC has from its boot
	// loader, or a random one.
	MAC nic.MAC
	// Clock is the MAC's module clock (IPG) in Hz; 66 MHz when 0.
	Clock int
	// RMII is set when the PHY is connected by RMII, not by MII.
	RMII bool
	// PHY says where the PHY is; when its Bus is nil, it is on this MAC's.
	PHY phy.Config
	// PHYInterrupt is the PHY's line, of the same kind as Interrupt; when nil the PHY is polled.
	PHYInterrupt nic.Interrupt
	// TrustChecksums is set where the MAC really checks what it receives, as hardware does and QEMU does not.
	TrustChecksums bool
	// MTU is the largest payload in bytes, nic.MinMTU to 2000; 1500 when 0.
	MTU int
	// RxRing and TxRing are the numbers of descriptors, 8 to 1024; 256 and 128 when 0.
	RxRing, TxRing int
	// Name is for messages; "enet" when empty.
	Name string
	// Logf prints one line; log.Printf when nil.
	Logf func(format string, args ...any)
}

// Device is an ENET. It implements nic.Device, nic.Statistics, nic.Promiscuous,
// nic.Multicast, nic.MACSetter, nic.ChecksumOffload and nic.Batching.
type Device struct {
	c    Config
	regs mmio.Region
	mem  dma.Memory
	irq  nic.Interrupt
	mdio mdio
	phy  *phy.PHY
	info nic.Info

	link    atomic.Pointer[nic.LinkState]
	handler nic.Handler
	// batchEnd is called after a batch of received frames.
	batchEnd func()
	// done is closed when the goroutine has ended, closed when Close has.
	done, closed chan struct{}

	// wire is what the MAC is set to, linkDue says that the PHY is to be asked. wire is the goroutine's.
	wire      phy.Status
	linkDue   atomic.Bool
	linkTimer *time.Timer
	phyGone   bool

	rx rxRing // the goroutine's while it runs

	// mu guards state, tx, and the MAC's filter. It is not held over a call to
	// an Owner or the Handler.
	mu     sync.Mutex
	state  state
	tx     txRing
	filter filter

	// resets counts those since the last good frame; only the goroutine uses it.
	resets int
	once   struct{ length, ring, fault sync.Once }
	stats  counters
}

var (
	_ nic.Device          = (*Device)(nil)
	_ nic.Statistics      = (*Device)(nil)
	_ nic.Promiscuous     = (*Device)(nil)
	_ nic.Multicast       = (*Device)(nil)
	_ nic.MACSetter       = (*Device)(nil)
	_ nic.ChecksumOffload = (*Device)(nil)
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

// New resets the MAC, finds the PHY and has it negotiate. Nothing is received or sent
// before Start. The errors wrap ErrTimeout, phy.ErrAbsent, phy.ErrTimeout and dma.ErrNoMemory.
func New(c Config) (*Device, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	d := &Device{c: c, regs: c.Regs, mem: c.Memory, irq: c.Interrupt, mdio: mdio{regs: c.Regs},
		done: make(chan struct{}), closed: make(chan struct{}), batchEnd: func() {}}
	d.info = nic.Info{Name: c.Name, MTU: c.MTU, MaxParts: maxParts, MAC: d.chooseMAC()}
	d.link.Store(&nic.LinkState{})
	d.filter.mac = d.info.MAC
	d.filter.allMulticast()
	err := d.setup()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.info.Name, err)
	}
	return d, nil
}

// check refuses what cannot be and fills the defaults in.
func (c *Config) check() error {
	if c.Regs == nil || c.Memory == nil || c.Interrupt == nil {
		return errors.New("enet: Config needs Regs, Memory and Interrupt")
	}
	if c.Regs.Size() < RegionSize {
		return fmt.Errorf("enet: registers of %#x bytes, want %#x", c.Regs.Size(), RegionSize)
	}
	for _, v := range []struct {
		name          string
		v             *int
		def, low, top int
	}{
		{"MTU", &c.MTU, defaultMTU, nic.MinMTU, maxMTU},
		{"RxRing", &c.RxRing, defaultRx, minRing, maxRing},
		{"TxRing", &c.TxRing, defaultTx, minRing, maxRing},
		{"Clock", &c.Clock, defaultClock, 1000000, 400000000},
	} {
		if *v.v == 0 {
			*v.v = v.def
		}
		if *v.v < v.low || *v.v > v.top {
			return fmt.Errorf("enet: %s is %d, want %d to %d", v.name, *v.v, v.low, v.top)
		}
	}
	if c.Name == "" {
		c.Name = "enet"
	}
	if c.Logf == nil {
		c.Logf = log.Printf
	}
	return nil
}

// chooseMAC returns the address to use. It reads the registers before they are reset.
func (d *Device) chooseMAC() nic.MAC {
	mac := d.c.MAC
	if mac.Unicast() {
		return mac
	}
	if mac != (nic.MAC{}) {
		d.c.Logf("%s: address %v is not a station's", d.c.Name, mac)
	}
	lo, hi := d.regs.Read32(regPALR), d.regs.Read32(regPAUR)
	mac = nic.MAC{byte(lo >> 24), byte(lo >> 16), byte(lo >> 8), byte(lo), byte(hi >> 24), byte(hi >> 16)}
	if !mac.Unicast() {
		rand.Read(mac[:])
		// Locally administered, individual (IEEE 802 §8.2).
		mac[0] = mac[0]&^1 | 2
	}
	return mac
}

func (d *Device) setup() (err error) {
	if err := d.resetMAC(); err != nil {
		return err
	}
	bus := d.c.PHY
	if bus.Bus == nil {
		bus.Bus = &d.mdio
	}
	if d.phy, err = phy.Find(bus); err != nil {
		return err
	}
	if err := d.phy.Start(); err != nil {
		return err
	}
	if err := d.rx.alloc(d.mem, d.c.RxRing, d.bufferLen()); err != nil {
		return err
	}
	if err := d.tx.alloc(d.mem, d.c.TxRing, d.maxFrame()); err != nil {
		d.rx.free(d.mem)
		return err
	}
	return nil
}

// maxFrame is the longest frame without its check sequence, in bytes.
func (d *Device) maxFrame() int { return nic.HeaderLen + nic.VLANLen + d.info.MTU }

// bufferLen is the room for a received frame, in whole cache lines, as MRBR asks (§22.5.30).
func (d *Device) bufferLen() int {
	return (rxPad + d.maxFrame() + fcsLen + cacheLine - 1) &^ (cacheLine - 1)
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info { return d.info }

// Link implements nic.Device.
func (d *Device) Link() nic.LinkState { return *d.link.Load() }

// ChecksumOffload implements nic.ChecksumOffload.
func (d *Device) ChecksumOffload() (tx, rx bool) { return true, d.c.TrustChecksums }

// OnBatchEnd implements nic.Batching: a batch is what one look at the ring finds.
func (d *Device) OnBatchEnd(end func()) { d.batchEnd = end }

// PHY names the transceiver, for messages.
func (d *Device) PHY() string { return d.phy.String() }

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
	d.wire, _ = d.phy.Poll() // the goroutine asks again, and says what is wrong
	d.link.Store(&nic.LinkState{Up: d.wire.Up, Mbps: d.wire.Mbps, FullDuplex: d.wire.FullDuplex})
	if !d.wire.Up {
		d.wire = phy.Status{Mbps: 100, FullDuplex: true}
	}
	d.tx.timer = time.AfterFunc(time.Hour, func() {
		d.tx.expired.Store(true)
		d.irq.Wake()
	})
	d.tx.timer.Stop()
	d.linkTimer = time.AfterFunc(time.Hour, d.askLink)
	d.linkTimer.Stop()
	d.linkDue.Store(true)
	d.state = stateRunning
	d.startMAC()
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
		d.irq.Wake()
		<-d.done
		d.tx.timer.Stop()
		d.linkTimer.Stop()
	}
	defer close(d.closed)
	d.stopMAC()
	err := d.resetMAC()
	if err != nil {
		return fmt.Errorf("%s: memory lent to it is lost: %w", d.info.Name, err)
	}
	if err := d.phy.Stop(); err != nil {
		d.c.Logf("%s: %v", d.info.Name, err)
	}
	d.regs.Write32(regMSCR, 0)
	d.drainRx()
	for _, o := range d.drainTx() {
		o.DecRef()
	}
	d.rx.free(d.mem)
	d.tx.free(d.mem)
	return nil
}
