package phy_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/drivers/phy/phytest"
)

const (
	idKSZ8081  = 0x00221561
	idDP83825I = 0x2000a151
	idLAN911x  = 0x0007c0d1 // what QEMU plays
)

func find(t *testing.T, fake *phytest.PHY, c phy.Config) *phy.PHY {
	t.Helper()
	c.Bus = fake
	if c.Sleep == nil {
		c.Sleep = func(time.Duration) {}
	}
	p, err := phy.Find(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFind(t *testing.T) {
	for _, tc := range []struct {
		name string
		id   uint32
		at   uint8
		addr int
		want string
	}{
		{"KSZ8081 where it is said to be", idKSZ8081, 2, 2, "KSZ8081 at 2"},
		{"DP83825I by a scan", idDP83825I, 0, phy.ScanAddr, "DP83825I at 0"},
		{"the last address by a scan", idLAN911x, 31, phy.ScanAddr, "PHY 0x0007c0d1 at 31"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if p := find(t, phytest.New(tc.at, tc.id), phy.Config{Addr: tc.addr}); p.String() != tc.want {
				t.Errorf("found %v, want %s", p, tc.want)
			}
		})
	}
}

func TestFindFails(t *testing.T) {
	for _, tc := range []struct {
		name string
		fake *phytest.PHY
		addr int
		want error
	}{
		{"absent", &phytest.PHY{Absent: true}, 0, phy.ErrAbsent},
		{"at another address", &phytest.PHY{Addr: 1, Regs: [32]uint16{phy.ID1: 0x22, phy.ID2: 0x1560}}, 2, phy.ErrAbsent},
		{"nowhere", &phytest.PHY{Absent: true}, phy.ScanAddr, phy.ErrAbsent},
		{"bus stuck at zero", &phytest.PHY{}, phy.ScanAddr, phy.ErrAbsent},
		{"bus does not answer", &phytest.PHY{BusFails: true}, phy.ScanAddr, phytest.ErrBus},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := phy.Find(phy.Config{Bus: tc.fake, Addr: tc.addr}); !errors.Is(err, tc.want) {
				t.Errorf("Find = %v, want %v", err, tc.want)
			}
		})
	}
	if _, err := phy.Find(phy.Config{Bus: &phytest.PHY{}, Addr: 32}); err == nil {
		t.Error("address 32 was taken")
	}
}

func TestStartSetsTheReferenceClock(t *testing.T) {
	for _, tc := range []struct {
		name    string
		id      uint32
		reg     phy.Reg
		before  uint16
		clock50 bool
		want    uint16
	}{
		{"KSZ8081 50 MHz", idKSZ8081, 0x1f, 0x8100, true, 0x8180},
		{"KSZ8081 crystal", idKSZ8081, 0x1f, 0x8180, false, 0x8100},
		{"DP83825I 50 MHz", idDP83825I, 0x17, 0x0061, true, 0x00e1},
		{"DP83825I crystal", idDP83825I, 0x17, 0x00e2, false, 0x0061},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := phytest.New(3, tc.id)
			fake.Regs[tc.reg] = tc.before
			p := find(t, fake, phy.Config{Addr: 3, RefClock50: tc.clock50})
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			if got := fake.Regs[tc.reg]; got != tc.want {
				t.Errorf("register %#x is %#04x, want %#04x", tc.reg, got, tc.want)
			}
		})
	}
}

func TestStartNegotiates(t *testing.T) {
	fake := phytest.New(0, idLAN911x)
	if err := find(t, fake, phy.Config{}).Start(); err != nil {
		t.Fatal(err)
	}
	want := []phytest.Write{{Reg: phy.BMCR, Value: 1 << 15}, {Reg: phy.ANAR, Value: 0x0de1}, {Reg: phy.BMCR, Value: 1<<12 | 1<<9}}
	if got := fake.Writes(); !slices.Equal(got, want) {
		t.Errorf("wrote %x, want %x", got, want)
	}
}

func TestStartForcesAPHYThatCannotNegotiate(t *testing.T) {
	fake := phytest.New(0, idLAN911x)
	fake.Regs[phy.BMSR] = 1<<14 | phytest.BMSRLink
	p := find(t, fake, phy.Config{})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := p.Poll()
	if want := (phy.Status{Up: true, Mbps: 100, FullDuplex: true}); err != nil || s != want {
		t.Errorf("Poll = %+v, %v, want %+v", s, err, want)
	}
}

func TestStartIsBounded(t *testing.T) {
	fake := phytest.New(0, idLAN911x)
	fake.StuckReset = true
	slept := time.Duration(0)
	p := find(t, fake, phy.Config{Sleep: func(d time.Duration) { slept += d }})
	if err := p.Start(); !errors.Is(err, phy.ErrTimeout) {
		t.Errorf("Start = %v, want ErrTimeout", err)
	}
	if slept < 500*time.Millisecond || slept > time.Second {
		t.Errorf("waited %v, want the standard's half second", slept)
	}
}

func TestAPHYThatGoesAway(t *testing.T) {
	fake := phytest.New(0, idLAN911x)
	p := find(t, fake, phy.Config{})
	fake.Change(func(p *phytest.PHY) { p.Absent = true })
	if err := p.Start(); !errors.Is(err, phy.ErrAbsent) {
		t.Errorf("Start = %v, want ErrAbsent", err)
	}
	if _, err := p.Poll(); !errors.Is(err, phy.ErrAbsent) {
		t.Errorf("Poll = %v, want ErrAbsent", err)
	}
	fake.Change(func(p *phytest.PHY) { p.BusFails = true })
	if _, err := p.Poll(); !errors.Is(err, phytest.ErrBus) {
		t.Errorf("Poll = %v, want the bus's error", err)
	}
}

func TestPoll(t *testing.T) {
	const complete = phytest.BMSRAble | phytest.BMSRLink | phytest.BMSRComplete
	for _, tc := range []struct {
		name             string
		bmcr, bmsr, anar uint16
		lpa              uint16
		want             phy.Status
	}{
		{"100 full, symmetric pause", 1 << 12, complete, 0x0de1, 0x05e1, phy.Status{Up: true, Mbps: 100, FullDuplex: true, RxPause: true, TxPause: true}},
		{"100 full, we may stop the partner", 1 << 12, complete, 0x09e1, 0x0de1, phy.Status{Up: true, Mbps: 100, FullDuplex: true, TxPause: true}},
		{"100 full, the partner may stop us", 1 << 12, complete, 0x0de1, 0x09e1, phy.Status{Up: true, Mbps: 100, FullDuplex: true, RxPause: true}},
		{"100 full, no pause", 1 << 12, complete, 0x0de1, 0x01e1, phy.Status{Up: true, Mbps: 100, FullDuplex: true}},
		{"100 half has no pause", 1 << 12, complete, 0x0de1, 0x0c81, phy.Status{Up: true, Mbps: 100}},
		{"10 full", 1 << 12, complete, 0x0de1, 0x0061, phy.Status{Up: true, Mbps: 10, FullDuplex: true}},
		{"10 half", 1 << 12, complete, 0x0de1, 0x0021, phy.Status{Up: true, Mbps: 10}},
		{"nothing in common", 1 << 12, complete, 0x0de1, 0x0001, phy.Status{}},
		{"link down", 1 << 12, phytest.BMSRAble | phytest.BMSRComplete, 0x0de1, 0x05e1, phy.Status{}},
		{"still negotiating", 1 << 12, phytest.BMSRAble | phytest.BMSRLink, 0x0de1, 0x05e1, phy.Status{}},
		{"forced to 10 half", 0, complete, 0x0de1, 0x05e1, phy.Status{Up: true, Mbps: 10}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := phytest.New(0, idLAN911x)
			p := find(t, fake, phy.Config{})
			fake.Change(func(p *phytest.PHY) {
				p.Regs[phy.BMCR], p.Regs[phy.BMSR], p.Regs[phy.ANAR], p.Regs[phy.ANLPAR] = tc.bmcr, tc.bmsr, tc.anar, tc.lpa
			})
			if s, err := p.Poll(); err != nil || s != tc.want {
				t.Errorf("Poll = %+v, %v, want %+v", s, err, tc.want)
			}
		})
	}
}

func TestAShortLossIsSeen(t *testing.T) {
	fake := phytest.New(0, idLAN911x)
	p := find(t, fake, phy.Config{})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	fake.SetLink(false)
	fake.SetLink(true)
	for i, want := range []bool{false, true} {
		if s, err := p.Poll(); err != nil || s.Up != want {
			t.Errorf("Poll %d: up %v, %v, want %v", i, s.Up, err, want)
		}
	}
}

func TestInterrupts(t *testing.T) {
	for _, tc := range []struct {
		name string
		id   uint32
		want []phytest.Write
	}{
		{"KSZ8081", idKSZ8081, []phytest.Write{{Reg: 0x1b, Value: 0x0500}}},
		{"DP83825I", idDP83825I, []phytest.Write{{Reg: 0x11, Value: 0x0003}, {Reg: 0x12, Value: 0x0020}}},
		{"another", idLAN911x, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := phytest.New(0, tc.id)
			p := find(t, fake, phy.Config{})
			if p.HasInterrupt() != (tc.want != nil) {
				t.Errorf("HasInterrupt = %v", p.HasInterrupt())
			}
			if err := errors.Join(p.EnableInterrupt(), p.AckInterrupt()); err != nil {
				t.Fatal(err)
			}
			if got := fake.Writes(); !slices.Equal(got, tc.want) {
				t.Errorf("wrote %x, want %x", got, tc.want)
			}
		})
	}
}

func TestStopPowersDown(t *testing.T) {
	fake := phytest.New(0, idKSZ8081)
	if err := find(t, fake, phy.Config{}).Stop(); err != nil || fake.Regs[phy.BMCR] != 1<<11 {
		t.Errorf("Stop = %v, BMCR %#x", err, fake.Regs[phy.BMCR])
	}
}
