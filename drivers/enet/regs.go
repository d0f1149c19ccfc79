package enet

import "github.com/tamanet/tamanet/drivers/mmio"

// RegionSize is the size of an ENET's registers in bytes.
const RegionSize = 0x4000

// Registers (IMX6ULLRM Rev 1 §22.5), by their names there without the ENETx_.
const (
	regEIR  mmio.Offset = 0x004 // interrupt events, written 1 to clear
	regEIMR mmio.Offset = 0x008 // interrupt mask
	regRDAR mmio.Offset = 0x010 // receive descriptors are there
	regTDAR mmio.Offset = 0x014 // transmit descriptors are there
	regECR  mmio.Offset = 0x024 // control
	regMMFR mmio.Offset = 0x040 // MII management frame
	regMSCR mmio.Offset = 0x044 // MII speed
	regMIBC mmio.Offset = 0x064 // statistics control
	regRCR  mmio.Offset = 0x084 // receive control
	regTCR  mmio.Offset = 0x0c4 // transmit control
	regPALR mmio.Offset = 0x0e4 // physical address, first four bytes
	regPAUR mmio.Offset = 0x0e8 // physical address, last two
	regOPD  mmio.Offset = 0x0ec // PAUSE duration
	regTXIC mmio.Offset = 0x0f0 // transmit interrupt coalescing
	regRXIC mmio.Offset = 0x100 // receive interrupt coalescing
	regIAUR mmio.Offset = 0x118 // individual address filter, upper half
	regIALR mmio.Offset = 0x11c // individual address filter, lower half
	regGAUR mmio.Offset = 0x120 // group address filter, upper half
	regGALR mmio.Offset = 0x124 // group address filter, lower half
	regTFWR mmio.Offset = 0x144 // transmit FIFO watermark
	regRDSR mmio.Offset = 0x180 // receive ring's address
	regTDSR mmio.Offset = 0x184 // transmit ring's address
	regMRBR mmio.Offset = 0x188 // receive buffers' size
	regRSFL mmio.Offset = 0x190 // receive FIFO section full threshold
	regRSEM mmio.Offset = 0x194 // receive FIFO section empty threshold
	regRAEM mmio.Offset = 0x198 // receive FIFO almost empty threshold
	regRAFL mmio.Offset = 0x19c // receive FIFO almost full threshold
	regFTRL mmio.Offset = 0x1b0 // truncation length
	regTACC mmio.Offset = 0x1c0 // transmit accelerator
	regRACC mmio.Offset = 0x1c4 // receive accelerator
)

// events are bits of EIR and EIMR (§22.5.1).
type events uint32

const (
	eventBABR  events = 1 << 30 // received frame longer than RCR.MAX_FL
	eventBABT  events = 1 << 29 // transmitted frame longer than RCR.MAX_FL
	eventGRA   events = 1 << 28 // graceful stop is complete
	eventTXF   events = 1 << 27 // a frame with INT set was transmitted
	eventRXF   events = 1 << 25 // a frame with INT set was received
	eventMII   events = 1 << 23 // MDIO transfer is complete
	eventEBERR events = 1 << 22 // bus error: the MAC has stopped
	eventLC    events = 1 << 21 // late collision
	eventRL    events = 1 << 20 // too many collisions
	eventUN    events = 1 << 19 // transmit FIFO ran empty in a frame
	eventPLR   events = 1 << 18 // receive FIFO overflow in a frame

	eventsFaults = eventBABR | eventBABT | eventEBERR | eventLC | eventRL | eventUN | eventPLR
	// eventsUsed interrupt; eventGRA and eventMII are waited for where they are caused.
	eventsUsed = eventTXF | eventRXF | eventsFaults
)

// Bits of ECR (§22.5.5).
const (
	ecrReset   = 1 << 0
	ecrEtherEn = 1 << 1
	ecrEN1588  = 1 << 4 // enhanced descriptors
	ecrDBSWP   = 1 << 8 // descriptors are little-endian
)

// Fields of MSCR (§22.5.7) and MMFR (§22.5.6).
const (
	mscrHoldTime = 8
	mscrSpeed    = 1
	mdcMax       = 2500000 // Hz, IEEE 802.3 §22.2.2.11

	mmfrStart = 1 << 30
	mmfrWrite = 1 << 28
	mmfrRead  = 2 << 28
	mmfrPHY   = 23
	mmfrReg   = 18
	mmfrTA    = 2 << 16
)

// mibcClear clears the statistics while it is set (§22.5.8).
const mibcClear = 1 << 29

// Fields of RCR (§22.5.9).
const (
	rcrMaxFL  = 16
	rcrRMII10 = 1 << 9 // 10 Mbit/s over RMII
	rcrRMII   = 1 << 8
	rcrFCE    = 1 << 5 // PAUSE frames stop the transmitter
	rcrPROM   = 1 << 3
	rcrMII    = 1 << 2 // always set (the reset value is reserved)
	rcrDRT    = 1 << 1 // half duplex: do not hear oneself
)

// Bits of TCR (§22.5.10).
const (
	tcrGTS  = 1 << 0 // graceful transmit stop
	tcrFDEN = 1 << 2 // full duplex
)

// Others.
const (
	pauseQuanta   = 0xfff0  // OPD: how long to stop the partner, in 512 bit times (Linux: FEC_ENET_OPD_V)
	tfwrStoreFwd  = 1 << 8  // begin to transmit once the whole frame is in the FIFO, as checksums need
	icEnable      = 1 << 31 // TXIC, RXIC
	icSystemClock = 1 << 30 // count time in 64 periods of the ENET's own clock
	icFrames      = 20
	raccShift16   = 1 << 7 // two bytes ahead of a frame, which align what follows the Ethernet header

	// Receive FIFO thresholds, in 64-bit words, that have PAUSE sent early enough
	// (Linux fec_main.c: FEC_ENET_RSEM_V and its neighbours).
	rsemPause = 0x84
	rsflPause = 16
	raemPause = 8
	raflPause = 8
)
