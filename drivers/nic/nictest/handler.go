package nictest

import (
	"github.com/tamanet/tamanet/drivers/nic"
)

// handler is a nic.Handler that records. The rig's lock guards its fields.
type handler struct {
	rig *rig

	pool []*rxBuffer
	out  int // buffers that the Device, or onReceive, holds
	// starve makes Buffer return nil.
	starve bool
	closed bool

	received [][]byte
	bad      []string
	ready    int
	links    []nic.LinkState
	arrived  int
	// onReceive, when set, is called with each frame, without the lock.
	onReceive func(frame []byte)
}

// rxBuffer is a Buffer of a handler's pool.
type rxBuffer struct {
	h   *handler
	mem []byte
	// lent is set while it is not in the pool.
	lent bool
}

func (b *rxBuffer) Bytes() []byte { return b.mem }
func (b *rxBuffer) Release()      { b.h.rig.update(func() { b.h.put(b) }) }

func (h *handler) complain(what string) { h.bad = append(h.bad, what) }

// put takes a buffer back. The lock is held.
func (h *handler) put(b *rxBuffer) {
	if !b.lent {
		h.complain("a buffer was given back twice")
	}
	b.lent = false
	h.out--
	h.pool = append(h.pool, b)
}

func (h *handler) Buffer(n int) nic.Buffer {
	h.rig.mu.Lock()
	defer h.rig.mu.Unlock()
	if h.starve {
		return nil
	}
	var b *rxBuffer
	if k := len(h.pool) - 1; k >= 0 && len(h.pool[k].mem) >= n {
		b, h.pool = h.pool[k], h.pool[:k]
	} else {
		b = &rxBuffer{h: h, mem: make([]byte, n)}
	}
	b.lent = true
	h.out++
	return b
}

func (h *handler) Receive(f *nic.RxFrame) {
	if h.onReceive != nil {
		p := f.Parts[0]
		h.onReceive(p.Buffer.Bytes()[p.Off : p.Off+p.Len])
	}
	h.rig.mu.Lock()
	defer h.rig.mu.Unlock()
	defer h.rig.cond.Broadcast()
	if h.closed {
		h.complain("Receive after Close")
	}
	if len(f.Parts) == 0 || f.Parts[0].Len < nic.HeaderLen {
		h.complain("the first part does not hold the Ethernet header")
	}
	var frame []byte
	for _, p := range f.Parts {
		b := p.Buffer.(*rxBuffer)
		if !b.lent {
			h.complain("Receive with a buffer that was given back")
		}
		if p.Off < 0 || p.Len < 0 || p.Off+p.Len > len(b.mem) {
			h.complain("a part lies outside its buffer")
		} else if h.rig.keep {
			frame = append(frame, b.mem[p.Off:p.Off+p.Len]...)
		}
		h.put(b)
	}
	h.arrived++
	if h.rig.keep {
		h.received = append(h.received, frame)
	}
}

func (h *handler) TransmitReady() { h.rig.update(func() { h.ready++ }) }

func (h *handler) LinkChange(l nic.LinkState) {
	h.rig.update(func() { h.links = append(h.links, l) })
}
