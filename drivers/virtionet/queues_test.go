package virtionet_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/pci"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
	"github.com/tamanet/tamanet/drivers/virtionet"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// queueHandler is a rig's handler for one pair, which notes what came by it.
type queueHandler struct {
	*rig
	mu    sync.Mutex
	texts []string
	busy  int
	most  int // calls at a time
	ready int
	links int
}

func (h *queueHandler) enter() func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy++
	h.most = max(h.most, h.busy)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.busy--
	}
}

func (h *queueHandler) Receive(f *nic.RxFrame) {
	defer h.enter()()
	h.rig.Receive(f)
	h.update(func() { h.texts = append(h.texts, h.received[len(h.received)-1]) })
}

func (h *queueHandler) TransmitReady() {
	defer h.enter()()
	h.update(func() { h.ready++ })
}

func (h *queueHandler) LinkChange(l nic.LinkState) {
	defer h.enter()()
	h.update(func() { h.links++ })
	h.rig.LinkChange(l)
}

// multi is a rig with several pairs.
type multi struct {
	*rig
	hs []*queueHandler
}

// vectored puts a device on PCI with n vectors, and returns its driver's side, whose lines are those of
// the vectors.
func vectored(t *testing.T, d *virtiotest.Device, n int) (*virtiotest.PCI, virtionet.Config) {
	t.Helper()
	p := virtiotest.NewPCI(d, n)
	tr, err := virtio.NewPCI(p.Scan())
	if err != nil {
		t.Fatal(err)
	}
	table, err := tr.MSIX()
	if err != nil {
		t.Fatal(err)
	}
	tr.UseMSIX(table, make([]pci.Message, n))
	c := virtionet.Config{Transport: tr, Memory: d.Mem, Interrupt: p.Lines[0]}
	for _, l := range p.Lines[1:] {
		c.QueueInterrupts = append(c.QueueInterrupts, l)
	}
	return p, c
}

// newMulti starts a driver with a handler for each of pairs, and an interrupt for each of vectors, if
// there are any.
func newMulti(t *testing.T, ring uint32, pairs, vectors int, f virtio.Features) *multi {
	t.Helper()
	m := &multi{rig: &rig{Net: virtionettest.NewPairs(testMAC, 1500, ring, pairs).Offer(f)}}
	m.cond.L = &m.rig.mu
	var err error
	if vectors == 0 {
		err = m.newDriver()
	} else {
		_, c := vectored(t, m.Device, vectors)
		c.Logf = m.logf
		m.dev, err = virtionet.New(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	var hs []nic.Handler
	for range m.dev.Queues() {
		h := &queueHandler{rig: m.rig}
		m.hs, hs = append(m.hs, h), append(hs, h)
	}
	used, err := m.dev.StartQueues(hs)
	if err != nil {
		t.Fatal(err)
	}
	m.hs = m.hs[:used]
	t.Cleanup(func() {
		if err := m.dev.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		m.Stop(t)
		if m.out != 0 {
			t.Errorf("%d receive buffers were not given back", m.out)
		}
		for i, h := range m.hs {
			if h.most > 1 {
				t.Errorf("handler %d was called %d times at once", i, h.most)
			}
		}
	})
	return m
}

// echoOn has a frame come up by one pair.
func (m *multi) echoOn(t *testing.T, pair int, text string) {
	t.Helper()
	m.spin(t, "a live device", func() bool { return m.DeliverTo(pair, virtionettest.Header{}, frame(text)) })
	m.wait(t, fmt.Sprintf("frame %q on pair %d", text, pair), func() bool {
		h := m.hs[pair]
		return len(h.texts) > 0 && h.texts[len(h.texts)-1] == text
	})
}

func TestQueues(t *testing.T) {
	for _, tc := range []struct {
		name                        string
		pairs, vectors, used, wants int
		offered                     virtio.Features
	}{
		{"one line for four pairs", 4, 0, 4, 4, every},
		{"a vector each", 4, 5, 4, 4, every},
		{"a vector each, split rings", 4, 5, 4, 4, every &^ virtio.FeatureRingPacked},
		{"fewer vectors than pairs", 4, 3, 2, 2, every},
		{"one pair with a vector", 1, 2, 1, 1, every},
		{"not offered", 4, 5, 1, 1, every &^ virtionet.FeatureMQ},
		{"without commands", 4, 0, 1, 1, every &^ virtionet.FeatureCtrlVQ},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMulti(t, 16, tc.pairs, tc.vectors, tc.offered)
			if n := m.dev.Queues(); n != tc.wants || len(m.hs) != tc.used {
				t.Fatalf("%d queues, %d used, want %d and %d", n, len(m.hs), tc.wants, tc.used)
			}
			if n := m.Pairs(); n != tc.used {
				t.Errorf("device was told to use %d pairs, want %d", n, tc.used)
			}
			queuesWork(t, m, "first")
			m.reset(t, m.NeedReset)
			queuesWork(t, m, "after a reset")
			m.SetLink(false)
			m.wait(t, "link down", func() bool { return m.hs[0].links == 1 })
		})
	}
}

// queuesWork passes frames through each pair in both directions.
func queuesWork(t *testing.T, m *multi, when string) {
	t.Helper()
	for i := range m.hs {
		m.echoOn(t, i, fmt.Sprint(when, i))
	}
	for i := range 2 * len(m.hs) {
		released := 0
		m.update(func() { released = m.released })
		if err := m.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: m.rig, Queue: uint32(i)}); err != nil {
			t.Fatal(err)
		}
		m.Work(func() {
			q := m.Queue(2*(i%len(m.hs)) + 1)
			c, ok, err := q.Next()
			if !ok || err != nil {
				t.Fatalf("%s: frame with Queue %d is not in pair %d: %v", when, i, i%len(m.hs), err)
			}
			q.Finish(uint32(c.Head), 0)
		})
		m.wait(t, "the frame's owner", func() bool { return m.released == released+1 })
	}
}

// TestQueuesAreServedSideBySide: while the handler of one pair is busy, frames come up by another.
func TestQueuesAreServedSideBySide(t *testing.T) {
	for _, tc := range []struct {
		name          string
		vectors, slow int
	}{{"one line, pair 0 busy", 0, 0}, {"one line, pair 1 busy", 0, 1}, {"vectors, pair 0 busy", 3, 0}, {"vectors, pair 1 busy", 3, 1}} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMulti(t, 16, 2, tc.vectors, every)
			inside, leave := make(chan struct{}), make(chan struct{})
			var once atomic.Bool
			m.update(func() {
				m.onReceive = func() {
					if once.CompareAndSwap(false, true) {
						close(inside)
						<-leave
					}
				}
			})
			m.DeliverTo(tc.slow, virtionettest.Header{}, frame("slow"))
			<-inside
			m.echoOn(t, 1-tc.slow, "fast")
			close(leave)
			m.wait(t, "the slow one", func() bool { return len(m.hs[tc.slow].texts) == 1 })
		})
	}
}

// TestFullQueueIsReadyByItself: back-pressure is each pair's own.
func TestFullQueueIsReadyByItself(t *testing.T) {
	m := newMulti(t, 16, 2, 3, every)
	sent := 0
	for ; m.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: m.rig, Queue: 1}) == nil; sent++ {
	}
	if err := m.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: m.rig}); err != nil {
		t.Errorf("with pair 1 full, Transmit to pair 0 = %v", err)
	}
	m.takeTx(t, 1)
	m.Work(func() {
		for range sent {
			c, _, _ := m.Queue(3).Next()
			m.Queue(3).Finish(uint32(c.Head), 0)
		}
	})
	m.wait(t, "TransmitReady of pair 1", func() bool { return m.hs[1].ready == 1 })
	if m.hs[0].ready != 0 {
		t.Error("TransmitReady of pair 0, which was never full")
	}
}

// TestNonsenseInOneQueueResetsAll: frames under way in each are accounted for.
func TestNonsenseInOneQueueResetsAll(t *testing.T) {
	for name, vectors := range map[string]int{"one line": 0, "vectors": 4} {
		t.Run(name, func(t *testing.T) {
			m := newMulti(t, 16, 3, vectors, every)
			for i := range 3 {
				if err := m.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: m.rig, Queue: uint32(i)}); err != nil {
					t.Fatal(err)
				}
			}
			m.reset(t, func() { m.Work(func() { m.Queue(4).Finish(4711, 60) }) })
			m.wait(t, "all owners", func() bool { return m.released == 3 })
			queuesWork(t, m, "afterwards")
			if s := m.dev.Stats(); s.Resets != 1 || s.RingErrors != 1 || s.TxErrors != 3 {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

// TestQueueWithoutAVector: a device that has no resources for a pair's vector is used without the pair.
func TestQueueWithoutAVector(t *testing.T) {
	for refused, used := range map[int]int{0: -1, 1: -1, 2: 1, 3: 2} {
		r := &rig{Net: virtionettest.NewPairs(testMAC, 1500, 16, 3).Offer(every)}
		r.cond.L = &r.mu
		v, c := vectored(t, r.Device, 4)
		v.RefuseVector = func(v uint16) bool { return int(v) == refused }
		c.Logf = r.logf
		d, err := virtionet.New(c)
		if used < 0 {
			if !errors.Is(err, virtio.ErrQueue) {
				t.Errorf("vector %d refused: New = %v", refused, err)
			}
			r.Stop(t)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, err := d.StartQueues([]nic.Handler{r, r, r}); n != used || err != nil {
			t.Errorf("vector %d refused: %d pairs are used, %v, want %d", refused, n, err, used)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		r.Stop(t)
		if r.out != 0 {
			t.Errorf("%d receive buffers were not given back", r.out)
		}
	}
}

// TestHostilePairs has a device lie about how many it has.
func TestHostilePairs(t *testing.T) {
	for _, pairs := range []uint16{0, 0x8001, 0xffff, 0x8000} {
		r := &rig{Net: virtionettest.NewPairs(testMAC, 1500, 16, 2).Offer(every)}
		r.cond.L = &r.mu
		r.Config[8], r.Config[9] = byte(pairs), byte(pairs>>8)
		err := r.newDriver()
		if pairs == 0x8000 {
			// As many as there can be: then the control queue is not where it should be.
			if !errors.Is(err, virtio.ErrQueue) {
				t.Errorf("%d pairs: New = %v", pairs, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := r.dev.Queues(); n != 1 || r.Accepted().Has(virtionet.FeatureMQ) {
			t.Errorf("%d pairs: driver would use %d", pairs, n)
		}
		if _, err := r.dev.StartQueues([]nic.Handler{r, r}); err == nil {
			t.Error("started with more handlers than queues")
		}
		if err := r.dev.Start(r); err != nil {
			t.Fatal(err)
		}
		r.echo(t, "alive")
		r.dev.Close()
		r.Stop(t)
	}
}

// TestQueuesConcurrently sends on all pairs and receives on all, with resets meanwhile.
func TestQueuesConcurrently(t *testing.T) {
	for name, vectors := range map[string]int{"one line": 0, "vectors": 4} {
		t.Run(name, func(t *testing.T) {
			m := newMulti(t, 16, 3, vectors, every)
			m.Start(func([]byte) {})
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					for n := range 500 {
						err := m.dev.Transmit(&nic.TxFrame{Parts: [][]byte{frame("x")}, Owner: m.rig, Queue: uint32(i)})
						if err != nil && err != nic.ErrFull {
							t.Error(err)
						}
						m.DeliverTo(i, virtionettest.Header{}, frame("y"))
						if i == 0 && n%100 == 99 {
							m.NeedReset()
						}
					}
				})
			}
			wg.Wait()
			for i := range 3 {
				// More than once: a reset may still be under way, which loses frames.
				m.spin(t, "a frame that comes up", func() (ok bool) {
					m.DeliverTo(i, virtionettest.Header{}, frame("alive"))
					m.update(func() { h := m.hs[i]; ok = len(h.texts) > 0 && h.texts[len(h.texts)-1] == "alive" })
					return ok
				})
			}
		})
	}
}
