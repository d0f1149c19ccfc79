package enet_test

import (
	"testing"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/drivers/phy/phytest"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
)

func counter(d *enet.Device, name string) (v uint64) {
	d.EachCounter(func(n string, value uint64) {
		if n == name {
			v = value
		}
	})
	return v
}

func TestFaultsAreCountedAndSurvived(t *testing.T) {
	for _, tc := range []struct {
		event  uint32
		name   string
		resets uint64
	}{
		{1 << 30, "rx_babbling", 0},
		{1 << 29, "tx_babbling", 0},
		{1 << 22, "bus_errors", 1},
		{1 << 21, "tx_late_collisions", 0},
		{1 << 20, "tx_retry_limit", 0},
		{1 << 19, "tx_fifo_underruns", 0},
		{1 << 18, "rx_payload_errors", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, h := enettest.New(), newHandler()
			d := start(t, m, h, nil)
			m.Raise(tc.event)
			// New has reset the MAC already.
			for counter(d, tc.name) != 1 || m.Resets() != 1+int(tc.resets) || m.Peek(enettest.ECR)&2 == 0 {
			}
			m.DeliverWait(frame(100, 1))
			h.wait(t, "a frame after it", func() bool { return len(h.frames) == 1 })
		})
	}
}

func TestABusErrorLosesFramesButNoOwner(t *testing.T) {
	m, h := enettest.New(), newHandler()
	m.StuckTx = true
	d := start(t, m, h, nil)
	owners := make([]*owner, 10)
	for i := range owners {
		owners[i] = &owner{h: h}
		if err := d.Transmit(&nic.TxFrame{Parts: [][]byte{frame(54, 0), aligned(1000)}, Owner: owners[i]}); err != nil {
			t.Fatal(err)
		}
	}
	m.Raise(enettest.EventEBERR)
	h.wait(t, "the owners", func() bool {
		for _, o := range owners {
			if o.done != 1 {
				return false
			}
		}
		return true
	})
	if s := d.Stats(); s.TxErrors != 10 {
		t.Errorf("%d errors, want 10", s.TxErrors)
	}
}

func TestAMACThatFailsAgainAndAgainIsGivenUp(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, nil)
	for d.Transmit(&nic.TxFrame{Parts: [][]byte{frame(60, 0)}, Owner: &owner{h: h}}) != nic.ErrFailed {
		m.Raise(enettest.EventEBERR)
	}
	h.wait(t, "link down", func() bool { return len(h.links) > 0 && !h.links[len(h.links)-1].Up })
	if m.Peek(enettest.ECR)&2 != 0 {
		t.Error("the MAC is still on")
	}
	if err := d.SetPromiscuous(true); err != nic.ErrFailed {
		t.Errorf("SetPromiscuous = %v", err)
	}
}

func TestCloseOfAMACThatDoesNotReset(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d, err := enet.New(m.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(h); err != nil {
		t.Fatal(err)
	}
	m.Change(func(m *enettest.MAC) { m.StuckReset, m.StuckGTS = true, true })
	if err := d.Close(); err == nil {
		t.Error("Close does not tell that the memory is lost")
	}
	if h.out == 0 {
		t.Error("memory was given back that the MAC may write to")
	}
}

func TestAnotherKindOfLink(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, nil)
	duplex := func() bool { return m.Peek(enettest.TCR)&(1<<2) != 0 }
	if !duplex() {
		t.Error("not full duplex at first")
	}
	m.PHY.Change(func(p *phytest.PHY) { p.Regs[phy.ANLPAR] = 0x0021 }) // 10 Mbit/s half duplex
	d.AskLink()
	want := nic.LinkState{Up: true, Mbps: 10}
	h.wait(t, "the link", func() bool { return len(h.links) > 0 && h.links[len(h.links)-1] == want })
	if rcr := m.Peek(enettest.RCR); duplex() || rcr&(1<<9) == 0 || rcr&(1<<1) == 0 || rcr&(1<<5) != 0 {
		t.Errorf("RCR is %#x, full duplex %v; want RMII at 10 Mbit/s, DRT and no PAUSE", rcr, duplex())
	}
	if s := d.Stats(); s.Resets != 0 {
		t.Errorf("%d resets counted: a new link is no fault", s.Resets)
	}
	m.DeliverWait(frame(100, 1))
	h.wait(t, "a frame", func() bool { return len(h.frames) == 1 })
}

func TestAPHYThatVanishes(t *testing.T) {
	m, h := enettest.New(), newHandler()
	lines := 0
	d := start(t, m, h, func(c *enet.Config) { c.Logf = func(string, ...any) { h.update(func() { lines++ }) } })
	m.PHY.Change(func(p *phytest.PHY) { p.Absent = true })
	for range 3 {
		d.AskLink()
		h.wait(t, "link down", func() bool { return len(h.links) > 0 && !h.links[len(h.links)-1].Up })
	}
	m.PHY.Change(func(p *phytest.PHY) { p.Absent = false })
	d.AskLink()
	h.wait(t, "link up", func() bool { return h.links[len(h.links)-1].Up })
	if lines != 1 {
		t.Errorf("%d lines were logged, want 1", lines)
	}
}

func TestPHYInterrupt(t *testing.T) {
	m, h := enettest.New(), newHandler()
	m.PHY = phytest.New(1, 0x00221560)
	line := virtiotest.NewLine()
	start(t, m, h, func(c *enet.Config) { c.PHYInterrupt = line })
	m.PHY.SetLink(false)
	line.Wake()
	h.wait(t, "link down", func() bool { return len(h.links) > 0 && !h.links[len(h.links)-1].Up })
	m.PHY.SetLink(true)
	line.Wake()
	h.wait(t, "link up", func() bool { return h.links[len(h.links)-1].Up })
}

func TestMDIOThatHangsInOperation(t *testing.T) {
	m, h := enettest.New(), newHandler()
	d := start(t, m, h, nil)
	m.Change(func(m *enettest.MAC) { m.StuckMDIO = true })
	d.AskLink()
	h.wait(t, "link down", func() bool { return len(h.links) > 0 && !h.links[0].Up })
	m.DeliverWait(frame(100, 1))
	h.wait(t, "a frame all the same", func() bool { return len(h.frames) == 1 })
}

// FuzzReceive has the MAC write anything into descriptors and frames.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 100, 0x08, 0, 0, 0, 0, 0, 1, 2, 3})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 8, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, h := enettest.New(), newHandler()
		script := data
		m.OnReceive = func(d enettest.Descriptor) enettest.Descriptor {
			if len(script) >= 8 {
				keep := d.Status & (1 << 13) // W stays: where the ring ends is the MAC's own knowledge
				d.Length = uint16(script[0])<<8 | uint16(script[1])
				d.Status = uint16(script[2])<<8 | uint16(script[3])
				d.Status = d.Status&^(1<<15|1<<13) | keep
				d.Ext = uint32(script[4])<<24 | uint32(script[5])<<16 | uint32(script[6])<<8 | uint32(script[7])
				script = script[8:]
			}
			return d
		}
		d := start(t, m, h, func(c *enet.Config) {
			c.RxRing = 8
			c.Logf = func(string, ...any) {}
		})
		n := uint64(len(data)/8 + 2)
		for range n {
			m.DeliverWait(frame(100, 0xcc))
		}
		h.wait(t, "the last frame", func() bool { return len(h.frames) > 0 })
		h.update(func() {
			for _, f := range h.frames {
				if len(f) < nic.HeaderLen || len(f) > 1518 {
					t.Errorf("a frame of %d bytes was handed up", len(f))
				}
			}
		})
		_ = d
	})
}
