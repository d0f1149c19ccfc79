package cdcecm

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/tamanet/tamanet/drivers/nic"
)

// rxState is what Out is at.
type rxState struct {
	// mu is held while a Buffer is being filled: Close waits for it.
	mu      sync.Mutex
	scratch [transferLen]byte
	timer   *time.Timer
}

type inState struct {
	buf   [maxFrame]byte
	timer *time.Timer
}

type notifyState struct {
	told  bool // what the host was told last
	timer *time.Timer
	buf   [8]byte
}

// wait waits for something on c, for at most patience.
func wait[T any](c <-chan T, timer **time.Timer) (v T, ok bool) {
	if *timer == nil {
		*timer = time.NewTimer(patience)
	} else {
		(*timer).Reset(patience)
	}
	defer (*timer).Stop()
	select {
	case v = <-c:
		return v, true
	case <-(*timer).C:
		return v, false
	}
}

// Out is the function of the bulk OUT endpoint: it is given what the host has sent, into the memory
// that it returned the time before (and nothing the first time), and returns the memory
// for the next transfer, always the same: a controller's driver may still write to it after Close. err is
// what was wrong with the transfer. It blocks while all Buffers wait to be handled, for a bounded time.
func (d *Device) Out(frame []byte, err error) ([]byte, error) {
	switch {
	case err != nil:
		d.once.transfer.Do(func() { d.c.Logf("%s: receiving: %v; such transfers are dropped", d.info.Name, err) })
	case len(frame) == 0:
	case len(frame) < nic.HeaderLen || len(frame) > maxFrame:
		d.stats.rxLength.Add(1)
		d.once.length.Do(func() {
			d.c.Logf("%s: host sent a frame of %d bytes, want %d to %d; dropping such", d.info.Name, len(frame), nic.HeaderLen, maxFrame)
		})
	default:
		d.deliver(frame)
	}
	return d.rx.scratch[:], nil
}

// deliver copies a frame into a Buffer for the goroutine to hand up. There is one but when the handler blocks.
func (d *Device) deliver(frame []byte) {
	d.rx.mu.Lock()
	defer d.rx.mu.Unlock()
	if !d.running() {
		return
	}
	f, ok := wait(d.empty, &d.rx.timer)
	if !ok {
		d.stats.rxNoBuffer.Add(1)
		return
	}
	f.n = copy(f.buf.Bytes(), frame)
	d.filled <- f // there is room for all Buffers
}

func (d *Device) running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == stateRunning
}

// In is the function of the bulk IN endpoint: it returns the next frame for the host, which
// is valid until it is called again, or nothing when there is none for some time. Its arguments are not used.
func (d *Device) In([]byte, error) ([]byte, error) {
	n := d.dequeue(d.in.buf[:])
	if n == 0 {
		if _, ok := wait(d.tx.queued, &d.in.timer); !ok {
			return nil, nil
		}
		n = d.dequeue(d.in.buf[:])
	}
	return d.in.buf[:n], nil
}

// Requests and notifications (CDC 1.2 Tables 19 and 20; USB 2.0 Table 9-4).
const (
	setConfiguration = 9
	setInterface     = 11

	networkConnection = 0x00
	notification      = 0xa1 // to the host, class, interface
)

// notification returns what the host is to be told, nil when it knows.
func (d *Device) notification(control uint16) []byte {
	n := &d.notify
	up := d.up.Load()
	if n.told == up {
		return nil
	}
	n.told = up
	n.buf = [8]byte{notification, networkConnection}
	if up {
		binary.LittleEndian.PutUint16(n.buf[2:], 1)
	}
	binary.LittleEndian.PutUint16(n.buf[4:], control)
	return n.buf[:]
}

// Notify returns the function of the interrupt IN endpoint, which belongs to the control interface of that
// number: it returns a notification when the connection has come or gone, or nothing after some time.
func (d *Device) Notify(control uint16) func([]byte, error) ([]byte, error) {
	return func([]byte, error) ([]byte, error) {
		if b := d.notification(control); b != nil {
			return b, nil
		}
		wait[struct{}](nil, &d.notify.timer)
		return d.notification(control), nil
	}
}

// Request is a request on endpoint 0 (USB 2.0 Table 9-2).
type Request struct {
	Type, Request        uint8
	Value, Index, Length uint16
}

// Setup is told every request, before it is answered. The host switches the network on by
// choosing the setting 1 of the data interface, whose number is data (ECM 1.2 §3.2), and off by setting 0 or another
// configuration.
func (d *Device) Setup(r Request, data uint16) {
	const standard, recipient = 0x60, 0x1f
	switch {
	case r.Type&standard != 0:
	case r.Request == setConfiguration:
		d.setLink(false)
	case r.Request == setInterface && r.Type&recipient == 1 && r.Index == data:
		d.setLink(r.Value == 1)
	}
}

// Disconnected is to be called when the bus is reset or the cable unplugged.
func (d *Device) Disconnected() { d.setLink(false) }

func (d *Device) setLink(up bool) {
	if d.up.Swap(up) == up {
		return
	}
	if !up {
		d.drop()
	}
	d.wake()
}
