// Package enettest is an ENET Ethernet MAC with a PHY, in Go, for tests on a host. It
// behaves as IMX6ULLRM chapter 22 says, as far as drivers/enet relies on it, or,
// where a test asks for it, as a broken or hostile one.
package enettest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/phy"
	"github.com/tamanet/tamanet/drivers/phy/phytest"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
)

// Registers that the MAC looks at, and their bits.
const (
	EIR, EIMR, RDAR, TDAR = 0x004, 0x008, 0x010, 0x014
	ECR, MMFR, RCR, TCR   = 0x024, 0x040, 0x084, 0x0c4
	PALR, PAUR            = 0x0e4, 0x0e8
	GAUR, GALR            = 0x120, 0x124
	RDSR, TDSR            = 0x180, 0x184
	MRBR, FTRL            = 0x188, 0x1b0

	EventTXF, EventRXF, EventMII = 1 << 27, 1 << 25, 1 << 23
	EventGRA, EventEBERR         = 1 << 28, 1 << 22

	descLen            = 32
	owned, wrap, last  = 0x8000, 0x2000, 0x0800
	txInt, txProtocol  = 1 << 30, 1 << 28
	truncated, tooLong = 1 << 0, 1 << 5
)

// Descriptor is an enhanced buffer descriptor.
type Descriptor struct {
	Length, Status uint16
	Addr, Ext      uint32
	Protocol, Done uint32
}

// MAC is a fake ENET. Its fields are set before it is used, or through Change.
type MAC struct {
	Mem  *dma.Fake
	Line *virtiotest.Line
	PHY  *phytest.PHY

	// StuckReset, StuckMDIO and StuckGTS make the MAC not do what it is told.
	StuckReset, StuckMDIO, StuckGTS bool
	// StuckTx makes the MAC not send, SlowTx only when Send is called: Kicked says when the driver asks for it.
	StuckTx, SlowTx bool
	Kicked          chan struct{}
	// OnReceive, when set, may change a receive descriptor before it is handed over.
	OnReceive func(Descriptor) Descriptor
	// OnSent, when set, may change a transmit descriptor before it is handed back.
	OnSent func(Descriptor) Descriptor

	mu     sync.Mutex
	regs   [enet.RegionSize / 4]uint32
	rx, tx uint32 // addresses of the next descriptors
	send   func(Frame)
	frame  []byte
	errs   []error
	room   chan struct{}
	resets int
}

// Frame is what the MAC sends.
type Frame struct {
	Bytes []byte // valid during the call
	// Checksum says that the MAC was to insert the TCP or UDP checksum.
	Checksum bool
}

// New returns a MAC whose PHY, with an unknown identifier, is at address 2.
func New() *MAC {
	return &MAC{Mem: dma.NewFake32(), Line: virtiotest.NewLine(), PHY: phytest.New(2, 0x0007c0d1),
		Kicked: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// Config returns a driver's configuration for m.
func (m *MAC) Config(tb testing.TB) enet.Config {
	return enet.Config{Regs: region{Region: mmio.NewFake(enet.RegionSize), m: m}, Memory: m.Mem, Interrupt: m.Line, RMII: true,
		PHY: phy.Config{Addr: phy.ScanAddr}, Logf: tb.Logf}
}

// Change runs f while the MAC does nothing.
func (m *MAC) Change(f func(*MAC)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// OnSend has f called with each frame that the driver sends. It is set before the driver starts.
func (m *MAC) OnSend(f func(Frame)) { m.send = f }

// Resets is how often the MAC was reset.
func (m *MAC) Resets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resets
}

// Peek returns what a register holds, Poke sets it, without side effects.
func (m *MAC) Peek(off mmio.Offset) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peek(off)
}

// Poke sets a register without side effects.
func (m *MAC) Poke(off mmio.Offset, v uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.poke(off, v)
}

func (m *MAC) peek(off mmio.Offset) uint32 { return m.regs[off/4] }

func (m *MAC) poke(off mmio.Offset, v uint32) { m.regs[off/4] = v }

// region is the registers as the driver sees them: all accesses are of 32 bits, the
// others go to a Fake that nobody looks at.
type region struct {
	mmio.Region
	m *MAC
}

func (r region) Read32(off mmio.Offset) uint32 { return r.m.Peek(off) }

func (r region) Write32(off mmio.Offset, v uint32) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.write(off, v)
}

// write models what writing a register does.
func (m *MAC) write(off mmio.Offset, v uint32) {
	switch off {
	case EIR:
		m.poke(EIR, m.peek(EIR)&^v)
		m.update()
		return
	case ECR:
		v = m.control(v)
	case MMFR:
		v = m.transfer(v)
	case RDAR:
		signal(m.room)
		v = 0
	case TDAR:
		if m.peek(ECR)&2 == 0 {
			m.fail("TDAR written while the MAC is off")
		} else if m.SlowTx {
			signal(m.Kicked)
		} else {
			m.transmit()
		}
		v = 0
	case TCR:
		if v&1 != 0 && !m.StuckGTS {
			m.raise(EventGRA)
		}
	}
	m.poke(off, v)
	m.update()
}

// control is a write to ECR.
func (m *MAC) control(v uint32) uint32 {
	if v&1 != 0 {
		m.resets++
		for off := mmio.Offset(0); off < 0x200; off += 4 {
			if off != PALR && off != PAUR {
				m.poke(off, 0)
			}
		}
		m.rx, m.tx, m.frame = 0, 0, m.frame[:0]
		signal(m.room)
		if m.StuckReset {
			return v
		}
		return 0
	}
	if v&2 != 0 && m.peek(ECR)&2 == 0 {
		m.rx, m.tx = m.peek(RDSR), m.peek(TDSR)
		if v&(1<<4|1<<8) != 1<<4|1<<8 {
			m.fail("ECR = %#x: not enhanced descriptors in little-endian order", v)
		}
	}
	return v
}

// transfer is a management frame.
func (m *MAC) transfer(v uint32) uint32 {
	if m.StuckMDIO {
		return v
	}
	m.raise(EventMII)
	addr, reg := uint8(v>>23&31), phy.Reg(v>>18&31)
	if v>>28 == 0b0101 {
		if err := m.PHY.WritePHY(addr, reg, uint16(v)); err != nil {
			m.fail("%v", err)
		}
		return v
	}
	r, err := m.PHY.ReadPHY(addr, reg)
	if err != nil {
		m.fail("%v", err)
	}
	return v&^0xffff | uint32(r)
}

// Raise sets events, as when the MAC has a fault.
func (m *MAC) Raise(events uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.raise(events)
}

func (m *MAC) raise(events uint32) {
	m.poke(EIR, m.peek(EIR)|events)
	m.update()
}

func (m *MAC) update() {
	if m.peek(EIR)&m.peek(EIMR) != 0 {
		m.Line.Wake()
	}
}

func (m *MAC) fail(format string, args ...any) {
	m.errs = append(m.errs, fmt.Errorf(format, args...))
}

// descriptor returns the memory of the descriptor at addr, nil when the driver has not lent it.
func (m *MAC) descriptor(addr uint32) []byte {
	b, err := m.Mem.Access(dma.Addr(addr), descLen, true)
	if err != nil {
		m.fail("descriptor: %v", err)
		return nil
	}
	return b
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Finish reports what the driver did wrong. It was closed before.
func (m *MAC) Finish(tb testing.TB) {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, err := range m.errs {
		tb.Errorf("device: %v", err)
	}
	if n := m.Mem.Faults(); n != 0 {
		tb.Errorf("%d accesses to memory that was not lent", n)
	}
	if maps, blocks := m.Mem.Live(); maps != 0 || blocks != 0 {
		tb.Errorf("%d mappings and %d blocks were not given back", maps, blocks)
	}
}

func parse(b []byte) Descriptor {
	le := binary.LittleEndian
	return Descriptor{Length: le.Uint16(b), Status: le.Uint16(b[2:]), Addr: le.Uint32(b[4:]),
		Ext: le.Uint32(b[8:]), Protocol: le.Uint32(b[12:]), Done: le.Uint32(b[16:])}
}
