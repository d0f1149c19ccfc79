package virtionet

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// ErrControl is wrapped by what a command to the device comes to which it refuses, or does not
// answer in time.
var ErrControl = errors.New("virtionet: control command failed")

// command is the class, in the upper half, and the command of a request (§5.1.6.5).
type command uint16

const (
	ctrlRxPromisc   command = 0x0000 // VIRTIO_NET_CTRL_RX_PROMISC
	ctrlRxAllMulti  command = 0x0001 // VIRTIO_NET_CTRL_RX_ALLMULTI
	ctrlMACTableSet command = 0x0100 // VIRTIO_NET_CTRL_MAC_TABLE_SET
	ctrlMACAddrSet  command = 0x0101 // VIRTIO_NET_CTRL_MAC_ADDR_SET
	ctrlVLANAdd     command = 0x0200 // VIRTIO_NET_CTRL_VLAN_ADD
	ctrlVLANDel     command = 0x0201 // VIRTIO_NET_CTRL_VLAN_DEL
	ctrlAnnounceAck command = 0x0300 // VIRTIO_NET_CTRL_ANNOUNCE_ACK
	ctrlMQPairsSet  command = 0x0400 // VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET

	// ackOK is VIRTIO_NET_OK. The field holds another value before the device answers.
	ackOK, ackNone = 0, 0xff
)

const (
	// ctrlQueue is enough for one command: requests come one at a time.
	ctrlQueue = 4
	// ctrlLen is the room for a request; the answer is its last byte.
	ctrlLen = 1024
	// ctrlTimeout bounds the wait for an answer. A device may ask its host for what a command
	// wants; QEMU's answer at once, or when its main loop comes round.
	ctrlTimeout = time.Second
	// ctrlSpins is how often the answer is looked for before the wait sleeps in between.
	ctrlSpins = 1000
)

// control is the control queue and what was asked of the device by it.
type control struct {
	// mu is held for a command until it is answered.
	mu    sync.Mutex
	q     *virtio.Queue // nil when there is none
	block *dma.Block
	segs  [2]virtio.Segment
	// timeout is ctrlTimeout, but in tests.
	timeout time.Duration
	filter  filter
	// unsure is set by a command that failed: it may be in force all the same.
	unsure bool
}

// openControl makes the queue, if one was negotiated. It stands behind those of all pairs of the
// device, used or not (§5.1.2).
func (d *Device) openControl() (err error) {
	if !d.features.Has(FeatureCtrlVQ) {
		return nil
	}
	c := &d.ctrl
	c.timeout = ctrlTimeout
	if c.block, err = d.mem.Alloc(ctrlLen, 8); err != nil {
		return err
	}
	if c.q, err = virtio.NewQueue(d.t, d.mem, 2*d.maxPairs, ctrlQueue, d.features); err != nil {
		return err
	}
	if c.q.Size() < len(c.segs) {
		return fmt.Errorf("%w: a control queue of %d descriptor cannot hold a command", virtio.ErrQueue, c.q.Size())
	}
	c.q.DisableInterrupts()
	return nil
}

func (c *control) freeMemory(mem dma.Memory) {
	if c.q != nil {
		c.q.Close()
	}
	if c.block != nil {
		mem.Free(c.block)
	}
}

// drain forgets a command that was under way when the device was reset, enable tells the device
// about the queue again.
func (c *control) drain() {
	if c.q != nil {
		c.q.Drain(func(int) {})
	}
}

func (c *control) enable() error {
	if c.q == nil {
		return nil
	}
	c.q.DisableInterrupts()
	return c.q.Enable()
}

// command sends a command and waits for the answer. The lock is held, and the device live. The error wraps
// ErrControl.
func (d *Device) command(cmd command, data []byte) error {
	c := &d.ctrl
	if c.q == nil {
		return fmt.Errorf("%w: %#04x: device has no control queue", ErrControl, uint16(cmd))
	}
	err := c.send(cmd, data)
	if errors.Is(err, virtio.ErrRing) {
		d.ask(err)
	}
	if err != nil {
		return fmt.Errorf("%w: %#04x: %w", ErrControl, uint16(cmd), err)
	}
	return nil
}

func (c *control) send(cmd command, data []byte) error {
	// An answer that came too late frees the memory for this one.
	if _, _, err := c.q.Pop(); err != nil && err != virtio.ErrQueueEmpty {
		return err
	}
	if c.q.InFlight() > 0 {
		return errors.New("device has not answered the one before")
	}
	b := c.block.Bytes
	if len(data) > len(b)-3 {
		return fmt.Errorf("%d bytes, want at most %d", len(data), len(b)-3)
	}
	b[0], b[1] = byte(cmd>>8), byte(cmd)
	n, ack := 2+copy(b[2:], data), len(b)-1
	b[ack] = ackNone
	c.segs[0] = virtio.Segment{Addr: c.block.Addr, Len: n}
	c.segs[1] = virtio.Segment{Addr: c.block.Addr + dma.Addr(ack), Len: 1, Dir: dma.FromDevice}
	if _, err := c.q.Add(c.segs[:]); err != nil {
		return err
	}
	c.q.Kick()
	if err := c.wait(); err != nil {
		return err
	}
	if b[ack] != ackOK {
		return fmt.Errorf("device answers %#x", b[ack])
	}
	return nil
}

// wait waits until the device has used the command.
func (c *control) wait() error {
	for range ctrlSpins {
		if _, _, err := c.q.Pop(); err != virtio.ErrQueueEmpty {
			return err
		}
		runtime.Gosched()
	}
	for deadline := time.Now().Add(c.timeout); ; time.Sleep(100 * time.Microsecond) {
		if _, _, err := c.q.Pop(); err != virtio.ErrQueueEmpty {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer within %v", c.timeout)
		}
	}
}

// setPairs tells the device how many pairs are used; a device that was reset uses one (§5.1.6.5.5). The
// lock is held.
func (d *Device) setPairs() error {
	n := d.active.Load()
	if n == 1 {
		return nil
	}
	return d.command(ctrlMQPairsSet, []byte{byte(n), byte(n >> 8)})
}

// configure tells a device that was just set up all that is asked of it. The lock is held. What the
// device refuses is done without, and logged.
func (d *Device) configure() {
	if err := d.sendMAC(); err != nil {
		d.refused("the station's address", err)
	}
	err := d.sendRxMode()
	if d.ctrl.unsure = err != nil; err != nil {
		d.refused("a receive filter", err)
	}
	if d.features.Has(FeatureCtrlVLAN) {
		if err := d.sendVLANs(ctrlVLANAdd, append([]uint16{0}, d.ctrl.filter.vlans...)); err != nil {
			d.refused("a VLAN filter", err)
		}
	}
}

func (d *Device) refused(what string, err error) {
	d.once.control.Do(func() { d.logf("%s: doing without %s: %v", d.info.Name, what, err) })
}

// announce has the Handler tell its neighbours where it is, and the device that this is done (§5.1.6.5.4).
func (d *Device) announce() {
	if a, ok := d.handler.(nic.Announcer); ok {
		a.Announce()
	}
	d.ctrl.mu.Lock()
	defer d.ctrl.mu.Unlock()
	if d.now() != stateRunning {
		return
	}
	if err := d.command(ctrlAnnounceAck, nil); err != nil {
		d.refused("an answer to its announcement", err)
	}
}
