package virtionet

import (
	"sync/atomic"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// counters are what the driver itself counts of nic.Stats.
type counters struct {
	rxFrames, rxBytes, rxNoBuffer, rxLength, rxOffload, rxChecksum, rxSegmented atomic.Uint64
	txFrames, txBytes, txFull, txInvalid, txUnmapped, txErrors                  atomic.Uint64
	txChecksum, txSegmented                                                     atomic.Uint64
	txTimeouts, interrupts                                                      atomic.Uint64
}

// Stats implements nic.Statistics.
func (d *Device) Stats() nic.Stats {
	s := nic.Stats{Interrupts: d.stats.interrupts.Load(), Resets: d.stats.resets.Load()}
	for _, p := range d.inUse() {
		p.addStats(&s)
	}
	if q := d.ctrl.q; q != nil {
		addQueue(&s, q)
	}
	return s
}

// QueueStats implements nic.QueueStatistics.
func (d *Device) QueueStats() []nic.Stats {
	pairs := d.inUse()
	stats := make([]nic.Stats, len(pairs))
	for i, p := range pairs {
		p.addStats(&stats[i])
	}
	return stats
}

func (p *pair) addStats(s *nic.Stats) {
	c := &p.stats
	s.RxFrames += c.rxFrames.Load()
	s.RxBytes += c.rxBytes.Load()
	s.RxNoBuffer += c.rxNoBuffer.Load()
	s.RxLength += c.rxLength.Load()
	s.RxOffload += c.rxOffload.Load()
	s.RxChecksum += c.rxChecksum.Load()
	s.RxSegmented += c.rxSegmented.Load()
	s.TxFrames += c.txFrames.Load()
	s.TxBytes += c.txBytes.Load()
	s.TxChecksum += c.txChecksum.Load()
	s.TxSegmented += c.txSegmented.Load()
	s.TxFull += c.txFull.Load()
	s.TxInvalid += c.txInvalid.Load()
	s.TxUnmapped += c.txUnmapped.Load()
	s.TxErrors += c.txErrors.Load()
	s.TxTimeouts += c.txTimeouts.Load()
	s.Interrupts += c.interrupts.Load()
	addQueue(s, p.rx.q)
	addQueue(s, p.tx.q)
}

func addQueue(s *nic.Stats, q *virtio.Queue) {
	n := q.Stats()
	s.Kicks += n.Kicks
	s.KicksSaved += n.KicksSaved
	s.RingErrors += n.BadUsed + n.BadIndex + n.BadLength
}
