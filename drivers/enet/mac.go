package enet

import (
	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/phy"
)

// resetMAC resets the MAC, which forgets everything, and makes its MDIO usable
// again. The MAC touches no memory afterwards. The error wraps ErrTimeout.
func (d *Device) resetMAC() error {
	d.regs.Write32(regECR, ecrReset)
	if err := await("the MAC's reset", func() bool { return d.regs.Read32(regECR)&ecrReset == 0 }); err != nil {
		return err
	}
	d.regs.Write32(regEIMR, 0)
	d.regs.Write32(regEIR, ^uint32(0))
	d.regs.Write32(regMSCR, mscr(d.c.Clock))
	return nil
}

// stopMAC lets the frame that is being sent leave (§22.6.2, graceful stop).
func (d *Device) stopMAC() {
	if d.regs.Read32(regECR)&ecrEtherEn == 0 {
		return
	}
	d.regs.Write32(regEIMR, 0)
	d.regs.Write32(regTCR, d.regs.Read32(regTCR)|tcrGTS)
	if err := await("the end of a frame", func() bool { return events(d.regs.Read32(regEIR))&eventGRA != 0 }); err != nil {
		d.c.Logf("%s: stopping without it: %v", d.info.Name, err)
	}
}

// startMAC sets up a MAC that was reset and starts it on rings that are ready. The
// lock is held.
func (d *Device) startMAC() {
	r := d.regs
	r.Write32(regMIBC, mibcClear)
	r.Write32(regMIBC, 0)
	d.writeFilter()
	r.Write32(regMRBR, uint32(d.bufferLen()))
	r.Write32(regFTRL, uint32(d.bufferLen()))
	r.Write32(regTFWR, tfwrStoreFwd)
	r.Write32(regTACC, 0) // checksums are asked for by descriptor
	r.Write32(regRACC, raccShift16)
	d.writePause()
	d.writeCoalescing()
	r.Write32(regRDSR, uint32(d.rx.ring.block.Addr))
	r.Write32(regTDSR, uint32(d.tx.ring.block.Addr))
	r.Write32(regRCR, d.rcr())
	r.Write32(regTCR, tcr(d.wire))
	r.Write32(regECR, ecrDBSWP|ecrEN1588)
	r.Write32(regECR, ecrDBSWP|ecrEN1588|ecrEtherEn)
	r.Write32(regRDAR, 1<<24)
	r.Write32(regEIMR, uint32(eventsUsed))
}

// rcr is the receive control for the link and the filter as they are.
func (d *Device) rcr() uint32 {
	// Longer frames raise BABR and have LG set. QEMU counts rxPad too, hardware does not: what
	// is between the two is found by its length.
	v := uint32(rxPad+d.maxFrame()+fcsLen)<<rcrMaxFL | rcrMII | d.filter.rcr()
	if d.c.RMII {
		v |= rcrRMII
		if d.wire.Mbps == 10 {
			v |= rcrRMII10
		}
	}
	if !d.wire.FullDuplex {
		v |= rcrDRT
	}
	if d.wire.RxPause {
		v |= rcrFCE
	}
	return v
}

func tcr(s phy.Status) uint32 {
	if s.FullDuplex {
		return tcrFDEN
	}
	return 0
}

// writePause has PAUSE frames sent before the receive FIFO overflows, when that was agreed on (§22.6.5).
func (d *Device) writePause() {
	if !d.wire.TxPause {
		d.regs.Write32(regRSEM, 0) // no threshold, no PAUSE
		return
	}
	d.regs.Write32(regOPD, pauseQuanta)
	d.regs.Write32(regRSEM, rsemPause)
	d.regs.Write32(regRSFL, rsflPause)
	d.regs.Write32(regRAEM, raemPause)
	d.regs.Write32(regRAFL, raflPause)
}

const (
	// rxCoalesce frames, or rxCoalesceTime, make one interrupt: at 100 Mbit/s a
	// full-size frame comes every 123 µs, so only bursts of small ones wait.
	rxCoalesce     = 8
	rxCoalesceTime = 50 // µs
	txCoalesce     = 4
	txCoalesceTime = 500
)

// writeCoalescing sets interrupt coalescing (§22.5.15, §22.5.16).
func (d *Device) writeCoalescing() {
	for _, c := range []struct {
		reg        mmio.Offset
		frames, us uint32
	}{{regRXIC, rxCoalesce, rxCoalesceTime}, {regTXIC, txCoalesce, txCoalesceTime}} {
		ticks := min(max(c.us*uint32(d.c.Clock/1000)/64/1000, 1), 0xffff)
		d.regs.Write32(c.reg, icEnable|icSystemClock|c.frames<<icFrames|ticks)
	}
}
