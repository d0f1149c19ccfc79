package virtionet

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// run is the device's goroutine: it ends when the device is closed, or given up.
func (d *Device) run() {
	defer close(d.done)
	// What changed between New and now raised no interrupt.
	d.updateLink()
	for d.irq.Wait() {
		d.stats.interrupts.Add(1)
		// Acknowledged first, looked at then: what happens after the look interrupts again.
		if d.t.TakeInterrupt()&virtio.InterruptConfig != 0 && !d.configChanged() {
			return
		}
		if !d.poll() {
			return
		}
	}
	d.fail(errors.New("its interrupt line was closed"))
}

// poll serves both rings until they are empty and says whether the device goes on.
func (d *Device) poll() bool {
	late, ok := d.beginPoll()
	if !ok {
		return false
	}
	d.rx.q.DisableInterrupts()
	for {
		received, err := d.receive(pollBudget)
		sent := 0
		if err == nil {
			sent, err = d.pollTx()
		}
		switch {
		case err != nil:
			if !d.reset(err) {
				return false
			}
		case received == pollBudget:
			// There is no sysmon to take the processor away from here.
			runtime.Gosched()
		case received == 0 && sent == 0:
			// Both rings are looked at once more after their interrupts are on.
			if !d.rx.q.EnableInterrupts() && !d.endPoll(late) {
				return true
			}
			d.rx.q.DisableInterrupts()
		}
		if d.isClosed() {
			return false
		}
	}
}

func (d *Device) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == stateClosed
}

// configChanged handles a configuration interrupt and says whether the device goes on.
func (d *Device) configChanged() bool {
	if d.t.Status()&virtio.StatusNeedsReset != 0 {
		return d.reset(errors.New("device asks for a reset"))
	}
	d.updateLink()
	return true
}

// updateLink reads the link status and tells the handler when it is new.
func (d *Device) updateLink() {
	if !d.features.Has(FeatureStatus) {
		return
	}
	var status uint16
	if err := virtio.ReadConfig(d.t, func(c virtio.Config) { status = c.Config16(configStatus) }); err != nil {
		d.once.config.Do(func() { d.logf("%s: link status: %v", d.info.Name, err) })
		return
	}
	d.setLink(status&statusLinkUp != 0)
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
	d.stats.resets.Add(1)
	d.once.ring.Do(func() { d.logf("%s: resetting, this time and when it happens again: %v", d.info.Name, cause) })
	if d.resets++; d.resets > maxResets {
		return d.fail(fmt.Errorf("%d resets in a row did not help: %w", maxResets, cause))
	}
	if !d.changeState(stateRunning, stateResetting) {
		return false
	}
	// Without the lock: stateResetting keeps Transmit out, and a reset may take long.
	if err := d.restart(); err != nil {
		return d.fail(err)
	}
	if !d.changeState(stateResetting, stateRunning) {
		return false
	}
	d.updateLink()
	return true
}

// changeState changes from one state to another, and reports false when
// the device is in a third: closed.
func (d *Device) changeState(from, to state) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != from {
		return false
	}
	d.state = to
	return true
}

// restart is initialisation (§3.1.1) over again, with the rings that are there.
func (d *Device) restart() error {
	if err := virtio.Reset(d.t); err != nil {
		return err
	}
	for _, o := range d.drainTx() {
		o.DecRef()
	}
	bufs := d.drainRx()
	err := d.reenable()
	for _, b := range bufs {
		if err == nil {
			err = d.addRx(b)
		}
		if err != nil {
			b.Release()
		}
	}
	if err != nil {
		return err
	}
	d.tx.q.DisableInterrupts()
	d.rx.q.DisableInterrupts()
	virtio.Run(d.t)
	d.rx.q.Kick()
	return nil
}

func (d *Device) reenable() error {
	features, err := virtio.Negotiate(d.t, d.features)
	if err != nil {
		return err
	}
	if features != d.features {
		return fmt.Errorf("%w: after a reset only %#x of the features %#x are left", virtio.ErrFeatures, uint64(features), uint64(d.features))
	}
	return errors.Join(d.rx.q.Enable(), d.tx.q.Enable())
}

// fail gives the device up. It always returns false.
func (d *Device) fail(cause error) bool {
	d.mu.Lock()
	closed := d.state == stateClosed
	if !closed {
		d.state = stateFailed
	}
	d.mu.Unlock()
	if !closed {
		virtio.Fail(d.t)
		d.logf("%s: given up: %v", d.info.Name, cause)
		d.setLink(false)
	}
	return false
}
