package virtionet_test

import (
	"sync/atomic"
	"testing"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtionet/virtionettest"
)

// benchHandler hands out the same few buffers again.
type benchHandler struct {
	free     chan *benchBuffer
	received atomic.Int64
	done     chan struct{}
	want     int64
}

type benchBuffer struct {
	h   *benchHandler
	mem []byte
}

func (b *benchBuffer) Bytes() []byte { return b.mem }
func (b *benchBuffer) Release()      { b.h.free <- b }

func newBenchHandler() *benchHandler {
	h := &benchHandler{free: make(chan *benchBuffer, 1024), done: make(chan struct{}, 1)}
	for range cap(h.free) {
		h.free <- &benchBuffer{h, make([]byte, 2048)}
	}
	return h
}

func (h *benchHandler) Buffer(int) nic.Buffer    { return <-h.free }
func (h *benchHandler) TransmitReady()           { h.done <- struct{}{} }
func (h *benchHandler) LinkChange(nic.LinkState) {}
func (h *benchHandler) Receive(f *nic.RxFrame) {
	f.Parts[0].Buffer.Release()
	if h.received.Add(1) == h.want {
		h.done <- struct{}{}
	}
}

type benchOwner struct{}

func (benchOwner) DecRef() {}

// BenchmarkTransmit sends 1514-byte frames of two parts; the fake device's copy is in the
// figure.
func BenchmarkTransmit(b *testing.B) {
	n := virtionettest.New(testMAC, 1500, 256)
	d := n.NewDriver(b)
	h := newBenchHandler()
	if err := d.Start(h); err != nil {
		b.Fatal(err)
	}
	n.Start(func([]byte) {})
	f := nic.TxFrame{Parts: [][]byte{make([]byte, 54), make([]byte, 1460)}, Owner: benchOwner{}}
	b.ReportAllocs()
	b.SetBytes(1514)
	for b.Loop() {
		for d.Transmit(&f) != nil {
			<-h.done
		}
	}
	d.Close()
	n.Stop(b)
}

// BenchmarkReceive receives 1514-byte frames; the fake device's copy is in the figure.
func BenchmarkReceive(b *testing.B) {
	n := virtionettest.New(testMAC, 1500, 256)
	d := n.NewDriver(b)
	h := newBenchHandler()
	h.want = int64(b.N)
	if err := d.Start(h); err != nil {
		b.Fatal(err)
	}
	n.Start(func([]byte) {})
	frame := make([]byte, 1514)
	b.ReportAllocs()
	b.SetBytes(1514)
	b.ResetTimer()
	for range b.N {
		n.DeliverWait(frame)
	}
	<-h.done
	b.StopTimer()
	d.Close()
	n.Stop(b)
}
