package virtionet

import (
	"fmt"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

const (
	// mergeLen is the size of a mergeable buffer: a power of two, as allocators like them,
	// that holds a frame of an Ethernet's MTU.
	mergeLen = 2048
	// maxRxParts bounds what a frame is spread over: no device needs more for the longest
	// frame, with its headers in a part of their own.
	maxRxParts = (headerLen+nic.MaxSegmented)/mergeLen + 2
	// copyBreak is the longest frame that is copied out of its buffer, which the device then
	// gets again: cheaper than another buffer, and a socket's queue of
	// small segments holds little memory.
	copyBreak = 256
)

// rxLen is the size of a receive buffer. Where they are not mergeable each one must
// hold the largest frame (§5.1.6.3.1); else all in the ring together.
func (d *Device) rxLen() int {
	most := headerLen + d.maxFrame()
	if !d.features.Has(FeatureMrgRxbuf) {
		return most
	}
	if d.features&(FeatureGuestTSO4|FeatureGuestTSO6) != 0 {
		most = headerLen + nic.MaxSegmented
	}
	n := d.rx.q.Size()
	return max(mergeLen, (most+n-1)/n)
}

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

// receive hands received frames to the handler, from up to budget used buffers, and says how
// many it took. An error says that the device must be reset.
func (d *Device) receive(budget int) (n int, err error) {
	for n < budget && err == nil {
		var head, written int
		if head, written, err = d.rx.q.Pop(); err != nil {
			break
		}
		n++
		b := d.rx.bufs[head]
		d.rx.bufs[head] = nil
		err = d.take(b, written)
	}
	d.rx.q.Kick()
	if err == virtio.ErrQueueEmpty {
		err = nil
	}
	return n, err
}

// take gives the device a buffer in place of b, in which it has written bytes, and hands the
// frame up when it is whole. What cannot be handed up is dropped, and b itself goes back.
func (d *Device) take(b nic.Buffer, written int) error {
	next := b
	if d.accept(b, written) {
		next = d.replace(b)
	}
	if err := d.addRx(next); err != nil {
		// Only memory that the device cannot reach gets here: the ring has room.
		next.Release()
		d.dropFrame()
		return err
	}
	if d.rx.missing == 0 && len(d.rx.frame.Parts) > 0 {
		d.handUp()
	}
	return nil
}

// accept takes b into the frame that is being received, and says whether it did.
// If not, it has counted why, and the frame with all its buffers is lost.
func (d *Device) accept(b nic.Buffer, written int) bool {
	off, lost := 0, false
	first := d.rx.missing == 0
	if first {
		off = headerLen
		d.rx.missing, d.rx.skip, d.rx.size = 1, false, 0
		if written >= headerLen {
			d.rx.header = parseHeader(b.Bytes())
			if n := int(d.rx.header.numBuffers); d.features.Has(FeatureMrgRxbuf) && n >= 1 && n <= min(maxRxParts, d.rx.q.Size()) {
				d.rx.missing = n
			} else {
				// Where the next frame begins is anybody's guess.
				lost = d.features.Has(FeatureMrgRxbuf)
			}
		}
	}
	d.rx.missing--
	if d.rx.skip {
		return false
	}
	d.rx.size += written - off
	if lost || written <= off || first && written < headerLen+nic.HeaderLen || d.rx.size > d.maxRx() {
		d.stats.rxLength.Add(1)
		d.once.length.Do(func() {
			d.logf("%s: device received a frame of %d bytes, header included, in a buffer, %d in all, header %+v; dropping such",
				d.info.Name, written, d.rx.size, d.rx.header)
		})
		d.dropFrame()
		return false
	}
	d.rx.frame.Parts = append(d.rx.frame.Parts, nic.RxPart{Buffer: b, Off: off, Len: written - off})
	if d.rx.missing == 0 && !d.describe() {
		d.rx.frame.Parts = d.rx.frame.Parts[:len(d.rx.frame.Parts)-1]
		d.dropFrame()
		return false
	}
	return true
}

// maxRx is the length of the longest frame that the device may receive.
func (d *Device) maxRx() int {
	gso := d.rx.header.gsoType
	if gso != gsoNone && d.features&(FeatureGuestTSO4|FeatureGuestTSO6) != 0 {
		return nic.MaxSegmented
	}
	return d.maxFrame()
}

// dropFrame gives up the frame that is being received, with what buffers it still lacks.
func (d *Device) dropFrame() {
	d.rx.skip = true
	for i := range d.rx.frame.Parts {
		d.rx.frame.Parts[i].Buffer.Release()
	}
	d.clearFrame()
}

func (d *Device) clearFrame() {
	clear(d.rx.frame.Parts)
	d.rx.frame.Parts = d.rx.frame.Parts[:0]
}

// replace returns a buffer for the device in place of b, which is the last part of the frame. It
// is b itself when the frame was copied, or dropped for want of memory.
func (d *Device) replace(b nic.Buffer) nic.Buffer {
	parts := d.rx.frame.Parts
	p := &parts[len(parts)-1]
	copied := len(parts) == 1 && d.rx.missing == 0 && p.Len <= copyBreak
	n := d.rxLen()
	if copied {
		n = p.Len
	}
	next := d.handler.Buffer(n)
	switch {
	case next == nil:
		d.stats.rxNoBuffer.Add(1)
		d.rx.frame.Parts = parts[:len(parts)-1]
		*p = nic.RxPart{}
		d.dropFrame()
		return b
	case copied:
		copy(next.Bytes(), b.Bytes()[p.Off:p.Off+p.Len])
		p.Buffer, p.Off = next, 0
		return b
	default:
		return next
	}
}

// describe looks at what the header says of the frame, which is whole. It counts why the frame is
// to be dropped, and returns false.
func (d *Device) describe() bool {
	f, h := &d.rx.frame, &d.rx.header
	p := &f.Parts[0]
	good, needed, ok := d.checksum(h, p.Buffer.Bytes()[p.Off:p.Off+p.Len], d.rx.size)
	if !ok || !d.gsoNegotiated(h) {
		d.stats.rxOffload.Add(1)
		d.once.offload.Do(func() {
			d.logf("%s: device received a frame of %d bytes with the header %+v; dropping such", d.info.Name, d.rx.size, *h)
		})
		return false
	}
	if needed && !good {
		complete(f.Parts, int(h.csumStart), int(h.csumOffset))
	}
	f.ChecksumGood = good
	return true
}

// handUp gives the frame to the handler.
func (d *Device) handUp() {
	d.resets = 0
	d.stats.rxFrames.Add(1)
	d.stats.rxBytes.Add(uint64(d.rx.size))
	if d.rx.frame.ChecksumGood {
		d.stats.rxChecksum.Add(1)
	}
	if d.rx.header.gsoType != gsoNone && d.features.Has(FeatureGuestCsum) {
		d.stats.rxSegmented.Add(1)
	}
	d.handler.Receive(&d.rx.frame)
	d.clearFrame()
}

// drainRx takes the buffers back from a device that was reset. The caller releases those of them
// that the device does not get again.
func (d *Device) drainRx() []nic.Buffer {
	var bufs []nic.Buffer
	d.rx.q.Drain(func(head int) {
		bufs = append(bufs, d.rx.bufs[head])
		d.rx.bufs[head] = nil
	})
	// A frame of which the rest has not come will not be whole any more.
	d.dropFrame()
	d.rx.missing = 0
	return bufs
}
