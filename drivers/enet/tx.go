package enet

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
)

const (
	// txDirect is the size in bytes from which a piece is sent in place: below,
	// copying costs less than cleaning the cache and a descriptor of its own.
	txDirect = 256
	// txAlign is what such a piece's address must be a multiple of (Linux: fep->tx_align).
	txAlign = 16
	// txIntr is how many frames there are for one that interrupts when it was sent.
	txIntr = 16
	// txReclaimDelay is how long sent frames may wait for something to come by.
	txReclaimDelay = 5 * time.Millisecond
	// txStall is how many such delays without a frame sent make the MAC start over: 2 s,
	// well over the 336 ms of a partner's longest PAUSE at 10 Mbit/s.
	txStall = 400
	// reclaimBatch is how many descriptors are taken back under one hold of the lock.
	reclaimBatch = 32
)

// txSlot is what belongs to a descriptor that is with the MAC.
type txSlot struct {
	// mem is lent memory, at addr; nil when the frame's piece was copied.
	mem  []byte
	addr dma.Addr
	// owner is released with the descriptor; only a frame's last has one, and only
	// when some of its memory is lent.
	owner nic.Owner
}

// piece is a part of a frame, for one descriptor.
type piece struct {
	mem    []byte // in place, nil for one that is copied
	addr   dma.Addr
	length int
}

// txRing is the transmit ring. head is the next descriptor to use, tail the oldest
// that is with the MAC; used counts those between the two.
type txRing struct {
	ring
	copies     *dma.Block // copySize bytes for each descriptor
	copySize   int
	slots      []txSlot
	head, tail int
	used       int
	frames     int // since the last that interrupts
	kickDue    bool
	pieces     [txPieces]piece
	// stopped is set from ErrFull until TransmitReady.
	stopped bool
	// timer wakes the goroutine when frames have waited to be taken back; timing
	// is set while it runs, expired once it has. stalled counts expiries without progress.
	timer   *time.Timer
	timing  bool
	expired atomic.Bool
	stalled int
}

// txPieces bounds the descriptors of a frame: large pieces with copied ones around them.
const txPieces = 2*((nic.HeaderLen+nic.VLANLen+maxMTU)/txDirect) + 1

func (t *txRing) alloc(m dma.Memory, n, frame int) (err error) {
	if t.ring, err = newRing(m, n); err != nil {
		return err
	}
	t.copySize = (frame + cacheLine - 1) &^ (cacheLine - 1)
	if t.copies, err = m.Alloc(n*t.copySize, cacheLine); err != nil {
		m.Free(t.block)
		return err
	}
	t.slots = make([]txSlot, n)
	return nil
}

func (t *txRing) free(m dma.Memory) {
	m.Free(t.block)
	m.Free(t.copies)
}

// rewind makes all descriptors the driver's, for a MAC that starts at the first one.
func (t *txRing) rewind() {
	clear(t.bd)
	t.head, t.tail, t.used, t.frames, t.stalled = 0, 0, 0, 0, 0
	t.kickDue = false
	atomic.StoreUint32(&t.bd[len(t.bd)-1].word, bdWrap)
}

// copyBuffer is where a frame's piece is copied to.
func (t *txRing) copyBuffer(i int) ([]byte, dma.Addr) {
	off := i * t.copySize
	return t.copies.Bytes[off : off+t.copySize], t.copies.Addr + dma.Addr(off)
}

// Transmit implements nic.Device.
func (d *Device) Transmit(f *nic.TxFrame) error {
	var done [reclaimBatch + 1]nic.Owner
	n, err := d.transmit(f, &done)
	for _, o := range done[:n] {
		o.DecRef()
	}
	return err
}

// transmit queues f and returns in done the owners that are to be released.
func (d *Device) transmit(f *nic.TxFrame, done *[reclaimBatch + 1]nic.Owner) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.state.err(); err != nil {
		if err == nic.ErrFull {
			d.tx.stopped = true
			d.stats.txFull.Add(1)
		}
		return 0, err
	}
	n, _ = d.reclaim(done[:reclaimBatch])
	lent, err := d.addTx(f)
	if err == nil && !lent {
		done[n] = f.Owner
		n++
	}
	if err != nil || !f.More {
		d.kickTx()
	}
	d.watchTx()
	return n, err
}

// addTx gives f to the MAC, and says whether memory of it is lent.
func (d *Device) addTx(f *nic.TxFrame) (lent bool, err error) {
	size := f.Len()
	if size < nic.HeaderLen || size > d.maxFrame() || len(f.Parts) > maxParts || f.Checksum.End() > size || f.Segmentation.Type != nic.SegmentNone {
		d.stats.txInvalid.Add(1)
		return false, fmt.Errorf("%w: %d bytes in %d parts with a checksum at %d+%d, to be cut as %+v, want %d to %d in at most %d, whole",
			nic.ErrFrame, size, len(f.Parts), f.Checksum.Start, f.Checksum.Offset, f.Segmentation, nic.HeaderLen, d.maxFrame(), maxParts)
	}
	t := &d.tx
	software := f.Checksum.Start != 0 && !isIPv4(f)
	pieces := d.split(f, software)
	if len(pieces) > len(t.bd)-t.used {
		d.unmap(pieces)
		t.stopped = true
		d.stats.txFull.Add(1)
		return false, nic.ErrFull
	}
	ext := uint32(0)
	if f.Checksum.Start != 0 {
		d.stats.txChecksum.Add(1)
		if !software {
			ext |= bdTxProtocol
		}
	}
	if t.frames++; t.frames >= txIntr {
		t.frames = 0
		ext |= bdTxInt
	}
	lent = d.fill(f, pieces, ext)
	t.kickDue = true
	d.stats.txFrames.Add(1)
	d.stats.txBytes.Add(uint64(size))
	return lent, nil
}

// split cuts f into the pieces that are sent in place and those that are copied. What
// a checksum is in is copied, since it is changed, or everything with whole set. Pieces in place are mapped.
func (d *Device) split(f *nic.TxFrame, whole bool) []piece {
	pieces := d.tx.pieces[:0]
	pos, changed := 0, f.Checksum.End()
	copying := false
	for _, p := range f.Parts {
		if len(p) == 0 {
			continue
		}
		if len(p) >= txDirect && pos >= changed && !whole && pointerAligned(p, txAlign) {
			if a, err := d.mem.Map(p, dma.ToDevice); err == nil && a%txAlign == 0 && reachable(a, len(p)) {
				pieces = append(pieces, piece{mem: p, addr: a, length: len(p)})
				copying, pos = false, pos+len(p)
				continue
			} else if err == nil {
				d.mem.Unmap(a, p, dma.ToDevice)
			}
		}
		if !copying {
			pieces = append(pieces, piece{})
			copying = true
		}
		pieces[len(pieces)-1].length += len(p)
		pos += len(p)
	}
	return pieces
}

// unmap takes back what split has lent.
func (d *Device) unmap(pieces []piece) {
	for i := range pieces {
		if p := &pieces[i]; p.mem != nil {
			d.mem.Unmap(p.addr, p.mem, dma.ToDevice)
		}
	}
	clear(pieces)
}

// fill writes the descriptors of a frame, for which there is room, and gives
// the first to the MAC last, so that it never finds a part of a frame. It says whether memory is lent.
func (d *Device) fill(f *nic.TxFrame, pieces []piece, ext uint32) (lent bool) {
	t := &d.tx
	first, firstWord := t.head, uint32(0)
	src := gather{parts: f.Parts}
	for i := range pieces {
		p, at := &pieces[i], t.head
		slot := &t.slots[at]
		*slot = txSlot{mem: p.mem, addr: p.addr}
		if p.mem == nil {
			buf, addr := t.copyBuffer(at)
			p.addr = addr
			src.copy(buf[:p.length])
			switch end := f.Checksum.End(); {
			case i > 0 || end == 0:
			case ext&bdTxProtocol != 0:
				// The MAC wants zeros here, and adds the pseudo-header itself (§22.6.4.3).
				clear(buf[end-2 : end])
			default:
				finish(buf[:p.length], f.Checksum)
			}
		} else {
			src.skip(p.length)
			lent = true
		}
		word := uint32(p.length) | bdTxCRC
		if i == len(pieces)-1 {
			word |= bdLast
			if lent {
				slot.owner = f.Owner
			}
		}
		t.bd[at].set(p.addr, ext)
		if i == 0 {
			firstWord = word
		} else {
			t.give(at, word)
		}
		t.head = t.next(at)
		t.used++
	}
	t.give(first, firstWord)
	clear(pieces)
	return lent
}

// kickTx tells the MAC of new descriptors. TDAR that is written as the MAC clears it can be
// lost (erratum ERR007885); Linux writes it only once it reads 0, in at most four
// reads: while the MAC is still at it, it finds the new descriptors by itself.
func (d *Device) kickTx() {
	if !d.tx.kickDue {
		return
	}
	d.tx.kickDue = false
	for range 4 {
		if d.regs.Read32(regTDAR) == 0 {
			d.stats.kicks.Add(1)
			d.regs.Write32(regTDAR, 1<<24)
			return
		}
	}
	d.stats.kicksSaved.Add(1)
}

// reclaim takes descriptors back that the MAC is done with, and returns in done the
// owners to release, as many as it has room for. more says that there may be others. The lock is held.
func (d *Device) reclaim(done []nic.Owner) (n int, more bool) {
	t := &d.tx
	for t.used > 0 {
		word, ours := t.load(t.tail)
		if !ours {
			return n, false
		}
		slot := &t.slots[t.tail]
		if slot.owner != nil {
			if n == len(done) {
				return n, true
			}
			done[n] = slot.owner
			n++
		}
		if slot.mem != nil {
			d.mem.Unmap(slot.addr, slot.mem, dma.ToDevice)
		}
		*slot = txSlot{}
		if word&bdLast != 0 && t.bd[t.tail].extended()&bdTxErrors != 0 {
			d.stats.txErrors.Add(1)
		}
		t.tail = t.next(t.tail)
		t.used--
		t.stalled = 0
	}
	return n, false
}

// watchTx makes sure that somebody looks after the frames that are with the MAC:
// every txIntr-th interrupts, and for the others there is a timer. The lock is held.
func (d *Device) watchTx() {
	if t := &d.tx; t.used > 0 && !t.timing {
		t.timing = true
		t.timer.Reset(txReclaimDelay)
	}
}

// pollTx takes back all frames that have left. An error says that the MAC must start over.
func (d *Device) pollTx() error {
	for more := true; more; {
		var done [reclaimBatch]nic.Owner
		var n int
		d.mu.Lock()
		n, more = d.reclaim(done[:])
		d.mu.Unlock()
		for _, o := range done[:n] {
			o.DecRef()
		}
	}
	err, ready := d.checkTx()
	if ready {
		d.handler.TransmitReady()
	}
	return err
}

// checkTx looks whether the ring stalls and whether TransmitReady is due: not before
// there is room for some frames, or each that leaves would be a wake-up.
func (d *Device) checkTx() (err error, ready bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &d.tx
	if t.expired.Swap(false) {
		t.timing = false
		if t.used > 0 {
			t.stalled++
		}
		if t.stalled >= txStall {
			return fmt.Errorf("%w: the transmitter has not sent anything for %v", ErrTimeout, txStall*txReclaimDelay), false
		}
		// What ERR007885 may have made the MAC miss.
		t.kickDue = t.used > 0
		d.kickTx()
	}
	d.watchTx()
	ready = t.stopped && d.state == stateRunning && len(t.bd)-t.used >= max(len(t.bd)/4, min(txPieces, len(t.bd)))
	if ready {
		t.stopped = false
	}
	return nil, ready
}

// drainTx takes the frames back from a MAC that was reset: they are lost. It returns their owners.
func (d *Device) drainTx() (owners []nic.Owner) {
	t := &d.tx
	for ; t.used > 0; t.used-- {
		slot := &t.slots[t.tail]
		if slot.owner != nil {
			owners = append(owners, slot.owner)
		}
		if slot.mem != nil {
			d.mem.Unmap(slot.addr, slot.mem, dma.ToDevice)
		}
		*slot = txSlot{}
		if atomic.LoadUint32(&t.bd[t.tail].word)&(bdOwned|bdLast) == bdOwned|bdLast {
			d.stats.txErrors.Add(1)
		}
		t.tail = t.next(t.tail)
	}
	t.rewind()
	return owners
}

// gather reads a frame's parts one after another.
type gather struct {
	parts [][]byte
	off   int
}

// copy fills dst with the next bytes.
func (g *gather) copy(dst []byte) {
	for len(dst) > 0 {
		n := copy(dst, g.parts[0][g.off:])
		dst = dst[n:]
		g.advance(n)
	}
}

// skip leaves out the n bytes of a whole part.
func (g *gather) skip(n int) {
	for len(g.parts[0]) == g.off {
		g.advance(0)
	}
	g.advance(n)
}

func (g *gather) advance(n int) {
	if g.off += n; g.off == len(g.parts[0]) {
		g.parts, g.off = g.parts[1:], 0
	}
}
