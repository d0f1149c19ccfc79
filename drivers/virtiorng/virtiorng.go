// Package virtiorng is the driver of VIRTIO 1.2 entropy devices (§5.4).
//
// It asks for bytes when somebody reads, and looks for the answer by itself: there is no
// goroutine and no interrupt, so that a board can use it while it boots. Every
// wait is bounded. Reading does not allocate.
//
// The device is not trusted with more than its bytes: it writes into memory of the driver's
// own, and how many it says it has written is checked. Whether the bytes are random
// cannot be told here; a kernel looks for a generator that repeats itself where it mixes its sources.
package virtiorng

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
	"github.com/tamanet/tamanet/drivers/virtio"
)

var (
	// ErrTimeout is returned when the device has not answered in time. It may be slow, as when
	// its host limits the rate; another Read goes on waiting for the same answer.
	ErrTimeout = errors.New("virtiorng: device does not answer")
	// ErrNoBytes is returned when the device has answered without a byte, or with more than it
	// was asked for, again and again.
	ErrNoBytes = errors.New("virtiorng: device gives no bytes")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("virtiorng: device is closed")
)

const (
	// requestq is the only queue (§5.4.2).
	requestq = 0
	// requestLen is the most that is asked for at a time.
	requestLen = 256
	// tries is how often in a row an answer may be of no use, and how often a Read resets the device.
	tries = 4
	// defaultTimeout bounds the wait for one answer. A host's generator has bytes at once.
	defaultTimeout = time.Second
	// spins is how often a Read looks before it lets others run.
	spins = 1000
)

// Config says how to drive a device. Transport and Memory are required.
type Config struct {
	// Transport is the device, whose DeviceID is virtio.DeviceEntropy. The driver owns it from
	// New on.
	Transport virtio.Transport
	// Memory holds the ring and what the device writes.
	Memory dma.Memory
	// Timeout bounds the wait for one answer; a second when zero.
	Timeout time.Duration
	// Pause is called between looks for an answer which does not come at once. Nil sleeps for a
	// while; a board gives one that does not where nothing can sleep yet.
	Pause func()
}

// Device is an entropy device. It implements io.Reader. Its methods are safe for concurrent use.
type Device struct {
	t       virtio.Transport
	timeout time.Duration
	pause   func()

	mu  sync.Mutex
	mem dma.Memory
	q   *virtio.Queue
	// block is what the device writes into; seg describes it.
	block    *dma.Block
	seg      [1]virtio.Segment
	features virtio.Features
	closed   bool
}

// New sets a device up. The errors wrap virtio.ErrReset, ErrFeatures, ErrQueue and dma.ErrNoMemory.
func New(c Config) (*Device, error) {
	if c.Transport == nil || c.Memory == nil {
		return nil, errors.New("virtiorng: Config needs Transport and Memory")
	}
	if id := c.Transport.DeviceID(); id != virtio.DeviceEntropy {
		return nil, fmt.Errorf("virtiorng: device id is %d, want %d", id, virtio.DeviceEntropy)
	}
	d := &Device{t: c.Transport, mem: c.Memory, timeout: c.Timeout, pause: c.Pause}
	if d.timeout <= 0 {
		d.timeout = defaultTimeout
	}
	if d.pause == nil {
		d.pause = func() { time.Sleep(100 * time.Microsecond) }
	}
	if err := d.setup(); err != nil {
		virtio.Fail(d.t)
		return nil, fmt.Errorf("virtiorng: %w", err)
	}
	return d, nil
}

func (d *Device) setup() (err error) {
	if d.features, err = virtio.Negotiate(d.t, virtio.FeatureRingPacked); err != nil {
		return err
	}
	if d.block, err = d.mem.Alloc(requestLen, 8); err != nil {
		return err
	}
	if d.q, err = virtio.NewQueue(d.t, d.mem, requestq, 1, d.features); err != nil {
		d.mem.Free(d.block)
		return err
	}
	d.start()
	return nil
}

// start sets the device going.
func (d *Device) start() {
	d.q.DisableInterrupts()
	virtio.Run(d.t)
}

// Read fills p. It returns less than len(p) only with an error, which is ErrTimeout, ErrNoBytes,
// ErrClosed, or wraps those of a device that had to be reset: virtio.ErrRing, ErrReset and so on.
func (d *Device) Read(p []byte) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	useless, resets := 0, 0
	for n < len(p) && err == nil {
		got := 0
		switch got, err = d.request(p[n:]); {
		case err != nil && d.needsReset(err) && resets < tries:
			resets++
			err = d.reset()
		case err == nil && got == 0:
			if useless++; useless == tries {
				err = ErrNoBytes
			}
		case err == nil:
			useless = 0
			n += got
		}
	}
	return n, err
}

// needsReset says whether a reset may help against err: the ring is of no use any more, or the
// device says so.
func (d *Device) needsReset(err error) bool {
	return errors.Is(err, virtio.ErrRing) || errors.Is(err, ErrTimeout) && d.t.Status()&virtio.StatusNeedsReset != 0
}

// request copies one answer of the device's to p; what does not fit is lost.
func (d *Device) request(p []byte) (n int, err error) {
	if d.closed {
		return 0, ErrClosed
	}
	// After a timeout the device still has the last request.
	if d.q.InFlight() == 0 {
		d.seg[0] = virtio.Segment{Addr: d.block.Addr, Len: min(len(p), requestLen), Dir: dma.FromDevice}
		if _, err := d.q.Add(d.seg[:]); err != nil {
			return 0, err
		}
		d.q.Kick()
	}
	written, err := d.wait()
	if err != nil {
		return 0, err
	}
	n = copy(p, d.block.Bytes[:written])
	clear(d.block.Bytes)
	return n, nil
}

// wait waits for the answer and returns its length.
func (d *Device) wait() (written int, err error) {
	for i := range spins {
		if _, written, err = d.q.Pop(); err != virtio.ErrQueueEmpty {
			return written, err
		}
		if i > spins/2 {
			runtime.Gosched()
		}
	}
	for deadline := time.Now().Add(d.timeout); ; d.pause() {
		if _, written, err = d.q.Pop(); err != virtio.ErrQueueEmpty {
			return written, err
		}
		if !time.Now().Before(deadline) {
			return 0, fmt.Errorf("%w within %v", ErrTimeout, d.timeout)
		}
	}
}

// reset gets a device going again that wrote nonsense into its ring.
func (d *Device) reset() error {
	features, err := virtio.Negotiate(d.t, d.features)
	if err != nil {
		return err
	}
	d.q.Drain(func(int) {})
	if features != d.features {
		return fmt.Errorf("%w: after a reset only %#x of the features %#x are left", virtio.ErrFeatures, uint64(features), uint64(d.features))
	}
	if err := d.q.Enable(); err != nil {
		return err
	}
	d.start()
	return nil
}

// Close stops the device and gives its memory back. Further calls return nil. The error wraps
// virtio.ErrReset: the device did not stop, and the memory is lost.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if err := virtio.Reset(d.t); err != nil {
		return fmt.Errorf("virtiorng: memory lent to it is lost: %w", err)
	}
	d.q.Drain(func(int) {})
	d.q.Close()
	d.mem.Free(d.block)
	return nil
}
