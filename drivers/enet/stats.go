package enet

import (
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/mmio"
	"github.com/tamanet/tamanet/drivers/nic"
)

// faultEvents are the faults that are counted, by their bits in EIR.
var faultEvents = [...]struct {
	event events
	name  string
}{
	{eventBABR, "rx_babbling"},
	{eventBABT, "tx_babbling"},
	{eventEBERR, "bus_errors"},
	{eventLC, "tx_late_collisions"},
	{eventRL, "tx_retry_limit"},
	{eventUN, "tx_fifo_underruns"},
	{eventPLR, "rx_payload_errors"},
}

// counters are what the driver itself counts.
type counters struct {
	rxFrames, rxBytes, rxNoBuffer, rxLength, rxFCS, rxOverrun atomic.Uint64
	txFrames, txBytes, txFull, txInvalid, txErrors            atomic.Uint64
	txChecksum                                                atomic.Uint64
	interrupts, kicks, kicksSaved, ringErrors, resets         atomic.Uint64
	faults                                                    [len(faultEvents)]atomic.Uint64
}

// Stats implements nic.Statistics.
func (d *Device) Stats() nic.Stats {
	c := &d.stats
	return nic.Stats{
		RxFrames:   c.rxFrames.Load(),
		RxBytes:    c.rxBytes.Load(),
		RxNoBuffer: c.rxNoBuffer.Load(),
		RxLength:   c.rxLength.Load(),
		RxFCS:      c.rxFCS.Load(),
		RxOverrun:  c.rxOverrun.Load(),
		TxFrames:   c.txFrames.Load(),
		TxBytes:    c.txBytes.Load(),
		TxChecksum: c.txChecksum.Load(),
		TxFull:     c.txFull.Load(),
		TxInvalid:  c.txInvalid.Load(),
		TxErrors:   c.txErrors.Load(),
		Interrupts: c.interrupts.Load(),
		Kicks:      c.kicks.Load(),
		KicksSaved: c.kicksSaved.Load(),
		RingErrors: c.ringErrors.Load(),
		Resets:     c.resets.Load(),
	}
}

// mib are the MAC's own statistics (IMX6ULLRM §22.5, Table 22-4), which count since it was last started.
var mib = [...]struct {
	reg  mmio.Offset
	name string
}{
	{0x204, "tx_packets_phy"},
	{0x208, "tx_broadcast"},
	{0x20c, "tx_multicast"},
	{0x210, "tx_crc_errors"},
	{0x214, "tx_undersize"},
	{0x218, "tx_oversize"},
	{0x224, "tx_collisions"},
	{0x258, "tx_deferred"},
	{0x25c, "tx_late_collisions_phy"},
	{0x260, "tx_excessive_collisions"},
	{0x264, "tx_mac_errors"},
	{0x268, "tx_carrier_errors"},
	{0x270, "tx_pause"},
	{0x284, "rx_packets_phy"},
	{0x288, "rx_broadcast"},
	{0x28c, "rx_multicast"},
	{0x290, "rx_crc_errors_phy"},
	{0x294, "rx_undersize"},
	{0x298, "rx_oversize"},
	{0x29c, "rx_fragments"},
	{0x2a0, "rx_jabber"},
	{0x2c8, "rx_dropped_phy"},
	{0x2d0, "rx_crc_errors_mac"},
	{0x2d4, "rx_alignment_errors"},
	{0x2d8, "rx_fifo_overflows"},
	{0x2dc, "rx_pause"},
}

// EachCounter calls f with the name and the value of what there is besides Stats:
// faults that the driver has counted, and the MAC's own statistics (MIB), of 32 bits, which
// are zero where QEMU plays the MAC. It reads registers.
func (d *Device) EachCounter(f func(name string, value uint64)) {
	for i := range faultEvents {
		f(faultEvents[i].name, d.stats.faults[i].Load())
	}
	d.mu.Lock()
	live := d.state == stateRunning
	d.mu.Unlock()
	if !live {
		return
	}
	for _, m := range mib {
		f(m.name, uint64(d.regs.Read32(m.reg)))
	}
}
