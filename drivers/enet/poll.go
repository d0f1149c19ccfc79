package enet

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/phy"
)

// run is the device's goroutine: it ends when the device is closed, or given up.
func (d *Device) run() {
	defer close(d.done)
	if d.c.PHYInterrupt != nil {
		stop := d.watchPHY()
		defer stop()
	}
	for ok := d.poll(); ok; ok = d.poll() {
		if !d.irq.Wait() {
			d.fail(errors.New("its interrupt line was closed"))
			return
		}
		d.stats.interrupts.Add(1)
	}
}

// poll serves link and rings until there is nothing to do, and says whether the device goes on.
func (d *Device) poll() bool {
	for {
		if d.isClosed() {
			return false
		}
		if d.linkDue.Swap(false) && !d.updateLink() {
			return false
		}
		// Acknowledged first, looked at then: what comes after the look interrupts again.
		ev := events(d.regs.Read32(regEIR)) & eventsUsed
		if ev != 0 {
			d.regs.Write32(regEIR, uint32(ev))
		}
		err := d.faults(ev)
		received := 0
		if err == nil {
			received, err = d.receive(pollBudget)
		}
		if err == nil {
			err = d.pollTx()
		}
		switch {
		case err != nil:
			if !d.reset(err) {
				return false
			}
		case received == 0:
			return true
		case received == pollBudget:
			// There is no sysmon to take the processor away from here.
			runtime.Gosched()
		}
	}
}

func (d *Device) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == stateClosed
}

// faults counts what the MAC complains of. An error says that it must start over.
func (d *Device) faults(ev events) error {
	if ev&eventsFaults == 0 {
		return nil
	}
	for i := range faultEvents {
		if ev&faultEvents[i].event != 0 {
			d.stats.faults[i].Add(1)
			d.once.fault.Do(func() { d.c.Logf("%s: %s; this and other faults are counted", d.info.Name, faultEvents[i].name) })
		}
	}
	if ev&eventEBERR != 0 {
		return errors.New("bus error: the MAC has stopped")
	}
	return nil
}

// askLink has the goroutine look at the PHY.
func (d *Device) askLink() {
	d.linkDue.Store(true)
	d.irq.Wake()
}

// watchPHY has the goroutine look at the PHY when that interrupts. The function it
// returns ends that.
func (d *Device) watchPHY() (stop func()) {
	var closing atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d.c.PHYInterrupt.Wait() && !closing.Load() {
			d.askLink()
		}
	}()
	if err := d.phy.EnableInterrupt(); err != nil {
		d.c.Logf("%s: %v", d.info.Name, err)
	}
	return func() {
		closing.Store(true)
		d.c.PHYInterrupt.Wake()
		<-ended
	}
}

// updateLink asks the PHY, sets the MAC to what it says, and tells the handler when it is
// new. It says whether the device goes on.
func (d *Device) updateLink() bool {
	if d.c.PHYInterrupt != nil && d.phy.HasInterrupt() {
		if err := d.phy.AckInterrupt(); err != nil {
			d.phyFailed(err)
		}
	} else {
		defer d.linkTimer.Reset(linkPoll)
	}
	s, err := d.phy.Poll()
	if err != nil {
		d.phyFailed(err)
	} else {
		d.phyGone = false
	}
	if s.Up && s != d.wire {
		old := d.wire
		d.wire = s
		if !d.reset(nil) {
			return false
		}
		d.c.Logf("%s: link is %v, was set to %v", d.info.Name, describe(s), describe(old))
	}
	d.setLink(nic.LinkState{Up: s.Up, Mbps: s.Mbps, FullDuplex: s.FullDuplex})
	return true
}

// phyFailed says once that the PHY cannot be asked; the link is down meanwhile.
func (d *Device) phyFailed(err error) {
	if !d.phyGone {
		d.phyGone = true
		d.c.Logf("%s: link is taken as down: %v", d.info.Name, err)
	}
}

func describe(s phy.Status) string {
	duplex := "half"
	if s.FullDuplex {
		duplex = "full"
	}
	return fmt.Sprintf("%d Mbit/s %s duplex", s.Mbps, duplex)
}

func (d *Device) setLink(l nic.LinkState) {
	if old := d.link.Swap(&l); *old != l {
		d.handler.LinkChange(l)
	}
}

// reset has the MAC start over, with the same buffers: since it has failed by cause, or, when
// cause is nil, for another kind of link. It says whether the device goes on.
func (d *Device) reset(cause error) bool {
	if cause != nil {
		d.stats.resets.Add(1)
		d.once.ring.Do(func() { d.c.Logf("%s: resetting, this time and when it happens again: %v", d.info.Name, cause) })
		if d.resets++; d.resets > maxResets {
			return d.fail(fmt.Errorf("%d resets in a row did not help: %w", maxResets, cause))
		}
	}
	if !d.changeState(stateRunning, stateResetting) {
		return false
	}
	// Without the lock: stateResetting keeps Transmit out, and a reset may take long.
	d.stopMAC()
	if err := d.resetMAC(); err != nil {
		return d.fail(err)
	}
	for _, o := range d.drainTx() {
		o.DecRef()
	}
	if err := d.fillRx(); err != nil { // where a buffer was lost to the error
		return d.fail(err)
	}
	d.rewindRx()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != stateResetting {
		return false
	}
	d.state = stateRunning
	d.startMAC()
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

// fail gives the device up. It always returns false.
func (d *Device) fail(cause error) bool {
	d.mu.Lock()
	closed := d.state == stateClosed
	if !closed {
		d.state = stateFailed
	}
	d.mu.Unlock()
	if !closed {
		d.regs.Write32(regEIMR, 0)
		d.regs.Write32(regECR, 0)
		d.c.Logf("%s: given up: %v", d.info.Name, cause)
		d.setLink(nic.LinkState{})
	}
	return false
}
