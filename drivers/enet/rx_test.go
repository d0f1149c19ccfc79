package enet_test

import (
	"bytes"
	"testing"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
)

// frame returns n bytes of a frame that tag tells from others.
func frame(n int, tag byte) []byte {
	f := bytes.Repeat([]byte{tag}, n)
	copy(f, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x88, 0xb5})
	return f
}

func TestReceiveIntoMemoryOfEveryAlignment(t *testing.T) {
	for _, off := range []int{0, 1, 2, 16, 63} {
		m, h := enettest.New(), newHandler()
		h.misalign = off
		start(t, m, h, func(c *enet.Config) { c.RxRing = 8 })
		for i := range 40 {
			m.DeliverWait(frame(60+i*30, byte(i)))
		}
		h.wait(t, "all frames", func() bool { return len(h.frames) == 40 })
		for i, f := range h.frames {
			if !bytes.Equal(f, frame(60+i*30, byte(i))) {
				t.Errorf("offset %d: frame %d of %d bytes is wrong", off, i, len(f))
			}
		}
		if maps, _ := m.Mem.Live(); (maps > 0) != (off == 0) {
			t.Errorf("offset %d: %d buffers are lent", off, maps)
		}
	}
}

// Status and extended status bits of a receive descriptor.
const (
	bdL, bdLG, bdNO, bdCR, bdOV, bdTR = 1 << 11, 1 << 5, 1 << 4, 1 << 2, 1 << 1, 1 << 0
	extME, extPE, extICE, extPCR      = 1 << 31, 1 << 26, 1 << 5, 1 << 4
	extIPv6, extFRAG                  = 1 << 1, 1 << 0
)

func TestBadFramesAreCountedAndSurvived(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*enettest.Descriptor)
		count func(nic.Stats) uint64
	}{
		{"overrun, other bits set too", func(d *enettest.Descriptor) { d.Status |= bdOV | bdCR | bdLG }, func(s nic.Stats) uint64 { return s.RxOverrun }},
		{"check sequence", func(d *enettest.Descriptor) { d.Status |= bdCR }, func(s nic.Stats) uint64 { return s.RxFCS }},
		{"not octets", func(d *enettest.Descriptor) { d.Status |= bdNO | bdCR }, func(s nic.Stats) uint64 { return s.RxFCS }},
		{"PHY error", func(d *enettest.Descriptor) { d.Ext |= extPE }, func(s nic.Stats) uint64 { return s.RxFCS }},
		{"MAC error", func(d *enettest.Descriptor) { d.Ext |= extME }, func(s nic.Stats) uint64 { return s.RxFCS }},
		{"too long", func(d *enettest.Descriptor) { d.Status |= bdLG }, func(s nic.Stats) uint64 { return s.RxLength }},
		{"truncated", func(d *enettest.Descriptor) { d.Status |= bdTR }, func(s nic.Stats) uint64 { return s.RxLength }},
		{"no length", func(d *enettest.Descriptor) { d.Length = 0 }, func(s nic.Stats) uint64 { return s.RxLength }},
		{"a byte less than a header", func(d *enettest.Descriptor) { d.Length = 2 + 13 + 4 }, func(s nic.Stats) uint64 { return s.RxLength }},
		{"a byte more than a frame", func(d *enettest.Descriptor) { d.Length = 2 + 1518 + 1 + 4 }, func(s nic.Stats) uint64 { return s.RxLength }},
		{"longer than its buffer", func(d *enettest.Descriptor) { d.Length = 0xffff }, func(s nic.Stats) uint64 { return s.RxLength }},
		{"in pieces", func(d *enettest.Descriptor) { d.Status &^= bdL }, func(s nic.Stats) uint64 { return s.RingErrors }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, h := enettest.New(), newHandler()
			spoil := false
			m.OnReceive = func(d enettest.Descriptor) enettest.Descriptor {
				if spoil {
					tc.spoil(&d)
				}
				return d
			}
			d := start(t, m, h, func(c *enet.Config) { c.RxRing = 8 })
			for i := range 20 { // more than the ring has, so that a lost descriptor shows
				m.Change(func(*enettest.MAC) { spoil = true })
				m.DeliverWait(frame(100, byte(i)))
				m.Change(func(*enettest.MAC) { spoil = false })
				m.DeliverWait(frame(100, 0xee)) // the rest of one in pieces
				m.DeliverWait(frame(100, byte(i)))
			}
			h.wait(t, "the good frames", func() bool {
				return len(h.frames) > 0 && bytes.Equal(h.frames[len(h.frames)-1], frame(100, 19))
			})
			if got := tc.count(d.Stats()); got != 20 {
				t.Errorf("counted %d, want 20: %+v", got, d.Stats())
			}
		})
	}
}

func TestNoMemoryDropsOneFrameEach(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, func(c *enet.Config) { c.RxRing = 8 })
	h.update(func() { h.starve = true })
	for range 20 {
		m.DeliverWait(frame(100, 1))
	}
	for d.Stats().RxNoBuffer != 20 { // each frame ends in a counter, and wakes nobody
	}
	h.update(func() { h.starve = false })
	m.DeliverWait(frame(100, 2))
	h.wait(t, "the frame after", func() bool { return len(h.frames) == 1 })
	if !bytes.Equal(h.frames[0], frame(100, 2)) {
		t.Error("a wrong frame came")
	}
}

func TestChecksumGood(t *testing.T) {
	for _, tc := range []struct {
		name  string
		trust bool
		ext   uint32
		want  bool
	}{
		{"good", true, 0, true},
		{"not trusted", false, 0, false},
		{"IP header", true, extICE, false},
		{"payload", true, extPCR, false},
		{"fragment", true, extFRAG, false},
		{"IPv6", true, extIPv6, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, h := enettest.New(), newHandler()
			m.OnReceive = func(d enettest.Descriptor) enettest.Descriptor { d.Ext = tc.ext; return d }
			start(t, m, h, func(c *enet.Config) { c.TrustChecksums = tc.trust })
			m.DeliverWait(frame(100, 1))
			h.wait(t, "the frame", func() bool { return len(h.frames) == 1 })
			if h.good[0] != tc.want {
				t.Errorf("ChecksumGood is %v", h.good[0])
			}
		})
	}
}

func TestFilter(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, nil)
	groups := func() uint64 { return uint64(m.Peek(enettest.GAUR))<<32 | uint64(m.Peek(enettest.GALR)) }
	promiscuous := func() bool { return m.Peek(enettest.RCR)&(1<<3) != 0 }
	if groups() != ^uint64(0) || promiscuous() {
		t.Errorf("at first: groups %x, promiscuous %v", groups(), promiscuous())
	}
	for _, tc := range []struct {
		groups []nic.MAC
		want   uint64
	}{
		{[]nic.MAC{}, 0},
		{[]nic.MAC{{1, 0, 0x5e, 0, 0, 1}}, 1 << linuxHash(nic.MAC{1, 0, 0x5e, 0, 0, 1})},
		{[]nic.MAC{{1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}}, 1<<linuxHash(nic.MAC{1, 0, 0x5e, 0, 0, 1}) | 1<<linuxHash(nic.MAC{0x33, 0x33, 0, 0, 0, 1})},
		{nil, ^uint64(0)},
	} {
		if err := d.SetMulticast(tc.groups); err != nil || groups() != tc.want {
			t.Errorf("groups %v: filter %x, want %x: %v", tc.groups, groups(), tc.want, err)
		}
	}
	for _, on := range []bool{true, false} {
		if err := d.SetPromiscuous(on); err != nil || promiscuous() != on {
			t.Errorf("SetPromiscuous(%v): %v, %v", on, promiscuous(), err)
		}
	}
	address := func() [2]uint32 { return [2]uint32{m.Peek(enettest.PALR), m.Peek(enettest.PAUR) >> 16} }
	want := [2]uint32{0x02123456, 0x789a}
	if err := d.SetMAC(nic.MAC{2, 0x12, 0x34, 0x56, 0x78, 0x9a}); err != nil || address() != want {
		t.Errorf("the address is %x, want %x: %v", address(), want, err)
	}
	if err := d.SetMAC(nic.MAC{1, 0, 0x5e, 0, 0, 1}); err == nil || address() != want {
		t.Errorf("a group's address was taken: %x, %v", address(), err)
	}
	if err := d.SetPromiscuous(true); err != nil {
		t.Fatal(err)
	}
	m.Raise(enettest.EventEBERR)
	for m.Resets() != 2 || m.Peek(enettest.ECR)&2 == 0 {
	}
	if !promiscuous() || address() != want {
		t.Errorf("the filter is lost in a reset: %v, %x", promiscuous(), address())
	}
}

// linuxHash is the hash bit by bit, as the manual's figure has it.
func linuxHash(m nic.MAC) uint {
	crc := ^uint32(0)
	for _, b := range m {
		for range 8 {
			carry := (crc ^ uint32(b)) & 1
			crc >>= 1
			b >>= 1
			if carry != 0 {
				crc ^= 0xedb88320
			}
		}
	}
	return uint(crc >> 26)
}
