// Package virtio is the driver side of VIRTIO 1.2 that all its devices share:
// the transports over MMIO (§4.2.2) and PCI (§4.1), for modern devices only, finding devices, the
// initialisation handshake (§3.1.1), configuration reads that are consistent
// (§2.5), and the split (§2.7) and packed virtqueue (§2.8) with event indices and indirect
// descriptors.
//
// A device is not trusted. What it says about features, queue sizes,
// descriptors, lengths and indices is checked before it is used; a lie is an
// error, never a panic or an access outside a buffer. Every wait is bounded.
//
// Which of the two rings a [Queue] has is decided by the features that were agreed on.
package virtio

import (
	"errors"
	"fmt"
	"time"

	"github.com/tamanet/tamanet/drivers/dma"
)

// DeviceID is the kind of a device (§5).
type DeviceID uint32

// Kinds of devices.
const (
	// DeviceNone is a slot without a device (§4.2.3.1.1).
	DeviceNone    DeviceID = 0
	DeviceNet     DeviceID = 1
	DeviceBlock   DeviceID = 2
	DeviceConsole DeviceID = 3
	DeviceEntropy DeviceID = 4
)

// Features is a set of feature bits (§2.2).
type Features uint64

// Feature bits of every device (§6). Those of a device type are in its own package.
const (
	FeatureIndirectDesc   Features = 1 << 28
	FeatureEventIdx       Features = 1 << 29
	FeatureVersion1       Features = 1 << 32
	FeatureAccessPlatform Features = 1 << 33
	FeatureRingPacked     Features = 1 << 34
)

// Has says whether every bit of f is in the set.
func (s Features) Has(f Features) bool { return s&f == f }

// Status is the device status field (§2.1).
type Status uint8

// Bits of the device status.
const (
	StatusAcknowledge Status = 1
	StatusDriver      Status = 2
	StatusDriverOK    Status = 4
	StatusFeaturesOK  Status = 8
	StatusNeedsReset  Status = 64
	StatusFailed      Status = 128
)

// Interrupt is the reason of an interrupt (§4.2.2, InterruptStatus).
type Interrupt uint8

// Reasons of an interrupt.
const (
	// InterruptUsed says that the device used a buffer of some queue.
	InterruptUsed Interrupt = 1
	// InterruptConfig says that the configuration changed, or that the device needs a reset.
	InterruptConfig Interrupt = 2
)

// Rings tells a device where a queue lies (§2.7, §2.8).
type Rings struct {
	Size   int
	Desc   dma.Addr // Descriptor Table, or Descriptor Ring
	Driver dma.Addr // Available Ring, or Driver Event Suppression
	Device dma.Addr // Used Ring, or Device Event Suppression
}

// ConfigOffset is an offset in bytes into the device-specific configuration.
type ConfigOffset uint32

// Config reads the device-specific configuration, each field with its own
// width (§4.2.2.2). A field beyond what the transport has reads as zero. Use
// [ReadConfig] to read several that belong together.
type Config interface {
	Config8(ConfigOffset) uint8
	Config16(ConfigOffset) uint16
	Config32(ConfigOffset) uint32
}

// Transport carries a device's registers. It is not safe for concurrent use,
// but for Notify and TakeInterrupt, which touch registers of their own.
type Transport interface {
	Config
	DeviceID() DeviceID
	// Features is what the device offers, SetFeatures what the driver accepts.
	Features() Features
	SetFeatures(Features)
	Status() Status
	SetStatus(Status)
	// ConfigGeneration changes whenever the configuration does (§2.5).
	ConfigGeneration() uint32
	// QueueMax is the largest size of a queue in descriptors as the device
	// tells it, 0 when there is no such queue.
	QueueMax(queue int) int
	// SetQueue tells the device where a queue lies and enables it.
	SetQueue(queue int, r Rings) error
	// Notify tells the device to look at a queue.
	Notify(queue int)
	// TakeInterrupt acknowledges the reasons for an interrupt and returns
	// them. Looked at after it, a ring misses nothing: a later event interrupts again.
	TakeInterrupt() Interrupt
}

// QueueInterrupter is a Transport whose queues can each have an interrupt of
// their own (MSI-X, §4.1.4.3). Vectors are assigned while a queue is not enabled, and
// a reset takes them away again. Once one is assigned, TakeInterrupt says nothing: which
// vector came is the reason.
type QueueInterrupter interface {
	Transport
	// Vectors is how many there are.
	Vectors() int
	// SetQueueVector and SetConfigVector assign a vector. The error says that the device
	// has no resources for it (§4.1.5.1.2.1: it reads back as 0xffff).
	SetQueueVector(queue, vector int) error
	SetConfigVector(vector int) error
}

var (
	// ErrReset is returned when a device did not complete a reset in time.
	ErrReset = errors.New("virtio: device did not reset")
	// ErrFeatures is returned when driver and device cannot agree on features.
	ErrFeatures = errors.New("virtio: feature negotiation failed")
	// ErrConfig is returned when the configuration did not hold still to be read.
	ErrConfig = errors.New("virtio: configuration keeps changing")
	// ErrQueue is returned for a queue that is not there, or that the device does not enable.
	ErrQueue = errors.New("virtio: queue is not available")
)

// ResetTimeout bounds the wait for a reset. A device may finish what it is
// doing first; QEMU's answer at once.
const ResetTimeout = time.Second

// Reset stops the device (§2.4): when it returns nil, the device uses no
// memory of the driver's any more. The error is ErrReset.
func Reset(t Transport) error {
	t.SetStatus(0)
	for deadline := time.Now().Add(ResetTimeout); t.Status() != 0; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: status is still %#x after %v", ErrReset, t.Status(), ResetTimeout)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// Negotiate resets the device and takes it to FEATURES_OK with those of the
// wanted features that it offers, and VERSION_1, which it must offer (§3.1.1,
// steps 1 to 6). The caller then sets up its queues and calls [Run]. The errors
// are ErrReset and ErrFeatures; after one the device is left marked FAILED.
func Negotiate(t Transport, want Features) (Features, error) {
	if err := Reset(t); err != nil {
		return 0, err
	}
	s := StatusAcknowledge
	t.SetStatus(s)
	s |= StatusDriver
	t.SetStatus(s)

	offered := t.Features()
	if !offered.Has(FeatureVersion1) {
		t.SetStatus(s | StatusFailed)
		return 0, fmt.Errorf("%w: device offers %#x without VERSION_1: it is a legacy device", ErrFeatures, uint64(offered))
	}
	accepted := offered & (want | FeatureVersion1)
	t.SetFeatures(accepted)
	s |= StatusFeaturesOK
	t.SetStatus(s)
	if t.Status()&StatusFeaturesOK == 0 {
		t.SetStatus(s | StatusFailed)
		return 0, fmt.Errorf("%w: device refuses features %#x of the %#x that it offers", ErrFeatures, uint64(accepted), uint64(offered))
	}
	return accepted, nil
}

// Run sets DRIVER_OK: the device is live (§3.1.1 step 8).
func Run(t Transport) { t.SetStatus(t.Status() | StatusDriverOK) }

// Fail tells the device that the driver has given it up (§2.1).
func Fail(t Transport) { t.SetStatus(t.Status() | StatusFailed) }

// configTries bounds how often a configuration is read again.
const configTries = 16

// ReadConfig calls read until the configuration did not change while it ran, so that
// fields which are wider than an access, or belong together, are of one
// instant (§2.5.1). The error is ErrConfig; what was read must then not be used.
func ReadConfig(t Transport, read func(Config)) error {
	for range configTries {
		before := t.ConfigGeneration()
		read(t)
		if t.ConfigGeneration() == before {
			return nil
		}
	}
	return fmt.Errorf("%w: %d reads, each under another generation", ErrConfig, configTries)
}
