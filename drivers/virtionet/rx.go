package virtionet

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// rxLen is how much memory a received frame can need: without mergeable
// buffers each one must hold the largest frame (§5.1.6.3.1).
func (d *Device) rxLen() int { return headerLen + d.maxFrame() }

// fillRx gives the device as many buffers as its ring holds.
func (d *Device) fillRx() error {
	for d.rx.q.Free() > 0 {
		b := d.handler.Buffer(d.rxLen())
		if b == nil {
			return fmt.Errorf("%s: no memory for %d receive buffers of %d bytes", d.info.Name, d.rx.q.Size(), d.rxLen())
		}
		if err := d.addRx(b); err != nil {
			b.Release()
			return err
		}
	}
	return nil
}

// addRx lends b to the device.
func (d *Device) addRx(b nic.Buffer) error {
	d.rx.seg[0] = virtio.Segment{Bytes: b.Bytes()[:d.rxLen()], Dir: dma.FromDevice}
	head, err := d.rx.q.Add(d.rx.seg[:])
	if err != nil {
		return err
	}
	d.rx.bufs[head] = b
	return nil
}

// receive hands up to budget received frames to the handler and says how many
// used buffers it took. An error says that the device must be reset.
func (d *Device) receive(budget int) (n int, err error) {
	for n < budget {
		head, written, err := d.rx.q.Pop()
		if err == virtio.ErrQueueEmpty {
			break
		}
		if err != nil {
			d.rx.q.Kick()
			return n, err
		}
		n++
		b := d.rx.bufs[head]
		d.rx.bufs[head] = nil
		if err := d.take(b, written); err != nil {
			return n, err
		}
	}
	d.rx.q.Kick()
	return n, nil
}

// take gives the device a buffer in place of b, in which it has written bytes,
// and hands the frame up; a frame that cannot be handed up is dropped and b itself goes back.
func (d *Device) take(b nic.Buffer, written int) error {
	next := b
	if written < headerLen+nic.HeaderLen {
		d.stats.rxLength.Add(1)
		d.once.length.Do(func() {
			d.logf("%s: device received a frame of %d bytes, header included; dropping such", d.info.Name, written)
		})
	} else if d.describe(b, written-headerLen) {
		if next = d.handler.Buffer(d.rxLen()); next == nil {
			d.stats.rxNoBuffer.Add(1)
			next = b
		}
	}
	if err := d.addRx(next); err != nil {
		// Only memory that the device cannot reach gets here: the ring has room.
		next.Release()
		if next != b {
			b.Release()
		}
		return err
	}
	if next != b {
		d.handUp(written - headerLen)
	}
	return nil
}

// describe makes d.rx.frame of the size bytes that follow the header in b, or
// counts why the frame is dropped, and returns false.
func (d *Device) describe(b nic.Buffer, size int) bool {
	f := &d.rx.frame
	f.Parts[0] = nic.RxPart{Buffer: b, Off: headerLen, Len: size}
	h := parseHeader(b.Bytes())
	good, needed, ok := d.checksum(&h, b.Bytes()[headerLen:headerLen+size], size)
	if !ok {
		d.stats.rxOffload.Add(1)
		d.once.offload.Do(func() {
			d.logf("%s: device received a frame of %d bytes with the header %+v; dropping such", d.info.Name, size, h)
		})
		return false
	}
	if needed && !good {
		complete(f.Parts, int(h.csumStart), int(h.csumOffset))
	}
	f.ChecksumGood = good
	return true
}

// handUp gives d.rx.frame of size bytes to the handler.
func (d *Device) handUp(size int) {
	d.resets = 0
	d.stats.rxFrames.Add(1)
	d.stats.rxBytes.Add(uint64(size))
	if d.rx.frame.ChecksumGood {
		d.stats.rxChecksum.Add(1)
	}
	d.handler.Receive(&d.rx.frame)
	clear(d.rx.frame.Parts)
}

// drainRx takes the buffers back from a device that was reset.
func (d *Device) drainRx() []nic.Buffer {
	var bufs []nic.Buffer
	d.rx.q.Drain(func(head int) {
		bufs = append(bufs, d.rx.bufs[head])
		d.rx.bufs[head] = nil
	})
	return bufs
}
