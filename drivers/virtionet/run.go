package virtionet

import (
	"errors"
	"fmt"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

var (
	errNeedsReset = errors.New("device asks for a reset")
	errLineClosed = errors.New("its interrupt line was closed")
)

// run is the device's goroutine: it ends when the device is closed, or given up. It is that of the
// only pair too, if that has no interrupt of its own.
func (d *Device) run() {
	defer close(d.done)
	d.startPairs()
	if d.inline() && d.configDue.Swap(false) {
		d.configChanged()
	}
	for ok := true; ok; ok = d.serve() {
		if d.irq.Wait() {
			d.stats.interrupts.Add(1)
			d.acknowledge()
		} else {
			d.ask(errLineClosed)
		}
	}
	d.stopPairs()
}

// acknowledge finds out what an interrupt is about. Acknowledged first, looked at then: what happens after
// the look interrupts again.
func (d *Device) acknowledge() {
	if d.vectored {
		d.configDue.Store(true)
		d.pairs[0].irq.Wake()
		return
	}
	if d.t.TakeInterrupt()&virtio.InterruptConfig != 0 {
		d.configDue.Store(true)
	}
	for _, p := range d.workerPairs() {
		p.irq.Wake()
	}
}

// serve does what is due, and says whether the device goes on.
func (d *Device) serve() bool {
	for {
		if cause := d.cause.Swap(nil); cause != nil && !d.reset(*cause) {
			return false
		}
		if d.inline() {
			if !d.pairs[0].poll() && d.cause.Load() == nil {
				return false
			}
		} else if d.now() != stateRunning {
			return false
		}
		if d.cause.Load() == nil {
			return true
		}
	}
}

// ask has the device's goroutine reset the device.
func (d *Device) ask(cause error) {
	d.cause.CompareAndSwap(nil, &cause)
	d.irq.Wake()
}

// startPairs starts the goroutines of pairs that have one, stopPairs waits for them to end; the state is
// not stateRunning then.
func (d *Device) startPairs() {
	for _, p := range d.workerPairs() {
		d.workers.Go(p.run)
	}
}

func (d *Device) stopPairs() {
	for _, p := range d.workerPairs() {
		p.irq.Wake()
	}
	d.workers.Wait()
}

func (d *Device) workerPairs() []*pair {
	if d.inline() {
		return nil
	}
	return d.inUse()
}

// inline says whether the device's goroutine is the pair's.
func (d *Device) inline() bool { return !d.vectored && d.active.Load() == 1 }

// configChanged looks at the configuration. It is called in pair 0's goroutine, as its Handler is.
func (d *Device) configChanged() {
	if d.t.Status()&virtio.StatusNeedsReset != 0 {
		d.ask(errNeedsReset)
		return
	}
	if !d.features.Has(FeatureStatus) {
		return
	}
	var status uint16
	if err := virtio.ReadConfig(d.t, func(c virtio.Config) { status = c.Config16(configStatus) }); err != nil {
		d.once.config.Do(func() { d.logf("%s: link status: %v", d.info.Name, err) })
		return
	}
	d.setLink(status&statusLinkUp != 0)
	if status&statusAnnounce != 0 && d.features.Has(FeatureGuestAnnounce) {
		d.announce()
	}
}

func (d *Device) setLink(up bool) {
	l := nic.LinkState{Up: up, FullDuplex: true}
	if old := d.link.Swap(&l); *old != l {
		d.handler.LinkChange(l)
	}
}

// reset gets a device going again that has failed by cause, with the same features and the
// same buffers. It says whether the device goes on; if not, it is given up or closed.
func (d *Device) reset(cause error) bool {
	if cause == errLineClosed {
		return d.fail(cause)
	}
	d.stats.resets.Add(1)
	d.once.ring.Do(func() { d.logf("%s: resetting, this time and when it happens again: %v", d.info.Name, cause) })
	if d.resets.Add(1) > maxResets {
		return d.fail(fmt.Errorf("%d resets in a row did not help: %w", maxResets, cause))
	}
	if !d.changeState(stateRunning, stateResetting) {
		return false
	}
	d.stopPairs()
	// Without a pair's lock: stateResetting keeps Transmit out, and a reset may take long.
	running, err := d.restart()
	if err != nil {
		return d.fail(err)
	}
	if running {
		d.configDue.Store(true)
		d.startPairs()
	}
	return running
}

// changeState changes from one state to another, and reports false when
// the device is in a third: closed.
func (d *Device) changeState(from, to state) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != from {
		return false
	}
	d.setState(to)
	return true
}

// restart is initialisation (§3.1.1) over again, with the rings that are there. running is false
// when the device was closed meanwhile.
func (d *Device) restart() (running bool, err error) {
	d.ctrl.mu.Lock()
	defer d.ctrl.mu.Unlock()
	if err := virtio.Reset(d.t); err != nil {
		return false, err
	}
	// What else was wrong is over with.
	d.cause.Store(nil)
	for _, p := range d.inUse() {
		for _, o := range p.drainTx() {
			o.DecRef()
		}
	}
	d.ctrl.drain()
	err = d.reenable()
	for _, p := range d.inUse() {
		// All of them, so that none of their buffers is lost.
		err = errors.Join(err, p.refill(err == nil))
	}
	if err != nil {
		return false, err
	}
	virtio.Run(d.t)
	for _, p := range d.inUse() {
		p.rx.q.Kick()
	}
	if err := d.setPairs(); err != nil {
		return false, err
	}
	d.configure()
	return d.changeState(stateResetting, stateRunning), nil
}

func (d *Device) reenable() error {
	features, err := virtio.Negotiate(d.t, d.features)
	if err != nil {
		return err
	}
	if features != d.features {
		return fmt.Errorf("%w: after a reset only %#x of the features %#x are left", virtio.ErrFeatures, uint64(features), uint64(d.features))
	}
	if err := d.setConfigVector(); err != nil {
		return err
	}
	for _, p := range d.inUse() {
		if err := errors.Join(p.setVectors(), p.rx.q.Enable(), p.tx.q.Enable()); err != nil {
			return err
		}
	}
	return d.ctrl.enable()
}

// fail gives the device up. It always returns false.
func (d *Device) fail(cause error) bool {
	d.mu.Lock()
	closed := d.state == stateClosed
	if !closed {
		d.setState(stateFailed)
	}
	d.mu.Unlock()
	d.stopPairs()
	if !closed {
		virtio.Fail(d.t)
		d.logf("%s: given up: %v", d.info.Name, cause)
		d.setLink(false)
	}
	return false
}
