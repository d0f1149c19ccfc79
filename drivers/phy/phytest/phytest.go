// Package phytest is an Ethernet PHY in Go for tests on a host.
package phytest

import (
	"errors"
	"sync"

	"github.com/tamanet/tamanet/drivers/phy"
)

// ErrBus is what a PHY's accesses return while BusFails is set.
var ErrBus = errors.New("phytest: the bus does not answer")

// PHY is a fake PHY on a bus of its own. Its fields are set before it is used,
// and changed by Change only.
type PHY struct {
	Addr uint8
	// Regs are the registers; BMSR's link bit is latched low.
	Regs [32]uint16
	// Absent makes every read 0xffff, StuckReset keeps the reset bit set, BusFails makes
	// every access an error.
	Absent, StuckReset, BusFails bool

	mu       sync.Mutex
	linkLost bool
	writes   []Write
}

// Write is one write to a PHY's register.
type Write struct {
	Reg   phy.Reg
	Value uint16
}

var _ phy.Bus = (*PHY)(nil)

// Values of the standard registers for tests.
const (
	BMSRAble     = 0x7809 // all modes of 10 and 100 Mbit/s, negotiates
	BMSRLink     = 1 << 2
	BMSRComplete = 1 << 5
	LPA100Full   = 0x0581 // 100 Mbit/s both duplexes, PAUSE
)

// New returns a PHY with an identifier, whose link is up at 100 Mbit/s full duplex.
func New(addr uint8, id uint32) *PHY {
	p := &PHY{Addr: addr}
	p.Regs[phy.BMSR] = BMSRAble | BMSRLink | BMSRComplete
	p.Regs[phy.ID1], p.Regs[phy.ID2] = uint16(id>>16), uint16(id)
	p.Regs[phy.ANLPAR] = LPA100Full
	return p
}

// Change runs f while the PHY is not accessed.
func (p *PHY) Change(f func(*PHY)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// SetLink brings the link up or down.
func (p *PHY) SetLink(up bool) {
	p.Change(func(p *PHY) {
		if up {
			p.Regs[phy.BMSR] |= BMSRLink | BMSRComplete
			return
		}
		p.linkLost = true
		p.Regs[phy.BMSR] &^= BMSRLink | BMSRComplete
	})
}

// Writes returns what was written so far.
func (p *PHY) Writes() []Write {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Write(nil), p.writes...)
}

// ReadPHY implements [phy.Bus].
func (p *PHY) ReadPHY(addr uint8, reg phy.Reg) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.BusFails {
		return 0, ErrBus
	}
	if addr != p.Addr || p.Absent {
		return 0xffff, nil
	}
	v := p.Regs[reg&31]
	if reg == phy.BMSR && p.linkLost {
		p.linkLost = false
		v &^= BMSRLink
	}
	return v, nil
}

// WritePHY implements [phy.Bus].
func (p *PHY) WritePHY(addr uint8, reg phy.Reg, v uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.BusFails {
		return ErrBus
	}
	if addr != p.Addr || p.Absent {
		return nil
	}
	p.writes = append(p.writes, Write{reg, v})
	switch reg {
	case phy.BMCR:
		if !p.StuckReset {
			v &^= 1<<15 | 1<<9 // reset and restart clear themselves
		}
	case phy.BMSR, phy.ID1, phy.ID2, phy.ANLPAR:
		return nil // read only
	}
	p.Regs[reg&31] = v
	return nil
}
