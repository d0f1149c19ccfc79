package virtionet

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
)

// pair is a receive and a transmit queue.
type pair struct {
	d     *Device
	index int
	// irq wakes the goroutine that polls.
	irq     nic.Interrupt
	handler nic.Handler

	// rx is touched by that goroutine alone while it runs.
	rx struct {
		q *virtio.Queue
		// bufs are the buffers with the device, by head.
		bufs []nic.Buffer
		// frame is the one that is being received, size its bytes so far, missing
		// how many buffers it still lacks; skip says that it is lost already.
		frame   nic.RxFrame
		header  header
		size    int
		missing int
		skip    bool
		// renewed is how many buffers were replaced since the device was last asked whether
		// it waits for some.
		renewed int
		seg     [1]virtio.Segment
	}

	// mu guards tx and the queue's counters, and reading the Device's state. It is not held over a
	// call to an Owner or the Handler.
	mu sync.Mutex
	tx struct {
		q      *virtio.Queue
		owners []nic.Owner // with the device, by head
		// headers has headerSlot bytes for each descriptor: that of a
		// frame is at its head's.
		headers *dma.Block
		segs    [maxParts + 1]virtio.Segment
		// stopped is set from ErrFull until TransmitReady.
		stopped bool
		// polling is set while the goroutine polls: it will look at this ring before it sleeps.
		polling bool
		// timer wakes the goroutine when frames have waited to be taken
		// back; timing is set while it runs, late once it has. taken is how many the device had
		// sent when it was set.
		timer  *time.Timer
		timing bool
		late   bool
		taken  uint64
	}

	stats counters
}

// The numbers of the pair's queues (§5.1.2).
func (p *pair) rxIndex() int { return 2 * p.index }
func (p *pair) txIndex() int { return 2*p.index + 1 }

// setVectors assigns the pair's interrupt to its queues, which are not enabled.
func (p *pair) setVectors() error {
	if !p.d.vectored {
		return nil
	}
	t := p.d.t.(virtio.QueueInterrupter)
	if err := t.SetQueueVector(p.rxIndex(), p.index+1); err != nil {
		return err
	}
	return t.SetQueueVector(p.txIndex(), p.index+1)
}

// open makes the rings, which have to be as large as pair 0's: what is told of the Device goes for
// all pairs. After an error the rings' memory must not be freed before a reset.
func (p *pair) open() (err error) {
	d := p.d
	if err := p.setVectors(); err != nil {
		return err
	}
	if p.rx.q, err = virtio.NewQueue(d.t, d.mem, p.rxIndex(), d.rxQueue, d.features); err != nil {
		return err
	}
	if p.tx.q, err = virtio.NewQueue(d.t, d.mem, p.txIndex(), d.txQueue, d.features); err != nil {
		return err
	}
	n := p.tx.q.Size()
	if least := max(2, d.info.MaxParts+1); n < 2 || p.index > 0 && n < least {
		return fmt.Errorf("%w: a transmit queue of %d descriptors cannot hold a frame", virtio.ErrQueue, n)
	}
	if p.tx.headers, err = d.mem.Alloc(headerSlot*n, headerSlot); err != nil {
		return err
	}
	if d.features.Has(virtio.FeatureIndirectDesc) {
		if err := p.tx.q.UseIndirect(maxParts + 1); err != nil {
			return err
		}
	}
	p.rx.bufs = make([]nic.Buffer, p.rx.q.Size())
	p.tx.owners = make([]nic.Owner, n)
	p.rx.frame.Parts = make([]nic.RxPart, 0, maxRxParts)
	p.tx.q.DisableInterrupts()
	p.tx.q.Watch()
	return nil
}

// setIRQ changes what wakes the pair's goroutine, before that runs.
func (p *pair) setIRQ(irq nic.Interrupt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.irq = irq
}

// start prepares the pair for use, but for what the whole device does.
func (p *pair) start(h nic.Handler) error {
	p.handler = h
	if p.tx.owners == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	p.tx.timer = time.AfterFunc(time.Hour, p.txTimer)
	p.tx.timer.Stop()
	return p.fillRx()
}

func (p *pair) freeMemory() {
	for _, q := range []*virtio.Queue{p.rx.q, p.tx.q} {
		if q != nil {
			q.Close()
		}
	}
	if p.tx.headers != nil {
		p.d.mem.Free(p.tx.headers)
	}
}

// refill gives the buffers of before a reset to the device again, or, with use false, back to the Handler.
func (p *pair) refill(use bool) (err error) {
	for _, b := range p.drainRx() {
		if use && err == nil {
			err = p.addRx(b)
		}
		if !use || err != nil {
			b.Release()
		}
	}
	p.tx.q.DisableInterrupts()
	p.rx.q.DisableInterrupts()
	return err
}

// run is the pair's goroutine, if it has one.
func (p *pair) run() {
	for p.poll() {
		if !p.irq.Wait() {
			p.d.ask(errLineClosed)
			return
		}
		p.stats.interrupts.Add(1)
	}
}

// poll serves both rings until they are empty and says whether the pair goes on.
func (p *pair) poll() bool {
	late, ok := p.beginPoll()
	if !ok {
		return false
	}
	p.rx.q.DisableInterrupts()
	// others is set when the rings were empty and the others had their turn.
	for others := false; ; {
		if p.index == 0 && p.d.configDue.Swap(false) {
			p.d.configChanged()
		}
		received, err := p.receive(pollBudget)
		sent := 0
		if err == nil {
			sent, err = p.pollTx()
		}
		switch {
		case err != nil:
			p.d.ask(err)
			return false
		case received == pollBudget:
			// There is no sysmon to take the processor away from here.
			p.kickRx()
			runtime.Gosched()
		case received != 0 || sent != 0:
			others = false
		case !others:
			// While those are busy that were woken by what came, more comes, and what they
			// send leaves: it needs no interrupt.
			others = true
			p.kickRx()
			runtime.Gosched()
		default:
			// Both rings are looked at once more after their interrupts are on.
			p.rx.renewed = 0
			if !p.rx.q.EnableInterrupts() && !p.endPoll(late) {
				return true
			}
			p.rx.q.DisableInterrupts()
		}
		if !p.running() {
			return false
		}
	}
}

func (p *pair) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.d.state == stateRunning
}

// line is an interrupt of software alone, for a pair without another.
type line chan struct{}

func newLine() line { return make(line, 1) }

// Wait implements nic.Interrupt. Nobody closes the line: who waits is woken to see the state.
func (l line) Wait() bool {
	<-l
	return true
}

// Wake implements nic.Interrupt.
func (l line) Wake() {
	select {
	case l <- struct{}{}:
	default:
	}
}
