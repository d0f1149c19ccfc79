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
	n, err := d.pairs[f.Queue%uint32(d.active.Load())].transmit(f, done[:])
	for _, o := range done[:n] {
		o.DecRef()
	}
	return err
}

// maxFrame is the length of the longest frame that goes over the wire.
func (d *Device) maxFrame() int { return nic.HeaderLen + nic.VLANLen + d.info.MTU }

// transmit queues f and returns in done the owners of frames that have left.
func (p *pair) transmit(f *nic.TxFrame, done []nic.Owner) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.d.state.err(); err != nil {
		if err == nic.ErrFull {
			p.tx.stopped = true
			p.stats.txFull.Add(1)
		}
		return 0, err
	}
	n = p.reclaim(done)
	err = p.addTx(f)
	if err != nil || !f.More {
		p.tx.q.Kick()
	}
	if !p.tx.polling && p.watchTx(false) {
		// Some have left already, for which no interrupt will come.
		p.irq.Wake()
	}
	return n, err
}

// addTx describes f to the device.
func (p *pair) addTx(f *nic.TxFrame) error {
	size := f.Len()
	most := p.d.maxFrame()
	if f.Segmentation.Type != nic.SegmentNone {
		most = nic.MaxSegmented
	}
	if size < nic.HeaderLen || size > most || len(f.Parts) > p.d.info.MaxParts {
		p.stats.txInvalid.Add(1)
		return fmt.Errorf("%w: %d bytes in %d parts, want %d to %d in at most %d",
			nic.ErrFrame, size, len(f.Parts), nic.HeaderLen, most, p.d.info.MaxParts)
	}
	h, err := p.d.txHeader(f, size)
	if err != nil {
		p.stats.txInvalid.Add(1)
		return err
	}
	head, err := p.tx.q.NextHead()
	if err != nil {
		return p.full()
	}
	slot := headerSlot * head
	h.put(p.tx.headers.Bytes[slot:])
	segs := append(p.tx.segs[:0], virtio.Segment{Addr: p.tx.headers.Addr + dma.Addr(slot), Len: headerLen})
	for _, b := range f.Parts {
		if len(b) > 0 {
			segs = append(segs, virtio.Segment{Bytes: b})
		}
	}
	head, err = p.tx.q.Add(segs)
	clear(segs)
	switch {
	case err == nil:
		p.tx.owners[head] = f.Owner
		p.stats.txFrames.Add(1)
		p.stats.txBytes.Add(uint64(size))
		if h.flags&headerNeedsChecksum != 0 {
			p.stats.txChecksum.Add(1)
		}
		if h.gsoType != gsoNone {
			p.stats.txSegmented.Add(1)
		}
		return nil
	case err == virtio.ErrQueueFull, errors.Is(err, virtio.ErrRing):
		// A broken ring has room when the goroutine has reset the device.
		return p.full()
	default:
		p.stats.txUnmapped.Add(1)
		p.d.once.unmapped.Do(func() { p.d.logf("%s: dropping frames in memory like this one's: %v", p.d.info.Name, err) })
		return fmt.Errorf("%w: %w", nic.ErrFrame, err)
	}
}

// full refuses a frame until TransmitReady.
func (p *pair) full() error {
	p.tx.stopped = true
	p.stats.txFull.Add(1)
	return nic.ErrFull
}

// reclaim takes frames back that have left, as many as done has room for. The
// lock is held; the caller releases the owners without it.
func (p *pair) reclaim(done []nic.Owner) (n int) {
	for n < len(done) {
		head, _, err := p.tx.q.Pop()
		if err == virtio.ErrQueueEmpty {
			break
		}
		if err != nil {
			// Resetting the device is for the goroutine to do.
			p.irq.Wake()
			break
		}
		done[n] = p.tx.owners[head]
		p.tx.owners[head] = nil
		n++
	}
	return n
}

// watchTx makes sure that the frames which are with the device will be taken
// back: by an interrupt when they are many or late, else by the next Transmit
// or poll, or the timer at the latest. It says whether some have left
// already; of those an interrupt would not tell. The lock is held.
func (p *pair) watchTx(late bool) (pending bool) {
	n := p.tx.q.InFlight()
	if n == 0 {
		p.tx.q.DisableInterrupts()
		return false
	}
	if late && p.tx.taken == p.tx.q.Taken() {
		// The timer is not set again: if this is not it, nothing will be.
		p.stats.txTimeouts.Add(1)
		p.tx.q.Renotify()
		return p.tx.q.EnableInterrupts()
	}
	if !p.tx.timing {
		p.tx.timing, p.tx.taken = true, p.tx.q.Taken()
		p.tx.timer.Reset(p.d.txDelay)
	}
	switch {
	case late:
		return p.tx.q.EnableInterrupts()
	case p.tx.stopped || n >= txIntrFrames:
		return p.tx.q.EnableInterruptsLate()
	}
	return false
}

// txTimer has the goroutine look after frames that have been with the device for txReclaimDelay. If none has left
// meanwhile, the device may have missed that it was notified, or the driver that it wanted to be: see
// dma.NotifyBarrier. Then it is notified again (Linux: dev_watchdog, ndo_tx_timeout).
func (p *pair) txTimer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tx.timing = false
	if p.d.state == stateRunning && p.tx.q.InFlight() > 0 {
		p.tx.late = true
		p.irq.Wake()
	}
}

// beginPoll switches the transmit ring's interrupts off and says whether the
// timer has run out; false means that the device was closed.
func (p *pair) beginPoll() (late, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.d.state != stateRunning {
		return false, false
	}
	late, p.tx.late = p.tx.late, false
	p.tx.polling = true
	p.tx.q.DisableInterrupts()
	return late, true
}

// endPoll is watchTx at the end of a poll, which goes on when frames are pending.
func (p *pair) endPoll(late bool) (pending bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tx.polling = p.watchTx(late)
	return p.tx.polling
}

// pollTx takes back all frames that have left and says how many there were. An
// error says that the device must be reset.
func (p *pair) pollTx() (total int, err error) {
	for {
		var done [reclaimBatch]nic.Owner
		p.mu.Lock()
		n := p.reclaim(done[:])
		err = p.tx.q.Broken()
		p.mu.Unlock()
		for _, o := range done[:n] {
			o.DecRef()
		}
		total += n
		if n < len(done) {
			break
		}
	}
	if err == nil && p.takeReady() {
		p.handler.TransmitReady()
	}
	return total, err
}

// takeReady says whether TransmitReady is due: not before the ring has room
// for more than a frame, or each frame that leaves would be a wake-up.
func (p *pair) takeReady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := p.tx.q.Size()
	ready := p.tx.stopped && p.d.state == stateRunning && p.tx.q.Free() >= min(size, max(size/4, p.d.info.MaxParts+1))
	if ready {
		p.tx.stopped = false
	}
	return ready
}

// drainTx takes the frames back from a device that was reset: they are lost.
func (p *pair) drainTx() []nic.Owner {
	if p.tx.q == nil {
		return nil
	}
	var owners []nic.Owner
	p.tx.q.Drain(func(head int) {
		owners = append(owners, p.tx.owners[head])
		p.tx.owners[head] = nil
	})
	p.stats.txErrors.Add(uint64(len(owners)))
	return owners
}
