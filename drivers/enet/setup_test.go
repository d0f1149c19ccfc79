package enet_test

import (
	"testing"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/drivers/phy/phytest"
)

// What the MAC is set to, by the manual's bits (IMX6ULLRM §22.5).
func TestSetup(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*enet.Config)
		reg    mmio.Offset
		want   uint32
	}{
		{"on, enhanced descriptors, little-endian", nil, enettest.ECR, 1<<8 | 1<<4 | 1<<1},
		{"MAX_FL 1524, RMII, MII mode, PAUSE", nil, enettest.RCR, 1524<<16 | 1<<8 | 1<<5 | 1<<2},
		{"MII", func(c *enet.Config) { c.RMII = false }, enettest.RCR, 1524<<16 | 1<<5 | 1<<2},
		{"MAX_FL for the MTU", func(c *enet.Config) { c.MTU = 2000 }, enettest.RCR, 2024<<16 | 1<<8 | 1<<5 | 1<<2},
		{"room for the MTU", func(c *enet.Config) { c.MTU = 2000 }, enettest.MRBR, 2048},
		{"full duplex", nil, enettest.TCR, 1 << 2},
		{"store and forward, as checksums need", nil, tfwr, 1 << 8},
		{"received frames are shifted by two bytes", nil, racc, 1 << 7},
		{"receive interrupts for 8 frames or 50 µs", nil, rxic, 3<<30 | 8<<20 | 51},
		{"transmit interrupts for 4 frames or 500 µs", nil, txic, 3<<30 | 4<<20 | 515},
		{"coalescing at another clock", func(c *enet.Config) { c.Clock = 132000000 }, rxic, 3<<30 | 8<<20 | 103},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := enettest.New()
			start(t, m, newHandler(), tc.change)
			if got := m.Peek(tc.reg); got != tc.want {
				t.Errorf("register %#x is %#x, want %#x", tc.reg, got, tc.want)
			}
		})
	}
}

// Registers that the fake MAC does nothing with.
const (
	opd, txic, rxic  mmio.Offset = 0x0ec, 0x0f0, 0x100
	tfwr, rsem, racc mmio.Offset = 0x144, 0x194, 0x1c4
)

// PAUSE frames stop us, and are sent by us, as it was negotiated (IEEE 802.3 Table 28B-3).
func TestFlowControl(t *testing.T) {
	for _, tc := range []struct {
		name           string
		partner        uint16
		obeyed, sentAt bool
	}{
		{"symmetric", 0x0581, true, true},
		{"not at the partner's", 0x0181, false, false},
		{"only by the partner", 0x0981, true, false},
		{"half duplex", 0x0481, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := enettest.New()
			m.PHY.Change(func(p *phytest.PHY) { p.Regs[phy.ANLPAR] = tc.partner })
			start(t, m, newHandler(), nil)
			if got := m.Peek(enettest.RCR)&(1<<5) != 0; got != tc.obeyed {
				t.Errorf("PAUSE frames are obeyed: %v", got)
			}
			// Without a threshold of the FIFO none is sent.
			if got := m.Peek(rsem) != 0 && m.Peek(opd) != 0; got != tc.sentAt {
				t.Errorf("PAUSE frames are sent: %v", got)
			}
		})
	}
}

// Of the MAC's own statistics each is told by the name of its register.
func TestStatisticsOfTheMAC(t *testing.T) {
	m := enettest.New()
	d := start(t, m, newHandler(), nil)
	for reg, name := range map[mmio.Offset]string{
		0x204: "tx_packets_phy", 0x224: "tx_collisions", 0x25c: "tx_late_collisions_phy", 0x270: "tx_pause",
		0x284: "rx_packets_phy", 0x28c: "rx_multicast", 0x2a0: "rx_jabber", 0x2d8: "rx_fifo_overflows", 0x2dc: "rx_pause",
	} {
		m.Poke(reg, 1000+uint32(reg))
		if got := counter(d, name); got != 1000+uint64(reg) {
			t.Errorf("%s is %d, want %d", name, got, 1000+reg)
		}
	}
}

// A MAC that was stopped starts again under another driver, with nothing left of the first.
func TestStopAndRestart(t *testing.T) {
	m := enettest.New()
	for i := range 3 {
		h := newHandler()
		d, err := enet.New(m.Config(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Start(h); err != nil {
			t.Fatal(err)
		}
		for j := range 300 { // more than the ring has
			m.DeliverWait(frame(60+j, byte(i)))
		}
		h.wait(t, "the frames", func() bool { return len(h.frames) == 300 })
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if m.Peek(enettest.ECR) != 0 || m.Deliver(frame(60, 0)) {
			t.Error("the MAC still receives")
		}
		m.Finish(t)
		if h.out != 0 {
			t.Errorf("%d buffers were not given back", h.out)
		}
		m.PHY.Change(func(p *phytest.PHY) { p.Regs[phy.BMCR] = 0 })
	}
}
