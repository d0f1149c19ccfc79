package virtionet

import (
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/nic"
)

// counters are what the driver itself counts of nic.Stats.
type counters struct {
	rxFrames, rxBytes, rxNoBuffer, rxLength, rxOffload, rxChecksum, rxSegmented atomic.Uint64
	txFrames, txBytes, txFull, txInvalid, txUnmapped, txErrors                  atomic.Uint64
	txChecksum, txSegmented                                                     atomic.Uint64
	interrupts, resets                                                          atomic.Uint64
}

// Stats implements nic.Statistics.
func (d *Device) Stats() nic.Stats {
	c, rx, tx := &d.stats, d.rx.q.Stats(), d.tx.q.Stats()
	return nic.Stats{
		RxFrames:    c.rxFrames.Load(),
		RxBytes:     c.rxBytes.Load(),
		RxNoBuffer:  c.rxNoBuffer.Load(),
		RxLength:    c.rxLength.Load(),
		RxOffload:   c.rxOffload.Load(),
		RxChecksum:  c.rxChecksum.Load(),
		RxSegmented: c.rxSegmented.Load(),
		TxFrames:    c.txFrames.Load(),
		TxBytes:     c.txBytes.Load(),
		TxChecksum:  c.txChecksum.Load(),
		TxSegmented: c.txSegmented.Load(),
		TxFull:      c.txFull.Load(),
		TxInvalid:   c.txInvalid.Load(),
		TxUnmapped:  c.txUnmapped.Load(),
		TxErrors:    c.txErrors.Load(),
		Interrupts:  c.interrupts.Load(),
		Kicks:       rx.Kicks + tx.Kicks,
		KicksSaved:  rx.KicksSaved + tx.KicksSaved,
		RingErrors:  rx.BadUsed + rx.BadIndex + rx.BadLength + tx.BadUsed + tx.BadIndex + tx.BadLength,
		Resets:      c.resets.Load(),
	}
}
