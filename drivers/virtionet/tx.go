package virtionet

import (
	"errors"
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// reclaimBatch is how many frames are taken back under one hold of the lock.
const reclaimBatch = 32

// Transmit implements nic.Device.
func (d *Device) Transmit(f *nic.TxFrame) error {
	var done [reclaimBatch]nic.Owner
	n, err := d.transmit(f, done[:])
	for _, o := range done[:n] {
		o.DecRef()
	}
	return err
}

// transmit queues f and returns in done the owners of frames that have left.
func (d *Device) transmit(f *nic.TxFrame, done []nic.Owner) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.state.err(); err != nil {
		if err == nic.ErrFull {
			d.tx.stopped = true
			d.stats.txFull.Add(1)
		}
		return 0, err
	}
	n = d.reclaim(done)
	err = d.addTx(f)
	if err != nil || !f.More {
		d.tx.q.Kick()
	}
	if !d.tx.polling && d.watchTx(false) {
		// Some have left already, for which no interrupt will come.
		d.irq.Wake()
	}
	return n, err
}

// maxFrame is the length of the longest frame that goes over the wire.
func (d *Device) maxFrame() int { return nic.HeaderLen + nic.VLANLen + d.info.MTU }

// addTx describes f to the device.
func (d *Device) addTx(f *nic.TxFrame) error {
	size := f.Len()
	most := d.maxFrame()
	if f.Segmentation.Type != nic.SegmentNone {
		most = nic.MaxSegmented
	}
	if size < nic.HeaderLen || size > most || len(f.Parts) > d.info.MaxParts {
		d.stats.txInvalid.Add(1)
		return fmt.Errorf("%w: %d bytes in %d parts, want %d to %d in at most %d",
			nic.ErrFrame, size, len(f.Parts), nic.HeaderLen, most, d.info.MaxParts)
	}
	h, err := d.txHeader(f, size)
	if err != nil {
		d.stats.txInvalid.Add(1)
		return err
	}
	head, err := d.tx.q.NextHead()
	if err != nil {
		return d.full()
	}
	slot := headerSlot * head
	h.put(d.tx.headers.Bytes[slot:])
	segs := append(d.tx.segs[:0], virtio.Segment{Addr: d.tx.headers.Addr + dma.Addr(slot), Len: headerLen})
	for _, p := range f.Parts {
		if len(p) > 0 {
			segs = append(segs, virtio.Segment{Bytes: p})
		}
	}
	head, err = d.tx.q.Add(segs)
	clear(segs)
	switch {
	case err == nil:
		d.tx.owners[head] = f.Owner
		d.stats.txFrames.Add(1)
		d.stats.txBytes.Add(uint64(size))
		if h.flags&headerNeedsChecksum != 0 {
			d.stats.txChecksum.Add(1)
		}
		if h.gsoType != gsoNone {
			d.stats.txSegmented.Add(1)
		}
		return nil
	case err == virtio.ErrQueueFull, errors.Is(err, virtio.ErrRing):
		// A broken ring has room when the goroutine has reset the device.
		return d.full()
	default:
		d.stats.txUnmapped.Add(1)
		d.once.unmapped.Do(func() { d.logf("%s: dropping frames in memory like this one's: %v", d.info.Name, err) })
		return fmt.Errorf("%w: %w", nic.ErrFrame, err)
	}
}

// full refuses a frame until TransmitReady.
func (d *Device) full() error {
	d.tx.stopped = true
	d.stats.txFull.Add(1)
	return nic.ErrFull
}

// reclaim takes frames back that have left, as many as done has room for. The
// lock is held; the caller releases the owners without it.
func (d *Device) reclaim(done []nic.Owner) (n int) {
	for n < len(done) {
		head, _, err := d.tx.q.Pop()
		if err == virtio.ErrQueueEmpty {
			break
		}
		if err != nil {
			// Resetting the device is for the goroutine to do.
			d.irq.Wake()
			break
		}
		done[n] = d.tx.owners[head]
		d.tx.owners[head] = nil
		n++
	}
	return n
}

// watchTx makes sure that the frames which are with the device will be taken
// back: by an interrupt when they are many or late, else by the next Transmit
// or poll, or the timer at the latest. It says whether some have left
// already; of those an interrupt would not tell. The lock is held.
func (d *Device) watchTx(late bool) (pending bool) {
	switch n := d.tx.q.InFlight(); {
	case n == 0:
		d.tx.q.DisableInterrupts()
	case d.tx.stopped || late || n >= txIntrFrames:
		return d.tx.q.EnableInterrupts()
	case !d.tx.timing:
		d.tx.timing = true
		d.tx.timer.Reset(txReclaimDelay)
	}
	return false
}

// beginPoll switches the transmit ring's interrupts off and says whether the
// timer has run out; false means that the device was closed.
func (d *Device) beginPoll() (late, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != stateRunning {
		return false, false
	}
	if late = d.tx.expired.Swap(false); late {
		d.tx.timing = false
	}
	d.tx.polling = true
	d.tx.q.DisableInterrupts()
	return late, true
}

// endPoll is watchTx at the end of a poll, which goes on when frames are pending.
func (d *Device) endPoll(late bool) (pending bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tx.polling = d.watchTx(late)
	return d.tx.polling
}

// pollTx takes back all frames that have left and says how many there were. An
// error says that the device must be reset.
func (d *Device) pollTx() (total int, err error) {
	for {
		var done [reclaimBatch]nic.Owner
		d.mu.Lock()
		n := d.reclaim(done[:])
		err = d.tx.q.Broken()
		d.mu.Unlock()
		for _, o := range done[:n] {
			o.DecRef()
		}
		total += n
		if n < len(done) {
			break
		}
	}
	if err == nil && d.takeReady() {
		d.handler.TransmitReady()
	}
	return total, err
}

// takeReady says whether TransmitReady is due: not before the ring has room
// for more than a frame, or each frame that leaves would be a wake-up.
func (d *Device) takeReady() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := d.tx.q.Size()
	ready := d.tx.stopped && d.state == stateRunning && d.tx.q.Free() >= min(size, max(size/4, d.info.MaxParts+1))
	if ready {
		d.tx.stopped = false
	}
	return ready
}

// drainTx takes the frames back from a device that was reset: they are lost.
func (d *Device) drainTx() []nic.Owner {
	var owners []nic.Owner
	d.tx.q.Drain(func(head int) {
		owners = append(owners, d.tx.owners[head])
		d.tx.owners[head] = nil
	})
	d.stats.txErrors.Add(uint64(len(owners)))
	return owners
}
