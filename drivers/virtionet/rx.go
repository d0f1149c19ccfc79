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
func (p *pair) rxLen() int {
	most := headerLen + p.d.maxFrame()
	if !p.d.features.Has(FeatureMrgRxbuf) {
		return most
	}
	if p.d.features&(FeatureGuestTSO4|FeatureGuestTSO6) != 0 {
		most = headerLen + nic.MaxSegmented
	}
	n := p.rx.q.Size()
	return max(mergeLen, (most+n-1)/n)
}

// fillRx gives the device as many buffers as its ring holds.
func (p *pair) fillRx() error {
	for p.rx.q.Free() > 0 {
		b := p.handler.Buffer(p.rxLen())
		if b == nil {
			return fmt.Errorf("%s: no memory for %d receive buffers of %d bytes", p.d.info.Name, p.rx.q.Size(), p.rxLen())
		}
		if err := p.addRx(b); err != nil {
			b.Release()
			return err
		}
	}
	return nil
}

// addRx lends b to the device.
func (p *pair) addRx(b nic.Buffer) error {
	p.rx.seg[0] = virtio.Segment{Bytes: b.Bytes()[:p.rxLen()], Dir: dma.FromDevice}
	head, err := p.rx.q.Add(p.rx.seg[:])
	if err != nil {
		return err
	}
	p.rx.bufs[head] = b
	return nil
}

// receive hands received frames to the handler, from up to budget used buffers, and says how
// many it took. The device sees buffers in their place, of which the end of the poll notifies it if it
// has waited for them. An error says that the device must be reset.
func (p *pair) receive(budget int) (n int, err error) {
	for n < budget && err == nil {
		var head, written int
		if head, written, err = p.rx.q.Pop(); err != nil {
			break
		}
		n++
		b := p.rx.bufs[head]
		p.rx.bufs[head] = nil
		err = p.take(b, written)
	}
	p.rx.q.Publish()
	p.rx.renewed += n
	if n > 0 && p.index == 0 && p.d.batchEnd != nil {
		p.d.batchEnd()
	}
	if err == virtio.ErrQueueEmpty {
		err = nil
	}
	return n, err
}

// kickRx notifies the device if it waits for buffers. It cannot while fewer were replaced than leave enough for
// the longest frame in the ring, which was full before: then there is no need to look.
func (p *pair) kickRx() {
	if p.rx.renewed+maxRxParts >= p.rx.q.Size() {
		p.rx.renewed = 0
		p.rx.q.Kick()
	}
}

// OnBatchEnd implements nic.Batching: a batch is what one look at the ring finds, of the first pair.
func (d *Device) OnBatchEnd(end func()) { d.batchEnd = end }

// take gives the device a buffer in place of b, in which it has written bytes, and hands the
// frame up when it is whole. What cannot be handed up is dropped, and b itself goes back.
func (p *pair) take(b nic.Buffer, written int) error {
	next := b
	if p.accept(b, written) {
		next = p.replace(b)
	}
	if err := p.addRx(next); err != nil {
		// Only memory that the device cannot reach gets here: the ring has room.
		next.Release()
		p.dropFrame()
		return err
	}
	if p.rx.missing == 0 && len(p.rx.frame.Parts) > 0 {
		p.handUp()
	}
	return nil
}

// accept takes b into the frame that is being received, and says whether it did.
// If not, it has counted why, and the frame with all its buffers is lost.
func (p *pair) accept(b nic.Buffer, written int) bool {
	off, lost := 0, false
	first := p.rx.missing == 0
	if first {
		off = headerLen
		p.rx.missing, p.rx.skip, p.rx.size = 1, false, 0
		if written >= headerLen {
			p.rx.header = parseHeader(b.Bytes())
			if n := int(p.rx.header.numBuffers); p.d.features.Has(FeatureMrgRxbuf) && n >= 1 && n <= min(maxRxParts, p.rx.q.Size()) {
				p.rx.missing = n
			} else {
				// Where the next frame begins is anybody's guess.
				lost = p.d.features.Has(FeatureMrgRxbuf)
			}
		}
	}
	p.rx.missing--
	if p.rx.skip {
		return false
	}
	p.rx.size += written - off
	if lost || written <= off || first && written < headerLen+nic.HeaderLen || p.rx.size > p.maxRx() {
		p.stats.rxLength.Add(1)
		p.d.once.length.Do(func() {
			p.d.logf("%s: device received a frame of %d bytes, header included, in a buffer, %d in all, header %+v; dropping such",
				p.d.info.Name, written, p.rx.size, p.rx.header)
		})
		p.dropFrame()
		return false
	}
	p.rx.frame.Parts = append(p.rx.frame.Parts, nic.RxPart{Buffer: b, Off: off, Len: written - off})
	if p.rx.missing == 0 && !p.describe() {
		p.rx.frame.Parts = p.rx.frame.Parts[:len(p.rx.frame.Parts)-1]
		p.dropFrame()
		return false
	}
	return true
}

// maxRx is the length of the longest frame that the device may receive.
func (p *pair) maxRx() int {
	gso := p.rx.header.gsoType
	if gso != gsoNone && p.d.features&(FeatureGuestTSO4|FeatureGuestTSO6) != 0 {
		return nic.MaxSegmented
	}
	return p.d.maxFrame()
}

// dropFrame gives up the frame that is being received, with what buffers it still lacks.
func (p *pair) dropFrame() {
	p.rx.skip = true
	for i := range p.rx.frame.Parts {
		p.rx.frame.Parts[i].Buffer.Release()
	}
	p.clearFrame()
}

func (p *pair) clearFrame() {
	clear(p.rx.frame.Parts)
	p.rx.frame.Parts = p.rx.frame.Parts[:0]
}

// replace returns a buffer for the device in place of b, which is the last part of the frame. It
// is b itself when the frame was copied, or dropped for want of memory.
func (p *pair) replace(b nic.Buffer) nic.Buffer {
	parts := p.rx.frame.Parts
	part := &parts[len(parts)-1]
	copied := len(parts) == 1 && p.rx.missing == 0 && part.Len <= copyBreak
	n := p.rxLen()
	if copied {
		n = part.Len
	}
	next := p.handler.Buffer(n)
	switch {
	case next == nil:
		p.stats.rxNoBuffer.Add(1)
		p.rx.frame.Parts = parts[:len(parts)-1]
		*part = nic.RxPart{}
		p.dropFrame()
		return b
	case copied:
		copy(next.Bytes(), b.Bytes()[part.Off:part.Off+part.Len])
		part.Buffer, part.Off = next, 0
		return b
	default:
		return next
	}
}

// describe looks at what the header says of the frame, which is whole. It counts why the frame is
// to be dropped, and returns false.
func (p *pair) describe() bool {
	f, h := &p.rx.frame, &p.rx.header
	first := &f.Parts[0]
	good, needed, ok := p.d.checksum(h, first.Buffer.Bytes()[first.Off:first.Off+first.Len], p.rx.size)
	if !ok || !p.d.gsoNegotiated(h) {
		p.stats.rxOffload.Add(1)
		p.d.once.offload.Do(func() {
			p.d.logf("%s: device received a frame of %d bytes with the header %+v; dropping such", p.d.info.Name, p.rx.size, *h)
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
func (p *pair) handUp() {
	p.d.resets.Store(0)
	p.stats.rxFrames.Add(1)
	p.stats.rxBytes.Add(uint64(p.rx.size))
	if p.rx.frame.ChecksumGood {
		p.stats.rxChecksum.Add(1)
	}
	if p.rx.header.gsoType != gsoNone && p.d.features.Has(FeatureGuestCsum) {
		p.stats.rxSegmented.Add(1)
	}
	p.handler.Receive(&p.rx.frame)
	p.clearFrame()
}

// drainRx takes the buffers back from a device that was reset. The caller releases those of them
// that the device does not get again.
func (p *pair) drainRx() []nic.Buffer {
	if p.rx.q == nil {
		return nil
	}
	var bufs []nic.Buffer
	p.rx.q.Drain(func(head int) {
		bufs = append(bufs, p.rx.bufs[head])
		p.rx.bufs[head] = nil
	})
	// A frame of which the rest has not come will not be whole any more.
	p.dropFrame()
	p.rx.missing = 0
	return bufs
}
