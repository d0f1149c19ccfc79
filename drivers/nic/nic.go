// Package nic is the contract between a network driver and what stands above
// it: one [Device] for each interface, Ethernet frames both ways, no copy that
// the hardware does not force, and no allocation for a frame.
//
// # Frames
//
// A frame begins with the destination address and ends with the payload. The
// frame check sequence is the Device's own business in both directions: it
// is not part of a transmitted frame and is cut off, once checked, from a received one. So is
// padding a short frame to the minimum that the medium asks for.
//
// # Ownership
//
// Transmit takes frames where they lie: their memory belongs to the Device
// from a Transmit that returned nil until it calls the frame's Owner.DecRef,
// and must not change in between. Receive memory comes from the [Handler], one
// [Buffer] at a time, and goes back to it filled (Receive) or unused (Release).
//
// # Concurrency
//
// Every method of Device is safe for concurrent use unless it says otherwise. A Device
// calls its Handler from goroutines of its own, one at a time, holding no lock, so that a
// Handler may call Transmit; it must not call Close from there. Owner.DecRef is
// called from these goroutines or from inside any Transmit or Close. A [MultiQueue]
// may be given several Handlers, which it calls side by side.
package nic

import (
	"errors"
	"fmt"
)

// HeaderLen is the length of an Ethernet header without a VLAN tag, in bytes.
const HeaderLen = 14

// VLANLen is the length of an IEEE 802.1Q tag, which a frame may carry beyond its MTU.
const VLANLen = 4

// MinMTU is the smallest MTU that IPv4 can live with (RFC 791 §3.2).
const MinMTU = 68

var (
	// ErrFull is returned by Transmit when the Device has no room for the
	// frame now. Handler.TransmitReady follows when it has.
	ErrFull = errors.New("nic: transmit ring is full")
	// ErrClosed is returned once Close was called.
	ErrClosed = errors.New("nic: device is closed")
	// ErrFailed is returned once a device has misbehaved so much that its driver gave it up.
	ErrFailed = errors.New("nic: device failed")
	// ErrFrame is wrapped by what Transmit returns for a frame that no such
	// Device can send: too short, too long, or in too many parts.
	ErrFrame = errors.New("nic: bad frame")
	// ErrStarted is returned by a second Start.
	ErrStarted = errors.New("nic: device is already started")
	// ErrNotStarted is returned by Transmit before Start.
	ErrNotStarted = errors.New("nic: device is not started")
)

// MAC is an EUI-48 hardware address.
type MAC [6]byte

// String formats the address as six hexadecimal pairs.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Unicast says whether m can be an interface's address: a group address and
// the all-zero address cannot (Linux: is_valid_ether_addr).
func (m MAC) Unicast() bool { return m[0]&1 == 0 && m != MAC{} }

// Info is what does not change about a Device.
type Info struct {
	// Name says which device it is, for messages: "virtio-net 0xfeb02e00".
	Name string
	MAC  MAC
	// MTU is the largest payload of a frame in bytes, the Ethernet header not counted.
	MTU int
	// MaxParts is the largest len(TxFrame.Parts), at least 1.
	MaxParts int
}

// LinkState is the state of the medium.
type LinkState struct {
	// Up says whether frames can pass.
	Up bool
	// Mbps is the speed in 10⁶ bits a second, 0 when it is not known.
	Mbps int
	// FullDuplex is set when the medium carries both directions at once.
	FullDuplex bool
}

// Device is a network interface. It is created by its driver ready to be
// started, is started once, and is not used again after Close.
type Device interface {
	// Info returns the constant properties.
	Info() Info

	// Start takes buffers from h, begins to receive, and allows Transmit.
	// The errors are ErrStarted, ErrClosed, and what kept the hardware from
	// starting; after such an error only Close is of use.
	Start(h Handler) error

	// Transmit queues one frame and does not block: when it returns, the
	// frame may not have left yet. On nil the Device has taken over one
	// reference of f.Owner; f itself and f.Parts (not the memory behind them)
	// are the caller's again at once. On an error nothing was taken over.
	// The errors are ErrFull, ErrClosed, ErrFailed, ErrNotStarted, and one that wraps ErrFrame.
	//
	// The frames of one caller, with the same Queue, leave in the order of its calls.
	Transmit(f *TxFrame) error

	// Link returns the last known state of the medium, without touching hardware.
	Link() LinkState

	// Close stops the hardware and waits for the Device's goroutine. When it
	// returns, every frame's Owner was released, every Buffer given back, and
	// no call into the Handler or an Owner is running or will follow.
	// Further calls return nil. The error says that the hardware did not stop
	// in time; memory that it may still write is then not given back but lost.
	Close() error
}

// Owner holds the memory of a frame that is being transmitted. A gVisor
// packet buffer is one.
type Owner interface {
	// DecRef gives back the one reference that came with the frame. It must not block or
	// call the Device.
	DecRef()
}

// TxFrame is a frame to transmit, gathered from pieces of memory.
type TxFrame struct {
	// Parts are the frame's bytes in order; empty ones are skipped. Together they are at least
	// HeaderLen and at most HeaderLen+VLANLen+MTU bytes, or MaxSegmented with a Segmentation.
	Parts [][]byte
	// Owner keeps Parts reachable and unchanged until it is released.
	Owner Owner
	// More promises that another Transmit follows at once, so that the Device may
	// put off telling the hardware (Linux: netdev_xmit_more). A Device whose
	// Transmit fails tells the hardware then about what it put off.
	More bool
	// Queue chooses one of the queues of a [MultiQueue], modulo their number: the
	// frames of one flow have the same, and what a Device learns from that is to hand the flow's
	// other direction up from the pair's receive queue (VIRTIO 1.2 §5.1.6.5.5).
	Queue uint32
	// Checksum is left to the Device; only a [ChecksumOffload] with tx takes it.
	Checksum Checksum
	// Segmentation is left to the Device; only a [SegmentationOffload] takes it.
	Segmentation Segmentation
}

// Len is the length of the frame in bytes.
func (f *TxFrame) Len() int {
	n := 0
	for _, p := range f.Parts {
		n += len(p)
	}
	return n
}

// Buffer is memory to receive into. Who holds it calls Release or hands it on.
type Buffer interface {
	// Bytes is all of the memory; it is the same on each call.
	Bytes() []byte
	// Release gives the Buffer back with nothing in it.
	Release()
}

// RxPart is what a Device wrote into one Buffer: the Len bytes at Off.
type RxPart struct {
	Buffer   Buffer
	Off, Len int
}

// RxFrame is a received frame: at least HeaderLen bytes, in one or more parts.
// The first part holds at least the Ethernet header.
type RxFrame struct {
	Parts []RxPart
	// ChecksumGood is set by a [ChecksumOffload] with rx when it has found the IP
	// and the TCP or UDP checksum of the frame, which is no fragment, to be
	// right, or knows that the frame never was on a wire. In the latter case the field need not
	// hold the checksum, and the frame may be longer than the MTU.
	ChecksumGood bool
}

// Handler is what stands above a Device. Its methods are called one at a time
// and should not block: no frame is received meanwhile.
type Handler interface {
	// Buffer returns at least n bytes to receive into, or nil when there is no
	// memory: the Device then drops one frame for each one that it did not
	// get, counts it as RxNoBuffer, and goes on. Start calls it too.
	Buffer(n int) Buffer

	// Receive is handed a frame. Its Buffers belong to the Handler from here
	// on; f itself and f.Parts are the Device's again when Receive returns.
	Receive(f *RxFrame)

	// TransmitReady is called after Transmit returned ErrFull, once there is room again.
	TransmitReady()

	// LinkChange is called when the medium's state is not what it was.
	LinkChange(LinkState)
}

// Interrupt is a line on which hardware asks for attention.
type Interrupt interface {
	// Wait blocks until the line was raised since the last Wait returned, and
	// returns true, or until the line is closed, and returns false. One
	// goroutine at a time may wait.
	Wait() bool
	// Wake raises the line from software. It does not block.
	Wake()
}
