package cdcecm

import (
	"fmt"
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/nic"
)

// counters are what is counted of nic.Stats.
type counters struct {
	rxFrames, rxBytes, rxNoBuffer, rxLength        atomic.Uint64
	txFrames, txBytes, txFull, txInvalid, txErrors atomic.Uint64
}

// Stats implements nic.Statistics.
func (d *Device) Stats() nic.Stats {
	c := &d.stats
	return nic.Stats{
		RxFrames:   c.rxFrames.Load(),
		RxBytes:    c.rxBytes.Load(),
		RxNoBuffer: c.rxNoBuffer.Load(),
		RxLength:   c.rxLength.Load(),
		TxFrames:   c.txFrames.Load(),
		TxBytes:    c.txBytes.Load(),
		TxFull:     c.txFull.Load(),
		TxInvalid:  c.txInvalid.Load(),
		TxErrors:   c.txErrors.Load(),
	}
}

// Transmit implements nic.Device. The frame is copied; while the host has the interface switched
// off it is dropped, as on a cable that is not plugged in.
func (d *Device) Transmit(f *nic.TxFrame) error {
	if err := d.queue(f); err != nil {
		return err
	}
	f.Owner.DecRef()
	signal(d.tx.queued)
	return nil
}

// queue copies f into the ring.
func (d *Device) queue(f *nic.TxFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.state {
	case stateNew:
		return nic.ErrNotStarted
	case stateClosed:
		return nic.ErrClosed
	}
	size := f.Len()
	if size < nic.HeaderLen || size > maxFrame || len(f.Parts) > maxParts {
		d.stats.txInvalid.Add(1)
		return fmt.Errorf("%w: %d bytes in %d parts, want %d to %d in at most %d", nic.ErrFrame, size, len(f.Parts), nic.HeaderLen, maxFrame, maxParts)
	}
	t := &d.tx
	if t.used == txFrames {
		t.stopped = true
		d.stats.txFull.Add(1)
		return nic.ErrFull
	}
	d.stats.txFrames.Add(1)
	d.stats.txBytes.Add(uint64(size))
	if !d.up.Load() {
		d.stats.txErrors.Add(1)
		return nil
	}
	at, n := (t.first+t.used)%txFrames, 0
	for _, p := range f.Parts {
		n += copy(t.frames[at][n:], p)
	}
	t.length[at] = n
	t.used++
	return nil
}

// dequeue copies the oldest frame into dst and returns its length, 0 when there is none.
func (d *Device) dequeue(dst []byte) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &d.tx
	if t.used == 0 || d.state != stateRunning {
		return 0
	}
	n := copy(dst, t.frames[t.first][:t.length[t.first]])
	t.first = (t.first + 1) % txFrames
	t.used--
	d.checkReady()
	return n
}

// drop empties the ring: the host does not fetch what is in it.
func (d *Device) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.txErrors.Add(uint64(d.tx.used))
	d.tx.used = 0
	d.checkReady()
}

// checkReady has TransmitReady called when there is room again. The lock is held.
func (d *Device) checkReady() {
	if t := &d.tx; t.stopped && t.used <= txFrames*3/4 {
		t.stopped, t.ready = false, true
		d.wake()
	}
}
