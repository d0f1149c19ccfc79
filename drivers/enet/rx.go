package enet

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
)

// rxSlot is the buffer of a receive descriptor.
type rxSlot struct {
	buf nic.Buffer
	// mem is buf's memory, lent to the MAC at addr; nil when the MAC receives into the copies.
	mem  []byte
	addr dma.Addr
}

// rxRing is the receive ring. Every descriptor has a buffer and is with the MAC, but for
// those between a received frame and its hand-over.
type rxRing struct {
	ring
	slots []rxSlot
	head  int
	// copies are bufferLen bytes for each descriptor, allocated when the
	// first Buffer comes that cannot be received into.
	copies *dma.Block
	length int
	// skip is set after a piece of a frame that is not its last.
	skip  bool
	frame nic.RxFrame
}

func (r *rxRing) alloc(m dma.Memory, n, length int) (err error) {
	if r.ring, err = newRing(m, n); err != nil {
		return err
	}
	r.slots, r.length = make([]rxSlot, n), length
	r.frame.Parts = make([]nic.RxPart, 1)
	return nil
}

func (r *rxRing) free(m dma.Memory) {
	m.Free(r.block)
	if r.copies != nil {
		m.Free(r.copies)
	}
}

func (r *rxRing) copyBuffer(i int) ([]byte, dma.Addr) {
	off := i * r.length
	return r.copies.Bytes[off : off+r.length], r.copies.Addr + dma.Addr(off)
}

// fillRx gives the MAC a buffer for each descriptor.
func (d *Device) fillRx() error {
	for i := range d.rx.slots {
		if d.rx.slots[i].buf != nil {
			continue
		}
		b := d.handler.Buffer(d.rx.length)
		if b == nil {
			return fmt.Errorf("%s: no memory for %d receive buffers of %d bytes", d.info.Name, len(d.rx.slots), d.rx.length)
		}
		if err := d.lend(i, b); err != nil {
			b.Release()
			return err
		}
		d.giveRx(i)
	}
	return nil
}

// lend makes b the buffer of descriptor i. Memory that shares a cache line with
// something else is not lent: taking it back would take that along.
func (d *Device) lend(i int, b nic.Buffer) error {
	r := &d.rx
	mem := b.Bytes()[:r.length]
	if pointerAligned(mem, cacheLine) {
		a, err := d.mem.Map(mem, dma.FromDevice)
		if err == nil && a%cacheLine == 0 && reachable(a, len(mem)) {
			r.slots[i] = rxSlot{buf: b, mem: mem, addr: a}
			return nil
		}
		if err == nil {
			d.mem.Unmap(a, mem, dma.FromDevice)
		}
	}
	if r.copies == nil {
		block, err := d.mem.Alloc(len(r.slots)*r.length, cacheLine)
		if err != nil {
			return fmt.Errorf("%s: receiving into memory that is not aligned: %w", d.info.Name, err)
		}
		r.copies = block
	}
	_, a := r.copyBuffer(i)
	r.slots[i] = rxSlot{buf: b, addr: a}
	return nil
}

// takeBack ends the MAC's use of slot i's memory and returns its buffer, with
// the n bytes in it that the MAC has written.
func (d *Device) takeBack(i, n int) nic.Buffer {
	s := &d.rx.slots[i]
	if s.mem != nil {
		d.mem.Unmap(s.addr, s.mem, dma.FromDevice)
	} else if n > 0 {
		from, _ := d.rx.copyBuffer(i)
		copy(s.buf.Bytes(), from[:n])
	}
	b := s.buf
	*s = rxSlot{}
	return b
}

// giveRx gives descriptor i, which has a buffer, to the MAC.
func (d *Device) giveRx(i int) {
	d.rx.bd[i].set(d.rx.slots[i].addr, bdRxInt)
	d.rx.give(i, 0)
}

// receive hands up to budget frames to the handler and says how many descriptors it took. An
// error says that the device has no memory any more that the MAC can reach.
func (d *Device) receive(budget int) (n int, err error) {
	r := &d.rx
	for n < budget && err == nil {
		word, ours := r.load(r.head)
		if !ours {
			break
		}
		n++
		i := r.head
		r.head = r.next(i)
		err = d.take(i, word, r.bd[i].extended())
	}
	if n > 0 {
		// The MAC stops at a descriptor that is not its own, until it is told.
		d.stats.kicks.Add(1)
		d.regs.Write32(regRDAR, 1<<24)
		d.batchEnd()
	}
	return n, err
}

// take hands up the frame of descriptor i and gives the MAC another buffer; of a frame that
// cannot be handed up it gets the buffer back.
func (d *Device) take(i int, word, ext uint32) error {
	length, ok := d.frameLen(word, ext)
	if !ok {
		d.giveRx(i)
		return nil
	}
	next := d.handler.Buffer(d.rx.length)
	if next == nil {
		d.stats.rxNoBuffer.Add(1)
		d.giveRx(i)
		return nil
	}
	b := d.takeBack(i, rxPad+length)
	if err := d.lend(i, next); err != nil {
		next.Release()
		b.Release()
		return err
	}
	d.giveRx(i)
	d.resets = 0
	d.stats.rxFrames.Add(1)
	d.stats.rxBytes.Add(uint64(length))
	f := &d.rx.frame
	f.Parts[0] = nic.RxPart{Buffer: b, Off: rxPad, Len: length}
	f.ChecksumGood = d.c.TrustChecksums && ext&(bdRxBadIP|bdRxBadPayload|bdRxFragment|bdRxIPv6) == 0
	d.handler.Receive(f)
	f.Parts[0].Buffer = nil
	return nil
}

// frameLen returns the length of a received frame without padding and check sequence, or
// counts why it is none. The order is that of what spoils the rest: after an
// overflow the other bits mean nothing (Table 22-36).
func (d *Device) frameLen(word, ext uint32) (length int, ok bool) {
	first := !d.rx.skip
	d.rx.skip = word&bdLast == 0
	c := &d.stats
	switch {
	case !first:
		return 0, false // counted at its first piece
	case word&bdLast == 0:
		// Buffers hold any frame up to FTRL, so that there is no second piece.
		c.ringErrors.Add(1)
		c.rxLength.Add(1)
		d.once.ring.Do(func() { d.c.Logf("%s: MAC received a frame in pieces; dropping such", d.info.Name) })
		return 0, false
	case word&bdRxOverrun != 0:
		c.rxOverrun.Add(1)
		return 0, false
	case word&(bdRxLong|bdRxTruncate) != 0:
		c.rxLength.Add(1)
		return 0, false
	case word&(bdRxCRC|bdRxOctet) != 0 || ext&(bdRxError|bdRxPHYError) != 0:
		c.rxFCS.Add(1)
		return 0, false
	}
	length = int(word&bdLength) - rxPad - fcsLen
	if length < nic.HeaderLen || length > d.maxFrame() {
		c.rxLength.Add(1)
		d.once.length.Do(func() {
			d.c.Logf("%s: MAC received a frame of %d bytes, want %d to %d; dropping such", d.info.Name, length, nic.HeaderLen, d.maxFrame())
		})
		return 0, false
	}
	return length, true
}

// drainRx takes the buffers back from a MAC that was reset.
func (d *Device) drainRx() {
	for i := range d.rx.slots {
		if d.rx.slots[i].buf != nil {
			d.takeBack(i, 0).Release()
		}
	}
}

// rewindRx gives all buffers to a MAC that starts at the first descriptor.
func (d *Device) rewindRx() {
	d.rx.head, d.rx.skip = 0, false
	for i := range d.rx.slots {
		d.giveRx(i)
	}
}
