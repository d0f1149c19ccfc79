// Package impair joins two ends of an Ethernet by a bad wire, which loses, delays, reorders and doubles frames, as
// Linux's netem does (tc-netem(8)), to see what a guest makes of it. QEMU's stream netdev is one kind of end.
//
// What happens to a frame follows from the seed and from how many frames came before it in its direction; when
// that is, follows from the traffic.
package impair

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// MaxFrame is the longest frame, in bytes, that a wire carries: what QEMU itself takes (QEMU include/net/net.h,
// NET_BUFSIZE).
const MaxFrame = 4096 + 65536

// An End sends and receives whole frames without FCS. One goroutine may receive while another sends. Close ends both.
type End interface {
	// Receive blocks for a frame and returns its length. The buffer holds MaxFrame.
	Receive(buf []byte) (int, error)
	Send(frame []byte) error
	Close() error
}

// Config is what a wire does to the frames of one direction. The zero value does nothing.
type Config struct {
	Seed      uint64
	Loss      float64       // share of frames that are lost, 0 to 1
	Burst     int           // frames that are lost in a row each time, of which Loss is then the share that begins one; 0 is 1
	Duplicate float64       // share of frames that arrive twice
	Delay     time.Duration // between an end and the other
	Jitter    time.Duration // by which the delay varies to either side
	Reorder   float64       // share of frames that are not delayed, and so overtake the others
	Limit     int           // frames on their way at once, more are lost; 0 is 1000, as with netem
}

// check says what cannot be done.
func (c Config) check() error {
	for _, s := range []struct {
		name  string
		share float64
	}{{"loss", c.Loss}, {"duplicate", c.Duplicate}, {"reorder", c.Reorder}} {
		if !(s.share >= 0 && s.share <= 1) {
			return fmt.Errorf("impair: %s is %v; allowed: 0 to 1", s.name, s.share)
		}
	}
	switch {
	case c.Delay < 0 || c.Jitter < 0 || c.Jitter > c.Delay:
		return fmt.Errorf("impair: delay is %v and jitter %v; allowed: a jitter of at most the delay", c.Delay, c.Jitter)
	case c.Reorder > 0 && c.Delay == 0:
		return errors.New("impair: reorder takes a delay, which the frames that overtake are spared")
	case c.Burst < 0:
		return fmt.Errorf("impair: burst is %d; allowed: a number of frames", c.Burst)
	case c.Limit < 0:
		return fmt.Errorf("impair: limit is %d; allowed: a number of frames", c.Limit)
	}
	return nil
}

// A fate is what becomes of one frame.
type fate struct {
	copies int // that arrive
	delay  time.Duration
}

// fates returns what becomes of one frame after the other. Each takes the same number of random numbers, so that a
// setting does not change what the others do.
func (c Config) fates() func() fate {
	r := rand.New(rand.NewPCG(c.Seed, 0))
	burst := 0 // frames that are still to be lost
	return func() fate {
		lost, doubled, overtakes, vary := r.Float64(), r.Float64(), r.Float64(), r.Float64()
		f := fate{copies: 1, delay: c.Delay + time.Duration((2*vary-1)*float64(c.Jitter))}
		if doubled < c.Duplicate {
			f.copies = 2
		}
		if burst == 0 && lost < c.Loss {
			burst = max(c.Burst, 1)
		}
		if burst > 0 {
			burst--
			f.copies = 0
		}
		if overtakes < c.Reorder {
			f.delay = 0
		}
		return f
	}
}

// Stats counts the frames of one direction.
type Stats struct {
	Received, Lost, Overflowed, Sent uint64
}

// Join carries frames between a and b as a Wire does, in each direction as its Config says. A Config that cannot be is an
// error at once, and both ends stay open.
func Join(ctx context.Context, a, b End, toB, toA Config) (bySide [2]Stats, err error) {
	w := NewWire(a, b)
	if err := w.Set(toB, toA); err != nil {
		return bySide, err
	}
	return w.Run(ctx)
}

// A Wire joins two ends. It is perfect until Set.
type Wire struct {
	a, b End
	ways [2]*direction // to b, to a
}

// NewWire returns the wire between a and b. Nothing is carried until Run.
func NewWire(a, b End) *Wire {
	return &Wire{a: a, b: b, ways: [2]*direction{newDirection(a, b, Config{}), newDirection(b, a, Config{})}}
}

// Set says what happens to frames from now on, in each direction, and begins the random numbers anew. Frames that are on
// their way arrive as was said before. Where the error is not nil, nothing has changed. It may be called at any time.
func (w *Wire) Set(toB, toA Config) error {
	if err := errors.Join(toB.check(), toA.check()); err != nil {
		return err
	}
	w.ways[0].set(toB)
	w.ways[1].set(toA)
	return nil
}

// Run carries frames until ctx is done or an end fails or is closed, and closes both ends. The error is nil where ctx or
// the close of an end is the reason.
func (w *Wire) Run(ctx context.Context) (bySide [2]Stats, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { w.a.Close(); w.b.Close() })
	defer stop()
	var all sync.WaitGroup
	for _, d := range w.ways {
		all.Go(func() { cancel(d.receive(ctx)) })
		all.Go(func() {
			if err := d.deliver(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	for i, d := range w.ways {
		bySide[i] = d.stats
	}
	err = context.Cause(ctx)
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return bySide, err
}

// A direction is half of a wire.
type direction struct {
	from, to End
	wake     chan struct{} // holds a token when queue has changed

	mu    sync.Mutex
	next  func() fate
	limit int
	queue queue
	order uint64
	stats Stats
}

func newDirection(from, to End, c Config) *direction {
	d := &direction{from: from, to: to, wake: make(chan struct{}, 1)}
	d.set(c)
	return d
}

func (d *direction) set(c Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next, d.limit = c.fates(), c.Limit
	if d.limit == 0 {
		d.limit = 1000
	}
}

// receive takes frames in and queues those that are to arrive.
func (d *direction) receive(ctx context.Context) error {
	for buf := make([]byte, MaxFrame); ctx.Err() == nil; {
		n, err := d.from.Receive(buf)
		if err != nil {
			return err
		}
		d.take(buf[:n], time.Now())
	}
	return ctx.Err()
}

// take takes a frame in.
func (d *direction) take(frame []byte, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enqueue(frame, d.next(), now)
}

// enqueue is take for a known fate, with d locked.
func (d *direction) enqueue(frame []byte, f fate, now time.Time) {
	d.stats.Received++
	if f.copies == 0 {
		d.stats.Lost++
	}
	for range f.copies {
		if len(d.queue) >= d.limit {
			d.stats.Overflowed++
			continue
		}
		d.order++
		heap.Push(&d.queue, &queued{due: now.Add(f.delay), order: d.order, frame: append([]byte(nil), frame...)})
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// deliver sends each frame when it is due.
func (d *direction) deliver(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		frame, wait := d.due(time.Now())
		if frame != nil {
			if err := d.to.Send(frame); err != nil {
				return err
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-d.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// due returns the next frame when it is due, or else how long to wait.
func (d *direction) due(now time.Time) ([]byte, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return nil, time.Hour
	}
	if wait := d.queue[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	d.stats.Sent++
	return heap.Pop(&d.queue).(*queued).frame, 0
}

// queued is a frame on its way.
type queued struct {
	due   time.Time
	order uint64 // of arrival, for frames that are due at once
	frame []byte
}

// queue is a heap by due time.
type queue []*queued

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*queued)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return x
}
