package link_test

import (
	"bytes"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/net/link"
)

const (
	ourMAC   = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01")
	otherMAC = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02")
	protocol = tcpip.NetworkProtocolNumber(0x88b5)
)

// device is a nic.Device in the test's hands: it calls the handler only when the test does.
type device struct {
	info     nic.Info
	h        nic.Handler
	startErr error
	closed   bool

	mu     sync.Mutex
	err    error
	room   int // frames that fit; -1 for any number
	frames [][]byte
	parts  []int
	more   []bool
	owners []nic.Owner
	promis []bool
	// during, when set, is called once in Transmit after skip calls of it, without the
	// lock: another goroutine's doing.
	during func()
	skip   int
}

func newDevice() *device {
	return &device{info: nic.Info{Name: "test", MAC: nic.MAC{2, 0, 0, 0, 0, 1}, MTU: 1500, MaxParts: 4}, room: -1}
}

func (d *device) Info() nic.Info      { return d.info }
func (d *device) Link() nic.LinkState { return nic.LinkState{Up: true} }

func (d *device) Start(h nic.Handler) error {
	d.h = h
	return d.startErr
}

func (d *device) Transmit(f *nic.TxFrame) error {
	err := d.transmit(f)
	if d.during != nil {
		if d.skip--; d.skip < 0 {
			f := d.during
			d.during = nil
			f()
		}
	}
	return err
}

func (d *device) transmit(f *nic.TxFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return nic.ErrClosed
	case d.err != nil:
		return d.err
	case d.room == 0:
		return nic.ErrFull
	}
	d.room--
	d.frames = append(d.frames, bytes.Join(f.Parts, nil))
	d.parts = append(d.parts, len(f.Parts))
	d.more = append(d.more, f.More)
	d.owners = append(d.owners, f.Owner)
	return nil
}

func (d *device) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.complete()
	return nil
}

func (d *device) SetPromiscuous(on bool) error {
	d.promis = append(d.promis, on)
	return nil
}

// complete releases the frames, as a device does that has sent them.
func (d *device) complete() {
	d.mu.Lock()
	owners := d.owners
	d.owners = nil
	d.mu.Unlock()
	for _, o := range owners {
		o.DecRef()
	}
}

// setRoom makes room for n more frames and says so.
func (d *device) setRoom(n int) {
	d.mu.Lock()
	d.room = n
	d.mu.Unlock()
	d.h.TransmitReady()
}

// receive hands frame up in parts of the given lengths, the rest in the last, with off
// bytes before each.
func (d *device) receive(frame []byte, off int, lengths ...int) {
	var f nic.RxFrame
	for _, n := range append(lengths, len(frame)) {
		n = min(n, len(frame))
		b := d.h.Buffer(off + n + 10)
		copy(b.Bytes()[off:], frame[:n])
		f.Parts = append(f.Parts, nic.RxPart{Buffer: b, Off: off, Len: n})
		frame = frame[n:]
		if len(frame) == 0 {
			break
		}
	}
	d.h.Receive(&f)
}

// dispatcher records what is delivered.
type dispatcher struct {
	network, link []delivery
}

type delivery struct {
	proto        tcpip.NetworkProtocolNumber
	kind         tcpip.PacketType
	header, data string
}

func record(proto tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) delivery {
	data := pkt.Data().AsRange().ToSlice()
	return delivery{proto: proto, kind: pkt.PktType, header: string(pkt.LinkHeader().Slice()), data: string(data)}
}

func (d *dispatcher) DeliverNetworkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	d.network = append(d.network, record(p, pkt))
}

func (d *dispatcher) DeliverLinkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	d.link = append(d.link, record(p, pkt))
}

func newEndpoint(t testing.TB, d nic.Device, o link.Options) *link.Endpoint {
	t.Helper()
	o.Logf = t.Logf
	e, err := link.New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// newAttached returns an endpoint, and what it delivers to.
func newAttached(t testing.TB, d nic.Device) (*link.Endpoint, *dispatcher) {
	t.Helper()
	e, up := newEndpoint(t, d, link.Options{}), &dispatcher{}
	e.Attach(up)
	return e, up
}

func ethernet(dst, src tcpip.LinkAddress, proto tcpip.NetworkProtocolNumber, payload string) []byte {
	b := make([]byte, header.EthernetMinimumSize, header.EthernetMinimumSize+len(payload))
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: src, DstAddr: dst, Type: proto})
	return append(b, payload...)
}
