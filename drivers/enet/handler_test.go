package enet_test

import (
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/enet"
	"github.com/tamanet/tamanet/drivers/enet/enettest"
	"github.com/tamanet/tamanet/drivers/nic"
)

const deadline = 10 * time.Second

// handler records what a Device says.
type handler struct {
	mu       sync.Mutex
	cond     *sync.Cond
	frames   [][]byte
	good     []bool
	links    []nic.LinkState
	ready    int
	out      int
	starve   bool
	misalign int
}

func newHandler() *handler {
	h := new(handler)
	h.cond = sync.NewCond(&h.mu)
	return h
}

type buffer struct {
	h   *handler
	mem []byte
}

func (b *buffer) Bytes() []byte { return b.mem }
func (b *buffer) Release()      { b.h.update(func() { b.h.out-- }) }

func (h *handler) update(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.cond.Broadcast()
}

func (h *handler) Buffer(n int) nic.Buffer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.starve {
		return nil
	}
	h.out++
	return &buffer{h, make([]byte, n+h.misalign)[h.misalign:]}
}

func (h *handler) Receive(f *nic.RxFrame) {
	p := f.Parts[0]
	h.update(func() {
		h.frames = append(h.frames, append([]byte(nil), p.Buffer.Bytes()[p.Off:p.Off+p.Len]...))
		h.good = append(h.good, f.ChecksumGood)
		h.out--
	})
}

func (h *handler) TransmitReady()             { h.update(func() { h.ready++ }) }
func (h *handler) LinkChange(l nic.LinkState) { h.update(func() { h.links = append(h.links, l) }) }

// wait waits until cond holds, which is evaluated with the lock held.
func (h *handler) wait(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	late := false
	timer := time.AfterFunc(deadline, func() { h.update(func() { late = true }) })
	defer timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for !cond() {
		if late {
			tb.Fatalf("after %v still waiting for %s", deadline, what)
		}
		h.cond.Wait()
	}
}

// start starts a driver on m, and closes it when the test ends.
func start(tb testing.TB, m *enettest.MAC, h *handler, change func(*enet.Config)) *enet.Device {
	tb.Helper()
	c := m.Config(tb)
	if change != nil {
		change(&c)
	}
	d, err := enet.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	if err := d.Start(h); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
		m.Finish(tb)
		if h.out != 0 {
			tb.Errorf("%d buffers were not given back", h.out)
		}
	})
	return d
}

// owner is a frame's Owner that counts.
type owner struct {
	h    *handler
	done int
}

func (o *owner) DecRef() { o.h.update(func() { o.done++ }) }

// aligned returns n bytes that begin at a multiple of 64.
func aligned(n int) []byte { return make([]byte, (n+2047)&^2047)[:n] }
