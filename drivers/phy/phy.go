// Package phy manages Ethernet transceivers over IEEE 802.3 clause 22 MDIO: it finds
// them, resets them, has them negotiate and tells the state of the link.
//
// Microchip's KSZ8081 (NXP's i.MX6 evaluation kits) and TI's DP83825I (USB armory Mk II LAN)
// are known by their identifiers, for what the standard leaves open: the
// reference clock of RMII, and interrupts. Every other PHY is driven by the standard's registers.
//
// Nothing here trusts a PHY: every wait is bounded, and registers that read as if nobody
// were there are [ErrAbsent]. A PHY is used by one goroutine at a time.
package phy

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrAbsent is wrapped when no PHY answers: the bus reads 0xffff.
	ErrAbsent = errors.New("phy: no PHY answers")
	// ErrTimeout is wrapped when a PHY does not get ready in time.
	ErrTimeout = errors.New("phy: timed out")
)

// Bus is the management interface of a MAC. Its methods block until the
// transfer is done, for a bounded time; their error says that the MAC did not
// finish it. The address of a PHY that is not there reads 0xffff and is no error.
type Bus interface {
	ReadPHY(addr uint8, reg Reg) (uint16, error)
	WritePHY(addr uint8, reg Reg, v uint16) error
}

// ScanAddr as Config.Addr looks for the PHY at every address.
const ScanAddr = -1

// Config says where a PHY is and how it is wired.
type Config struct {
	Bus Bus
	// Addr is the PHY's address, 0 to 31, or ScanAddr.
	Addr int
	// RefClock50 is set when the PHY takes RMII's 50 MHz reference clock from
	// outside instead of making it from a 25 MHz crystal.
	RefClock50 bool
	// Sleep pauses between two looks at the PHY; time.Sleep when nil.
	Sleep func(time.Duration)
}

// Status is the state of a link.
type Status struct {
	Up         bool
	Mbps       int // 10 or 100 while up
	FullDuplex bool
	// RxPause and TxPause say which PAUSE frames were agreed on (IEEE 802.3 Table 28B-3):
	// those that stop us, and those by which we may stop the partner.
	RxPause, TxPause bool
}

// PHY is a transceiver.
type PHY struct {
	bus   Bus
	addr  uint8
	id    uint32
	model *model
	sleep func(time.Duration)
	clock bool
}

// resetTime is how long a reset may take (§22.2.4.1.1).
const (
	resetTime = 500 * time.Millisecond
	resetPoll = 1 * time.Millisecond
)

// Find finds a PHY and leaves it as it is. The errors wrap ErrAbsent or are the Bus's.
func Find(c Config) (*PHY, error) {
	p := &PHY{bus: c.Bus, sleep: c.Sleep, clock: c.RefClock50}
	if p.sleep == nil {
		p.sleep = time.Sleep
	}
	first, last := c.Addr, c.Addr
	if c.Addr == ScanAddr {
		first, last = 0, maxAddr
	} else if c.Addr < 0 || c.Addr > maxAddr {
		return nil, fmt.Errorf("phy: address is %d, want 0 to %d or ScanAddr", c.Addr, maxAddr)
	}
	for a := first; a <= last; a++ {
		p.addr = uint8(a)
		id, err := p.readID()
		if err != nil {
			return nil, err
		}
		if id != 0 {
			p.id, p.model = id, lookup(id)
			return p, nil
		}
	}
	if c.Addr == ScanAddr {
		return nil, fmt.Errorf("%w at any of the addresses 0 to %d", ErrAbsent, maxAddr)
	}
	return nil, fmt.Errorf("%w at address %d", ErrAbsent, c.Addr)
}

// readID returns the identifier, 0 when nobody answers. Both halves of all ones is a
// floating bus, of all zeros one that is stuck (Linux: get_phy_c22_id).
func (p *PHY) readID() (uint32, error) {
	hi, err := p.read(ID1)
	if err != nil || hi == absent {
		return 0, err
	}
	lo, err := p.read(ID2)
	if err != nil || lo == absent {
		return 0, err
	}
	return uint32(hi)<<16 | uint32(lo), nil
}

// Addr returns the PHY's address.
func (p *PHY) Addr() int { return int(p.addr) }

// String names the PHY for messages: "KSZ8081 at 2".
func (p *PHY) String() string {
	if p.model == &generic {
		return fmt.Sprintf("PHY %#08x at %d", p.id, p.addr)
	}
	return fmt.Sprintf("%s at %d", p.model.name, p.addr)
}

func (p *PHY) read(r Reg) (uint16, error) {
	v, err := p.bus.ReadPHY(p.addr, r)
	if err != nil {
		return 0, fmt.Errorf("phy: reading register %d at address %d: %w", r, p.addr, err)
	}
	return v, nil
}

func (p *PHY) write(r Reg, v uint16) error {
	if err := p.bus.WritePHY(p.addr, r, v); err != nil {
		return fmt.Errorf("phy: writing register %d at address %d: %w", r, p.addr, err)
	}
	return nil
}

// change sets and clears bits of a register.
func (p *PHY) change(r Reg, clear, set uint16) error {
	v, err := p.read(r)
	if err != nil {
		return err
	}
	return p.write(r, v&^clear|set)
}

// Start resets the PHY, sets it up and lets it negotiate everything that it can
// do, PAUSE included. It does not wait for the link. The errors wrap ErrAbsent, ErrTimeout, or are the Bus's.
func (p *PHY) Start() error {
	if err := p.reset(); err != nil {
		return err
	}
	if p.model.setup != nil {
		if err := p.model.setup(p); err != nil {
			return err
		}
	}
	able, err := p.read(BMSR)
	if err != nil {
		return err
	}
	if able == absent {
		return fmt.Errorf("%w: %v is gone after its reset", ErrAbsent, p)
	}
	if able&bmsrANAble == 0 {
		return p.force(able)
	}
	if err := p.write(ANAR, advertise(able)); err != nil {
		return err
	}
	return p.write(BMCR, bmcrANEnable|bmcrANRestart)
}

// reset resets the PHY and waits until it is done.
func (p *PHY) reset() error {
	if err := p.write(BMCR, bmcrReset); err != nil {
		return err
	}
	for waited := time.Duration(0); waited <= resetTime; waited += resetPoll {
		v, err := p.read(BMCR)
		if err != nil {
			return err
		}
		if v == absent {
			return fmt.Errorf("%w: %v is gone in its reset", ErrAbsent, p)
		}
		if v&bmcrReset == 0 {
			return nil
		}
		p.sleep(resetPoll)
	}
	return fmt.Errorf("%w: %v is still in reset after %v", ErrTimeout, p, resetTime)
}

// Stop powers the PHY down: the link is lost.
func (p *PHY) Stop() error { return p.change(BMCR, 0, bmcrPowerDown) }
