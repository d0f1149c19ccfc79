// Package virtionettest is a VIRTIO network device in Go (VIRTIO 1.2 §5.1) for
// tests on a host: a virtiotest.Device with a wire.
package virtionettest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
	"github.com/tamanet/tamanet/drivers/virtio"
	"github.com/tamanet/tamanet/drivers/virtio/virtiotest"
	"github.com/tamanet/tamanet/drivers/virtionet"
)

const headerLen = 12

// Net is a fake network device. What its driver transmits goes to the function given to Start.
type Net struct {
	*virtiotest.Device

	kick chan struct{}
	stop chan struct{}
	wg   sync.WaitGroup
	// room is signalled when the driver may have given receive buffers.
	room chan struct{}

	// frame is the transmitting goroutine's, header of Work.
	frame  []byte
	header [headerLen]byte

	pairs int
	kept  uint32 // the last command
	// Filtering makes the device drop what its driver has not asked for.
	Filtering bool
	// OnCommand, when set, is called with each command and the answer that the device has for it, and
	// returns another, or NoAnswer.
	OnCommand func(command uint16, data []byte, ack int) int

	mu     sync.Mutex
	errs   []error
	filter filter
}

// New returns a device with rings of size descriptors that offers MAC, MTU and STATUS.
func New(mac nic.MAC, mtu int, size uint32) *Net { return NewPairs(mac, mtu, size, 1) }

// NewPairs is New with a number of queue pairs, for a driver that has agreed to have several.
func NewPairs(mac nic.MAC, mtu int, size uint32, pairs int) *Net {
	n := &Net{
		Device: virtiotest.New(virtio.DeviceNet, 2*pairs+1, size),
		kick:   make(chan struct{}, 1), room: make(chan struct{}, 1), stop: make(chan struct{}),
		pairs: pairs,
	}
	n.filter.reset(mac)
	n.Offered |= virtionet.FeatureMAC | virtionet.FeatureMTU | virtionet.FeatureStatus
	n.Config = make([]byte, 12)
	copy(n.Config, mac[:])
	n.Config[6] = 1
	binary.LittleEndian.PutUint16(n.Config[8:], uint16(pairs))
	binary.LittleEndian.PutUint16(n.Config[10:], uint16(mtu))
	n.OnNotify = func(queue int) {
		switch {
		case queue == n.controlQueue():
			n.Work(n.control)
		case queue%2 == 1:
			signal(n.kick)
		default:
			signal(n.room)
		}
	}
	n.OnReset = func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.filter.reset(mac)
		signal(n.room)
	}
	return n
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Offer makes the device offer features beside those of New. It returns n.
func (n *Net) Offer(f virtio.Features) *Net {
	n.Offered |= f
	return n
}

// NewDriver returns the driver of n. Rings are as large as the device allows.
func (n *Net) NewDriver(tb testing.TB) *virtionet.Device {
	tb.Helper()
	t, err := virtio.NewMMIO(n.Region())
	if err != nil {
		tb.Fatal(err)
	}
	d, err := virtionet.New(virtionet.Config{Transport: t, Memory: n.Mem, Interrupt: n.Line, Logf: tb.Logf})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// SetLink changes the link status.
func (n *Net) SetLink(up bool) {
	n.SetConfig(func(config []byte) {
		config[6] = 0
		if up {
			config[6] = 1
		}
	})
}

// Start runs the device: send is called with each frame that the driver
// transmits, cut and with its checksum where the driver has left that to the
// device. The frame is valid during the call.
func (n *Net) Start(send func(frame []byte)) {
	n.StartRaw(func(h Header, frame []byte) { h.Perform(frame, send) })
}

// StartRaw is Start with frames as the driver transmits them.
func (n *Net) StartRaw(send func(h Header, frame []byte)) {
	n.wg.Go(func() {
		for {
			select {
			case <-n.kick:
				n.transmit(send)
			case <-n.stop:
				return
			}
		}
	})
}

// Kick has the device look at its transmit rings as if it was notified.
func (n *Net) Kick() { signal(n.kick) }

// Stop ends what Start began and reports what the driver did wrong. The driver was closed
// before.
func (n *Net) Stop(tb testing.TB) {
	tb.Helper()
	close(n.stop)
	n.wg.Wait()
	for _, v := range n.Violations() {
		tb.Errorf("driver violates the specification: %s", v)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, err := range n.errs {
		tb.Errorf("device: %v", err)
	}
	if f := n.Mem.Faults(); f != 0 {
		tb.Errorf("%d accesses to memory that was not lent", f)
	}
	if m, b := n.Mem.Live(); m != 0 || b != 0 {
		tb.Errorf("%d mappings and %d blocks were not given back", m, b)
	}
}

func (n *Net) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.errs = append(n.errs, err)
}

// transmit sends what is in the transmit rings.
func (n *Net) transmit(send func(Header, []byte)) {
	for pair := range n.Pairs() {
		n.transmitPair(pair, send)
	}
}

// transmitPair sends what is in one transmit ring, with notifications off meanwhile.
func (n *Net) transmitPair(pair int, send func(Header, []byte)) {
	for some := true; some; {
		some, n.frame = false, n.frame[:0]
		n.Work(func() {
			q := n.Queue(2*pair + 1)
			q.SetNoNotify(true)
			q.Publish()
			c, ok, err := q.Next()
			if err != nil {
				n.fail(err)
			}
			if !ok {
				q.SetNoNotify(false)
				q.Publish()
				some = q.Available() > 0
				return
			}
			some = true
			for _, b := range c.Out {
				n.frame = append(n.frame, b...)
			}
			q.Finish(uint32(c.Head), 0)
		})
		// Outside of Work, so that a wire which waits does not keep a reset waiting.
		if len(n.frame) >= headerLen {
			h, f := parseHeader(n.frame), n.frame[headerLen:]
			if err := h.check(f, n.Accepted()); err != nil {
				n.fail(err)
				continue
			}
			send(h, f)
		}
	}
}

// Deliver puts a frame into the driver's next receive buffer. It returns false,
// with the frame dropped, when there is none.
func (n *Net) Deliver(frame []byte) (ok bool) { return n.DeliverRaw(Header{}, frame) }

// DeliverRaw is Deliver with the header h in front of the frame. Buffers that the driver
// has agreed to have merged are, and NumBuffers says how many.
func (n *Net) DeliverRaw(h Header, frame []byte) (ok bool) { return n.DeliverTo(0, h, frame) }

// DeliverTo is DeliverRaw by a certain pair. A frame that the driver does not want is taken and
// dropped.
func (n *Net) DeliverTo(pair int, h Header, frame []byte) (ok bool) {
	if !n.wanted(frame) {
		return n.Live()
	}
	n.Work(func() {
		q := n.Queue(2 * pair)
		h.NumBuffers = 1
		if n.Accepted().Has(virtionet.FeatureMrgRxbuf) {
			h.NumBuffers = n.needed(q, headerLen+len(frame))
		}
		for h.NumBuffers == 0 {
			if !q.Await() {
				return
			}
			h.NumBuffers = n.needed(q, headerLen+len(frame))
		}
		n.header = h.bytes()
		rest := [...][]byte{n.header[:], frame}
		for range h.NumBuffers {
			c, got, err := q.Next()
			if err != nil {
				n.fail(err)
			}
			if !got {
				return
			}
			ok = true
			q.Use(uint32(c.Head), uint32(fill(c.In, &rest)))
		}
		q.Publish()
		q.Interrupt()
	})
	return ok
}

// needed says how many of the driver's next buffers hold size bytes, 0 when all do not.
func (n *Net) needed(q *virtiotest.Queue, size int) (count uint16) {
	for size > 0 {
		c, got, err := q.Next()
		if err != nil {
			n.fail(err)
		}
		if !got {
			q.Back(int(count))
			return 0
		}
		count++
		for _, b := range c.In {
			size -= len(b)
		}
	}
	q.Back(int(count))
	return count
}

// fill moves what fits of a header and a frame into the buffers.
func fill(in [][]byte, rest *[2][]byte) (n int) {
	for i := range rest {
		for len(rest[i]) > 0 && len(in) > 0 {
			m := copy(in[0], rest[i])
			rest[i], in[0] = rest[i][m:], in[0][m:]
			n += m
			if len(in[0]) == 0 {
				in = in[1:]
			}
		}
	}
	return n
}

// deliverLimit is how long DeliverWait waits for a buffer: longer than any driver that is not stuck.
const deliverLimit = 30 * time.Second

// DeliverWait is Deliver that waits for a buffer while the device is live, and has not found an error. That it has waited
// in vain is one.
func (n *Net) DeliverWait(frame []byte) bool { return n.DeliverWaitRaw(Header{}, frame) }

// DeliverWaitRaw is DeliverWait with the header h in front of the frame.
func (n *Net) DeliverWaitRaw(h Header, frame []byte) bool {
	for !n.DeliverRaw(h, frame) {
		if !n.Live() || n.failed() {
			return false
		}
		limit := time.NewTimer(deliverLimit)
		select {
		case <-n.room:
			limit.Stop()
		case <-n.stop:
			limit.Stop()
			return false
		case <-limit.C:
			n.fail(fmt.Errorf("driver gave no receive buffer for %v: %v", deliverLimit, n.Queue(0)))
			return false
		}
	}
	return true
}

func (n *Net) failed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.errs) > 0
}
