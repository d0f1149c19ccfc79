package link_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
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
	// during, when set, is called once in Transmit after skip calls of it, without the lock: another goroutine's doing.
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

// receive hands frame up in parts of the given lengths, the rest in the last, with off bytes before each.
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
	proto         tcpip.NetworkProtocolNumber
	kind          tcpip.PacketType
	header, data  string
	sharesStorage bool
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

func newEndpoint(t testing.TB, d *device, o link.Options) *link.Endpoint {
	t.Helper()
	o.Logf = t.Logf
	e, err := link.New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func ethernet(dst, src tcpip.LinkAddress, proto tcpip.NetworkProtocolNumber, payload string) []byte {
	b := make([]byte, header.EthernetMinimumSize, header.EthernetMinimumSize+len(payload))
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: src, DstAddr: dst, Type: proto})
	return append(b, payload...)
}

func TestReceiveClassifies(t *testing.T) {
	for _, tc := range []struct {
		name          string
		dst           tcpip.LinkAddress
		promiscuous   bool
		kind          tcpip.PacketType
		network, link int
	}{
		{"ours", ourMAC, false, tcpip.PacketHost, 1, 0},
		{"broadcast", header.EthernetBroadcastAddress, false, tcpip.PacketBroadcast, 1, 0},
		{"multicast", "\x01\x00\x5e\x00\x00\x01", false, tcpip.PacketMulticast, 1, 0},
		{"another station's", otherMAC, false, 0, 0, 0},
		{"another station's, promiscuous", otherMAC, true, tcpip.PacketOtherHost, 0, 1},
		{"ours, promiscuous", ourMAC, true, tcpip.PacketHost, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, up := newDevice(), &dispatcher{}
			e := newEndpoint(t, d, link.Options{})
			e.Attach(up)
			if err := e.SetPromiscuous(tc.promiscuous); err != nil || len(d.promis) != 1 || d.promis[0] != tc.promiscuous {
				t.Errorf("SetPromiscuous = %v, device was told %v", err, d.promis)
			}
			f := ethernet(tc.dst, otherMAC, protocol, "payload")
			d.receive(f, 12)
			if len(up.network) != tc.network || len(up.link) != tc.link {
				t.Fatalf("delivered %d and %d times, want %d and %d", len(up.network), len(up.link), tc.network, tc.link)
			}
			for _, got := range append(up.network, up.link...) {
				if got.proto != protocol || got.kind != tc.kind || got.header != string(f[:14]) || got.data != "payload" {
					t.Errorf("delivered %+v", got)
				}
			}
			if s := e.Stats(); s.RxOtherHost != uint64(1-tc.network-tc.link) {
				t.Errorf("counters are %+v", s)
			}
		})
	}
}

func TestReceiveInParts(t *testing.T) {
	d, up := newDevice(), &dispatcher{}
	newEndpoint(t, d, link.Options{}).Attach(up)
	f := ethernet(ourMAC, otherMAC, protocol, "a payload in several parts")
	d.receive(f, 0, 14)
	d.receive(f, 5, 20, 3, 1)
	d.receive(f, 5, len(f))
	for i, got := range up.network {
		if got.data != string(f[14:]) || got.header != string(f[:14]) {
			t.Errorf("frame %d came up as %+v", i, got)
		}
	}
	if len(up.network) != 3 {
		t.Errorf("%d frames came up, want 3", len(up.network))
	}
}

// TestReceiveDoesNotCopy looks for the device's memory in the packet.
func TestReceiveDoesNotCopy(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	b := d.h.Buffer(2048)
	mem := b.Bytes()
	copy(mem[12:], ethernet(ourMAC, otherMAC, protocol, "x"))
	var same bool
	e.Attach(dispatcherFunc(func(pkt *stack.PacketBuffer) {
		data, _ := pkt.Data().PullUp(1)
		same = &data[0] == &mem[26]
	}))
	d.h.Receive(&nic.RxFrame{Parts: []nic.RxPart{{Buffer: b, Off: 12, Len: 15}}})
	if !same {
		t.Error("the packet's data is not where the device has put it")
	}
}

type dispatcherFunc func(*stack.PacketBuffer)

func (f dispatcherFunc) DeliverNetworkPacket(_ tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	f(pkt)
}
func (dispatcherFunc) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

func TestReceiveDrops(t *testing.T) {
	d, up := newDevice(), &dispatcher{}
	e := newEndpoint(t, d, link.Options{})
	f := ethernet(ourMAC, otherMAC, protocol, "x")
	d.receive(f, 0)
	e.Attach(up)
	d.receive(f[:13], 0)
	d.receive(nil, 0)
	e.Attach(nil)
	d.receive(f, 0)
	if s := e.Stats(); s.RxDetached != 2 || s.RxShort != 2 || len(up.network) != 0 {
		t.Errorf("counters are %+v, delivered %d", s, len(up.network))
	}
	if e.IsAttached() {
		t.Error("IsAttached after Attach(nil)")
	}
}

// packet makes an outbound packet of parts, with the Ethernet header in front.
func packet(e *link.Endpoint, parts ...string) *stack.PacketBuffer {
	var payload buffer.Buffer
	for _, p := range parts {
		b := buffer.MakeWithData([]byte(p))
		payload.Merge(&b)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: int(e.MaxHeaderLength()) + 20, Payload: payload})
	pkt.NetworkProtocolNumber = protocol
	pkt.EgressRoute.RemoteLinkAddress = otherMAC
	e.AddHeader(pkt)
	return pkt
}

// write writes one packet for each string and lets go of them, as the stack does.
func write(e *link.Endpoint, payloads ...string) (int, tcpip.Error) {
	var l stack.PacketBufferList
	for _, p := range payloads {
		l.PushBack(packet(e, p))
	}
	defer l.DecRef()
	return e.WritePackets(l)
}

func TestWriteGathersInPlace(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	for _, tc := range []struct {
		parts   []string
		gather  int
		copied  uint64
		payload string
	}{
		{[]string{"one"}, 2, 0, "one"},
		{[]string{"one", "two", "three"}, 4, 0, "onetwothree"},
		{[]string{"one", "two", "three", "four"}, 1, 1, "onetwothreefour"},
		{nil, 1, 1, ""},
	} {
		pkt := packet(e, tc.parts...)
		var l stack.PacketBufferList
		l.PushBack(pkt)
		if n, err := e.WritePackets(l); n != 1 || err != nil {
			t.Fatalf("WritePackets = %d, %v", n, err)
		}
		i := len(d.frames) - 1
		if want := ethernet(otherMAC, ourMAC, protocol, tc.payload); !bytes.Equal(d.frames[i], want) || d.parts[i] != tc.gather {
			t.Errorf("device got %q in %d parts, want %q in %d", d.frames[i], d.parts[i], want, tc.gather)
		}
		if s := e.Stats(); s.TxCopied != tc.copied {
			t.Errorf("%d copied, want %d", s.TxCopied, tc.copied)
		}
		l.DecRef()
	}
	d.complete()
}

func TestWriteBatchHintsMore(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	if n, err := write(e, "a", "b", "c"); n != 3 || err != nil {
		t.Fatalf("WritePackets = %d, %v", n, err)
	}
	if len(d.more) != 3 || !d.more[0] || !d.more[1] || d.more[2] {
		t.Errorf("More was %v, want true, true, false", d.more)
	}
	d.complete()
}

// TestBackPressure fills ring and queue, and empties them step by step.
func TestBackPressure(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{QueueLen: 3})
	d.room = 1
	if n, err := write(e, "0", "1", "2"); n != 3 || err != nil {
		t.Fatalf("WritePackets = %d, %v: a full ring is the queue's business", n, err)
	}
	if n, err := write(e, "3", "4"); n != 1 || !is[*tcpip.ErrNoBufferSpace](err) {
		t.Fatalf("WritePackets = %d, %v, want 1, ErrNoBufferSpace", n, err)
	}
	d.setRoom(2)
	if n, err := write(e, "5"); n != 1 || err != nil {
		t.Fatalf("WritePackets = %d, %v", n, err)
	}
	d.setRoom(-1)
	if _, err := write(e, "6"); err != nil {
		t.Fatal(err)
	}
	var got string
	for _, f := range d.frames {
		got += string(f[14:])
	}
	if got != "012356" {
		t.Errorf("frames left as %s, want 012356", got)
	}
	if s := e.Stats(); s.TxQueued != 4 || s.TxQueueFull != 1 || s.TxPackets != 6 {
		t.Errorf("counters are %+v", s)
	}
	d.complete()
}

// TestReadyDuringTransmit has TransmitReady come while the queue is being emptied.
func TestReadyDuringTransmit(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(e *link.Endpoint, d *device)
	}{
		{"behind ErrFull", func(e *link.Endpoint, d *device) {
			// The first ErrFull is for the writer, the second for the queue.
			d.skip, d.during = 1, func() { d.setRoom(-1) }
			write(e, "a", "b")
		}},
		{"behind a success", func(e *link.Endpoint, d *device) {
			write(e, "a", "b")
			d.during = func() { d.setRoom(-1) }
			d.setRoom(1)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDevice()
			e := newEndpoint(t, d, link.Options{})
			d.room = 0
			tc.do(e, d)
			var got string
			for _, f := range d.frames {
				got += string(f[14:])
			}
			if got != "ab" {
				t.Errorf("%q left, want ab", got)
			}
			d.complete()
		})
	}
}

// TestCopyToAFullDevice is about the copy, which the leak check watches.
func TestCopyToAFullDevice(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	d.room = 0
	var l stack.PacketBufferList
	l.PushBack(packet(e, "1", "2", "3", "4"))
	if n, err := e.WritePackets(l); n != 1 || err != nil {
		t.Fatalf("WritePackets = %d, %v", n, err)
	}
	l.DecRef()
	d.setRoom(-1)
	if len(d.frames) != 1 || string(d.frames[0][14:]) != "1234" {
		t.Errorf("device got %q", d.frames)
	}
	d.complete()
}

func is[E tcpip.Error](err tcpip.Error) bool {
	_, ok := err.(E)
	return ok
}

// TestWritersAndReadyRace has writers and TransmitReady meet at random: in the end nothing may be left in the queue.
func TestWritersAndReadyRace(t *testing.T) {
	const writers, each = 4, 2000
	d := newDevice()
	d.room = 0
	e := newEndpoint(t, d, link.Options{QueueLen: writers * each})
	stop := make(chan struct{})
	var ready, wg sync.WaitGroup
	ready.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				d.setRoom(3)
				d.complete()
			}
		}
	})
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := write(e, "x"); err != nil {
					t.Errorf("WritePackets: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for begin := time.Now(); e.Stats().TxPackets < writers*each; {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("counters are %+v, want %d packets sent", e.Stats(), writers*each)
		}
	}
	close(stop)
	ready.Wait()
	d.complete()
}

func TestWriteErrors(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	for _, tc := range []struct {
		err  error
		want tcpip.Error
	}{
		{nic.ErrFailed, &tcpip.ErrHostDown{}},
		{errors.Join(nic.ErrFrame, errors.New("too long")), &tcpip.ErrMessageTooLong{}},
		{nic.ErrClosed, &tcpip.ErrClosedForSend{}},
	} {
		d.err = tc.err
		if n, err := write(e, "a", "b"); n != 0 || err != tc.want && err.String() != tc.want.String() {
			t.Errorf("device says %v: WritePackets = %d, %v, want %v", tc.err, n, err, tc.want)
		}
	}
	if s := e.Stats(); s.TxFailed != 1 || s.TxInvalid != 1 || s.TxClosed != 1 || s.TxPackets != 0 {
		t.Errorf("counters are %+v", s)
	}
}

func TestCloseReleasesTheQueue(t *testing.T) {
	d := newDevice()
	e := newEndpoint(t, d, link.Options{})
	d.room = 1
	action := 0
	e.SetOnCloseAction(func() { action++ })
	if _, err := write(e, "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	e.Close()
	e.Close()
	if s := e.Stats(); s.TxClosed != 2 || !d.closed || action != 1 {
		t.Errorf("counters are %+v, device closed %v, action ran %d times", s, d.closed, action)
	}
	if n, err := write(e, "d"); n != 0 || !is[*tcpip.ErrClosedForSend](err) {
		t.Errorf("WritePackets after Close = %d, %v", n, err)
	}
}

func TestProperties(t *testing.T) {
	d := newDevice()
	var links []bool
	e := newEndpoint(t, d, link.Options{OnLink: func(l nic.LinkState) { links = append(links, l.Up) }})
	if e.MTU() != 1500 || e.LinkAddress() != ourMAC || e.MaxHeaderLength() != 14 ||
		e.Capabilities() != stack.CapabilityResolutionRequired || e.ARPHardwareType() != header.ARPHardwareEther || !e.Link().Up {
		t.Errorf("MTU %d, address %v, capabilities %v", e.MTU(), e.LinkAddress(), e.Capabilities())
	}
	for _, tc := range []struct{ set, want uint32 }{{1400, 1400}, {9000, 1500}, {1, 68}, {0xffffffff, 1500}} {
		if e.SetMTU(tc.set); e.MTU() != tc.want {
			t.Errorf("SetMTU(%d) gives %d, want %d", tc.set, e.MTU(), tc.want)
		}
	}
	e.SetLinkAddress(otherMAC)
	up := &dispatcher{}
	e.Attach(up)
	d.receive(ethernet(otherMAC, ourMAC, protocol, "x"), 0)
	if len(up.network) != 1 || e.LinkAddress() != otherMAC {
		t.Errorf("a frame for the new address %v was not delivered", e.LinkAddress())
	}
	d.h.LinkChange(nic.LinkState{Up: false})
	if len(links) != 1 || links[0] {
		t.Errorf("OnLink was called with %v", links)
	}
}

func TestNewClosesADeviceThatDoesNotStart(t *testing.T) {
	d := newDevice()
	d.startErr = nic.ErrFailed
	if _, err := link.New(d, link.Options{}); !errors.Is(err, nic.ErrFailed) || !d.closed {
		t.Errorf("New = %v, device closed %v", err, d.closed)
	}
}
