package enettest

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/mmio"
)

// word returns a descriptor's first word, which both sides access at the same time.
func word(b []byte) *uint32 {
	// SAFETY: b is a descriptor, in a block that is aligned for it.
	return (*uint32)(unsafe.Pointer(unsafe.SliceData(b)))
}

// load returns a descriptor and says whether it is the MAC's.
func load(b []byte) (d Descriptor, ours bool) {
	w := atomic.LoadUint32(word(b))
	if w>>16&owned == 0 {
		return d, false
	}
	return parse(b), true
}

// store hands a descriptor to the driver.
func store(b []byte, d Descriptor) {
	binary.LittleEndian.PutUint32(b[8:], d.Ext)
	binary.LittleEndian.PutUint32(b[16:], 1<<31)
	atomic.StoreUint32(word(b), uint32(d.Length)|uint32(d.Status)<<16)
}

// Send sends what is in the transmit ring.
func (m *MAC) Send() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transmit()
}

func (m *MAC) transmit() {
	for m.peek(ECR)&2 != 0 && !m.StuckTx {
		b := m.descriptor(m.tx)
		if b == nil {
			return
		}
		d, ours := load(b)
		if !ours {
			return
		}
		if p, err := m.Mem.Access(dma.Addr(d.Addr), int(d.Length), false); err != nil {
			m.fail("sending: %v", err)
		} else {
			m.frame = append(m.frame, p...)
		}
		d.Status &^= owned
		if m.OnSent != nil {
			d = m.OnSent(d)
		}
		if d.Status&last != 0 {
			if m.send != nil {
				m.send(Frame{m.frame, d.Ext&txProtocol != 0})
			}
			m.frame = m.frame[:0]
		}
		m.tx = m.next(m.tx, d, TDSR)
		store(b, d)
		if d.Status&last != 0 && d.Ext&txInt != 0 {
			m.raise(EventTXF)
		}
	}
}

func (m *MAC) next(addr uint32, d Descriptor, base mmio.Offset) uint32 {
	if d.Status&wrap != 0 {
		return m.peek(base)
	}
	return addr + descLen
}

// Deliver receives a frame, to which the MAC adds padding and a check sequence. It
// returns false, with the frame dropped, when the driver has given no buffer for it.
func (m *MAC) Deliver(frame []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.peek(ECR)&2 == 0 {
		return false
	}
	b := m.descriptor(m.rx)
	if b == nil {
		return false
	}
	d, ours := load(b)
	if !ours {
		return false
	}
	d.Status = d.Status&wrap | last
	n := 2 + len(frame) + 4
	if most := int(m.peek(MRBR)); n > most {
		n = most
		d.Status |= truncated | tooLong
	}
	if p, err := m.Mem.Access(dma.Addr(d.Addr), n, true); err != nil {
		m.fail("receiving: %v", err)
	} else {
		p[0], p[1] = 0, 0
		clear(p[2+copy(p[2:], frame):])
	}
	d.Length, d.Ext = uint16(n), 0
	if m.OnReceive != nil {
		d = m.OnReceive(d)
	}
	m.rx = m.next(m.rx, d, RDSR)
	store(b, d)
	m.raise(EventRXF)
	return true
}

// DeliverWait is Deliver that waits for a buffer while the MAC is on.
func (m *MAC) DeliverWait(frame []byte) bool {
	for !m.Deliver(frame) {
		if m.Peek(ECR)&2 == 0 {
			return false
		}
		<-m.room
	}
	return true
}
