package link_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/net/link"
)

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

// TestWritersAndReadyRace has writers and TransmitReady meet at random: in the end nothing
// may be left in the queue.
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
