package enet

import (
	"fmt"
	"sync"
	"time"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/phy"
)

// hwTimeout bounds every wait for the MAC. What is waited for takes 26 µs (an MDIO
// transfer of 64 bits at 2.5 MHz), or the rest of a frame at 10 Mbit/s, which is 1.6 ms.
const hwTimeout = 20 * time.Millisecond

// await waits until done returns true.
func await(what string, done func() bool) error {
	for start := time.Now(); !done(); {
		// Asked once more: the time may have passed in another goroutine.
		if time.Since(start) > hwTimeout && !done() {
			return fmt.Errorf("%w: %s took longer than %v", ErrTimeout, what, hwTimeout)
		}
	}
	return nil
}

// mdio is the management interface of a MAC.
type mdio struct {
	regs mmio.Region
	mu   sync.Mutex
}

var _ phy.Bus = (*mdio)(nil)

// transfer sends a management frame and returns the one that comes back (§22.6.10).
func (m *mdio) transfer(frame uint32) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.regs.Write32(regEIR, uint32(eventMII))
	m.regs.Write32(regMMFR, frame)
	if err := await("an MDIO transfer", func() bool { return events(m.regs.Read32(regEIR))&eventMII != 0 }); err != nil {
		return 0, err
	}
	m.regs.Write32(regEIR, uint32(eventMII))
	return m.regs.Read32(regMMFR), nil
}

func mmfr(op uint32, addr uint8, reg phy.Reg) uint32 {
	return mmfrStart | op | uint32(addr&31)<<mmfrPHY | uint32(reg&31)<<mmfrReg | mmfrTA
}

// ReadPHY implements [phy.Bus].
func (m *mdio) ReadPHY(addr uint8, reg phy.Reg) (uint16, error) {
	v, err := m.transfer(mmfr(mmfrRead, addr, reg))
	return uint16(v), err
}

// WritePHY implements [phy.Bus].
func (m *mdio) WritePHY(addr uint8, reg phy.Reg, v uint16) error {
	_, err := m.transfer(mmfr(mmfrWrite, addr, reg) | uint32(v))
	return err
}

// mscr returns MSCR for a module clock in Hz: MDC at most 2.5 MHz, data held
// for at least 10 ns (§22.5.7).
func mscr(clock int) uint32 {
	speed := min((clock+2*mdcMax-1)/(2*mdcMax)-1, 0x3f)
	hold := min((clock+100e6-1)/100e6-1, 7)
	return uint32(max(speed, 1))<<mscrSpeed | uint32(hold)<<mscrHoldTime
}
