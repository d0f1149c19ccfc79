package enet_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/nic/nictest"
	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/drivers/phy/phytest"
)

// open returns nictest's Open for a MAC that sends from a goroutine of its own.
func open(change func(*enet.Config)) nictest.Open {
	return func(tb testing.TB, sent func([]byte)) *nictest.Fixture {
		m := enettest.New()
		m.SlowTx = true
		m.OnSend(func(f enettest.Frame) { sent(f.Bytes) })
		c := m.Config(tb)
		if change != nil {
			change(&c)
		}
		d, err := enet.New(c)
		if err != nil {
			tb.Fatal(err)
		}
		stop := make(chan struct{})
		var wire sync.WaitGroup
		wire.Go(func() {
			for {
				select {
				case <-m.Kicked:
					m.Send()
				case <-stop:
					return
				}
			}
		})
		return &nictest.Fixture{
			Device: d,
			Send:   func(f []byte) { m.DeliverWait(f) },
			Stall: func(on bool) {
				m.Change(func(m *enettest.MAC) { m.StuckTx = on })
				if !on {
					m.Send()
				}
			},
			SetLink: func(up bool) {
				m.PHY.SetLink(up)
				d.AskLink()
			},
			Check: func(tb testing.TB) {
				close(stop)
				wire.Wait()
				m.Finish(tb)
			},
		}
	}
}

func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*enet.Config)
	}{
		{"default", nil},
		{"smallest rings", func(c *enet.Config) { c.RxRing, c.TxRing = 8, 8 }},
		{"MTU 2000", func(c *enet.Config) { c.MTU = 2000 }},
	} {
		t.Run(tc.name, func(t *testing.T) { nictest.Run(t, open(tc.change)) })
	}
}

func TestNewFails(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*enettest.MAC)
		want  error
	}{
		{"absent PHY", func(m *enettest.MAC) { m.PHY.Absent = true }, phy.ErrAbsent},
		{"PHY that stays in reset", func(m *enettest.MAC) { m.PHY.StuckReset = true }, phy.ErrTimeout},
		{"MAC that stays in reset", func(m *enettest.MAC) { m.StuckReset = true }, enet.ErrTimeout},
		{"MDIO that does not finish", func(m *enettest.MAC) { m.StuckMDIO = true }, enet.ErrTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := enettest.New()
			tc.spoil(m)
			if _, err := enet.New(m.Config(t)); !errors.Is(err, tc.want) {
				t.Errorf("New = %v, want %v", err, tc.want)
			}
			m.Finish(t)
		})
	}
}

func TestNewRefusesAConfig(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*enet.Config)
	}{
		{"no memory", func(c *enet.Config) { c.Memory = nil }},
		{"MTU", func(c *enet.Config) { c.MTU = 2001 }},
		{"small MTU", func(c *enet.Config) { c.MTU = nic.MinMTU - 1 }},
		{"ring", func(c *enet.Config) { c.TxRing = 7 }},
		{"clock", func(c *enet.Config) { c.Clock = 66 }},
		{"PHY's address", func(c *enet.Config) { c.PHY.Addr = 32 }},
	} {
		m := enettest.New()
		c := m.Config(t)
		tc.change(&c)
		if _, err := enet.New(c); err == nil {
			t.Errorf("%s: New took it", tc.name)
		}
	}
}

func TestAddress(t *testing.T) {
	mac := nic.MAC{2, 1, 2, 3, 4, 5}
	for _, tc := range []struct {
		name       string
		palr, paur uint32
		config     nic.MAC
		check      func(nic.MAC) bool
	}{
		{"configured", 0x52540012, 0x34568808, mac, func(m nic.MAC) bool { return m == mac }},
		{"the boot loader's", 0x52540012, 0x34568808, nic.MAC{}, func(m nic.MAC) bool { return m == nic.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56} }},
		{"random, locally administered", 0, 0x8808, nic.MAC{}, func(m nic.MAC) bool { return m[0]&3 == 2 }},
		{"group address", 0, 0, nic.MAC{1, 0, 0x5e}, func(m nic.MAC) bool { return m[0]&3 == 2 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := enettest.New()
			m.Poke(enettest.PALR, tc.palr)
			m.Poke(enettest.PAUR, tc.paur)
			c := m.Config(t)
			c.MAC = tc.config
			d, err := enet.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Info().MAC; !tc.check(got) {
				t.Errorf("address is %v", got)
			}
			h := newHandler()
			if err := d.Start(h); err != nil {
				t.Fatal(err)
			}
			a := d.Info().MAC
			lo, hi := m.Peek(enettest.PALR), m.Peek(enettest.PAUR)
			if want := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3]); lo != want || hi>>16 != uint32(a[4])<<8|uint32(a[5]) {
				t.Errorf("the MAC has %08x %08x, want %v", lo, hi, a)
			}
			d.Close()
			m.Finish(t)
		})
	}
}

func TestPHYIsStarted(t *testing.T) {
	m := enettest.New()
	d, err := enet.New(m.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	if w := m.PHY.Writes(); len(w) == 0 || w[len(w)-1] != (phytest.Write{Reg: phy.BMCR, Value: 1<<12 | 1<<9}) {
		t.Errorf("PHY was written %x, want it to negotiate", w)
	}
	if d.PHY() != "PHY 0x0007c0d1 at 2" {
		t.Errorf("PHY is %q", d.PHY())
	}
	d.Close()
	m.Finish(t)
}
