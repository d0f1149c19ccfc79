package cdcecm_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/cdcecm"
	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/nic/nictest"
)

const dataInterface = 1

// host is a USB host, with the controller in between.
type host struct {
	tb   testing.TB
	d    *cdcecm.Device
	mem  []byte // that Out wants filled
	sent func([]byte)

	stop chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex
	cond *sync.Cond
	hold bool
}

func newHost(tb testing.TB, sent func([]byte)) *host {
	tb.Helper()
	d, err := cdcecm.New(cdcecm.Config{Logf: tb.Logf})
	if err != nil {
		tb.Fatal(err)
	}
	h := &host{tb: tb, d: d, sent: sent, stop: make(chan struct{})}
	h.cond = sync.NewCond(&h.mu)
	h.configure(true)
	h.mem, _ = d.Out(nil, nil)
	h.wg.Go(h.fetch)
	return h
}

// configure does what a host's driver does when it comes, or goes.
func (h *host) configure(up bool) {
	h.d.Setup(cdcecm.Request{Request: 9, Value: 1}, dataInterface)
	if up {
		h.d.Setup(cdcecm.Request{Type: 1, Request: 11, Value: 1, Index: dataInterface}, dataInterface)
	}
}

// fetch is the bulk IN endpoint.
func (h *host) fetch() {
	for {
		select {
		case <-h.stop:
			return
		default:
		}
		b, err := h.d.In(nil, nil)
		if err != nil {
			h.tb.Errorf("In = %v", err)
			return
		}
		h.mu.Lock()
		for h.hold {
			h.cond.Wait()
		}
		h.mu.Unlock()
		if len(b) > 0 {
			h.sent(b)
		}
	}
}

func (h *host) stall(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hold = on
	h.cond.Broadcast()
}

// send is a bulk OUT transfer.
func (h *host) send(f []byte) { h.mem, _ = h.d.Out(h.mem[:copy(h.mem, f)], nil) }

func (h *host) finish() {
	h.stall(false)
	close(h.stop)
	h.wg.Wait()
}

func TestConformance(t *testing.T) {
	nictest.Run(t, func(tb testing.TB, sent func([]byte)) *nictest.Fixture {
		h := newHost(tb, sent)
		return &nictest.Fixture{
			Device: h.d, Send: h.send, Stall: h.stall,
			SetLink: h.configure,
			Check:   func(testing.TB) { h.finish() },
		}
	})
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, c := range []cdcecm.Config{
		{MAC: nic.MAC{1}},
		{HostMAC: nic.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{MAC: nic.MAC{2}, HostMAC: nic.MAC{2}},
		{MAC: cdcecm.DefaultHostMAC},
	} {
		if _, err := cdcecm.New(c); err == nil {
			t.Errorf("%v and %v were taken", c.MAC, c.HostMAC)
		}
	}
	d, err := cdcecm.New(cdcecm.Config{HostMAC: nic.MAC{2, 0xab, 0, 9, 0x10, 0xff}})
	if err != nil || d.HostMAC() != "02AB000910FF" {
		t.Errorf("HostMAC is %q, %v", d.HostMAC(), err)
	}
}

// handler is a nic.Handler that sends what it gets to channels.
type handler struct {
	frames chan []byte
	links  chan bool
	ready  chan struct{}
}

func newHandler() *handler {
	return &handler{make(chan []byte, 100), make(chan bool, 10), make(chan struct{}, 10)}
}

type buffer []byte

func (b buffer) Bytes() []byte { return b }
func (b buffer) Release()      {}

func (h *handler) Buffer(n int) nic.Buffer { return make(buffer, n) }
func (h *handler) Receive(f *nic.RxFrame) {
	p := f.Parts[0]
	h.frames <- bytes.Clone(p.Buffer.Bytes()[p.Off : p.Off+p.Len])
}
func (h *handler) TransmitReady()             { h.ready <- struct{}{} }
func (h *handler) LinkChange(l nic.LinkState) { h.links <- l.Up }

type owner struct{}

func (owner) DecRef() {}

func start(t *testing.T) (*host, *handler) {
	t.Helper()
	h, up := newHost(t, func([]byte) {}), newHandler()
	if err := h.d.Start(up); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.d.Close(); err != nil {
			t.Error(err)
		}
		h.finish()
	})
	return h, up
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("")
	}
}

func TestLinkFollowsTheHost(t *testing.T) {
	h, up := start(t)
	for _, tc := range []struct {
		name string
		do   func()
		want bool
	}{
		{"configuration", func() { h.d.Setup(cdcecm.Request{Request: 9, Value: 1}, dataInterface) }, false},
		{"setting 1", func() { h.d.Setup(cdcecm.Request{Type: 1, Request: 11, Value: 1, Index: 1}, dataInterface) }, true},
		{"setting 0", func() { h.d.Setup(cdcecm.Request{Type: 1, Request: 11, Index: 1}, dataInterface) }, false},
		{"setting 1 again", func() { h.configure(true) }, true},
		{"unplugged", h.d.Disconnected, false},
	} {
		tc.do()
		if got := receive(t, up.links); got != tc.want || h.d.Link().Up != tc.want {
			t.Errorf("%s: link is %v, want %v", tc.name, got, tc.want)
		}
	}
	for _, r := range []cdcecm.Request{
		{Type: 1, Request: 11, Value: 1, Index: 0},                   // another interface
		{Type: 1, Request: 11, Value: 2, Index: 1},                   // a setting that there is not
		{Type: 0x21, Request: 11, Value: 1, Index: 1},                // of the class
		{Type: 0x21, Request: 0x43, Value: 0x0f, Index: 0},           // SET_ETHERNET_PACKET_FILTER
		{Type: 0xff, Request: 0xff, Value: 0xffff, Index: 0xffff},    // nonsense
		{Type: 0x80, Request: 6, Value: 0x100, Index: 0, Length: 18}, // GET_DESCRIPTOR
	} {
		if h.d.Setup(r, dataInterface); h.d.Link().Up {
			t.Errorf("%+v brought the link up", r)
		}
	}
}

func TestNotifications(t *testing.T) {
	h, _ := start(t)
	h.d.Disconnected()
	notify := h.d.Notify(0)
	for _, tc := range []struct {
		up   bool
		want []byte
	}{
		{false, nil},
		{true, []byte{0xa1, 0, 1, 0, 0, 0, 0, 0}},
		{true, nil},
		{false, []byte{0xa1, 0, 0, 0, 0, 0, 0, 0}},
	} {
		h.configure(tc.up)
		if b, err := notify(nil, nil); err != nil || !bytes.Equal(b, tc.want) {
			t.Errorf("up %v: % x, %v, want % x", tc.up, b, err, tc.want)
		}
	}
}

func TestBadTransfersAreCountedAndSurvived(t *testing.T) {
	h, up := start(t)
	for _, n := range []int{1, 13, 1519, 2048} {
		h.send(make([]byte, n))
	}
	h.mem, _ = h.d.Out(nil, errors.New("babble"))
	h.mem, _ = h.d.Out(h.mem[:0], nil)
	good := bytes.Repeat([]byte{7}, 1514)
	h.send(good)
	if got := receive(t, up.frames); !bytes.Equal(got, good) {
		t.Errorf("%d bytes came", len(got))
	}
	if s := h.d.Stats(); s.RxLength != 4 || s.RxFrames != 1 {
		t.Errorf("%+v, want 4 of bad length and 1 good", s)
	}
}

func TestFramesForAHostThatIsGoneAreDropped(t *testing.T) {
	h, up := start(t)
	h.stall(true)
	f := nic.TxFrame{Parts: [][]byte{make([]byte, 60)}, Owner: owner{}}
	for h.d.Transmit(&f) == nil {
	}
	h.d.Disconnected()
	receive(t, up.ready)
	for range 200 {
		if err := h.d.Transmit(&f); err != nil {
			t.Fatalf("Transmit while the link is down = %v", err)
		}
	}
	if s := h.d.Stats(); s.TxErrors < 250 {
		t.Errorf("%d frames were dropped, want at least the ring's and 200", s.TxErrors)
	}
}

// FuzzHost has the host send anything.
func FuzzHost(f *testing.F) {
	f.Add([]byte{0, 9, 1, 0, 0, 0}, []byte("a frame of some bytes"))
	f.Add([]byte{1, 11, 1, 0, 1, 0}, make([]byte, 2048))
	f.Fuzz(func(t *testing.T, r, frame []byte) {
		d, err := cdcecm.New(cdcecm.Config{Logf: func(string, ...any) {}})
		if err != nil {
			t.Fatal(err)
		}
		up := newHandler()
		if err := d.Start(up); err != nil {
			t.Fatal(err)
		}
		for ; len(r) >= 6; r = r[6:] {
			d.Setup(cdcecm.Request{Type: r[0], Request: r[1], Value: uint16(r[2]) | uint16(r[3])<<8, Index: uint16(r[4]) | uint16(r[5])<<8}, dataInterface)
		}
		mem, _ := d.Out(nil, nil)
		d.Out(mem[:copy(mem, frame)], nil)
		d.Close()
		select {
		case got := <-up.frames:
			if len(got) < nic.HeaderLen || len(got) > 1518 || !bytes.Equal(got, frame) {
				t.Errorf("a frame of %d bytes came up as %d", len(frame), len(got))
			}
		default:
		}
	})
}
