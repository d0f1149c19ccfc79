package enet

import (
	"sync/atomic"
	"unsafe"

	"github.com/tamanet/tamanet/drivers/dma"
)

// desc is an enhanced buffer descriptor (IMX6ULLRM §22.6.14) in little-endian
// order (ECR.DBSWP). Its first word hands it from one side to the other: it is
// loaded and stored whole, and last.
type desc struct {
	// word holds the length in the lower half, the status in the upper.
	word uint32
	addr uint32
	// ext is the extended status and control.
	ext uint32
	// protocol is the header length and payload checksum of a received frame.
	protocol uint32
	// done is bdDone once the MAC has written the other fields.
	done      uint32
	timestamp uint32
	_         [2]uint32
}

const descSize = 32

// The status in desc.word (Tables 22-35 to 22-38).
const (
	bdOwned = 1 << 31 // E (receive), R (transmit): the MAC's
	bdWrap  = 1 << 29 // W: the ring's last
	bdLast  = 1 << 27 // L: the frame's last

	bdTxCRC = 1 << 26 // TC: append the frame check sequence

	bdRxLong     = 1 << 21 // LG: longer than RCR.MAX_FL
	bdRxOctet    = 1 << 20 // NO: not a whole number of octets
	bdRxCRC      = 1 << 18 // CR: frame check sequence, or the PHY's error
	bdRxOverrun  = 1 << 17 // OV: the FIFO overflowed; the other bits mean nothing
	bdRxTruncate = 1 << 16 // TR: longer than FTRL

	bdLength = 0xffff
)

// desc.ext of a transmit descriptor.
const (
	bdTxInt      = 1 << 30 // INT: interrupt when transmitted
	bdTxProtocol = 1 << 28 // PINS: insert the TCP or UDP checksum
	// bdTxErrors are TXE, UE, EE, FE, LCE, OE and TSE.
	bdTxErrors = 1<<15 | 1<<13 | 1<<12 | 1<<11 | 1<<10 | 1<<9 | 1<<8
)

// desc.ext of a receive descriptor.
const (
	bdRxError      = 1 << 31 // ME: the MAC gave up on the frame
	bdRxPHYError   = 1 << 26 // PE
	bdRxInt        = 1 << 23 // INT: interrupt when received
	bdRxBadIP      = 1 << 5  // ICE: wrong IP header checksum, or not IP
	bdRxBadPayload = 1 << 4  // PCR: wrong protocol checksum, or an unknown protocol
	bdRxIPv6       = 1 << 1
	bdRxFragment   = 1 << 0 // FRAG: an IPv4 fragment
)

// ringAlign is what a ring's address must be a multiple of (§22.5.28).
const ringAlign = 64

// ring is descriptors that are shared with the MAC.
type ring struct {
	block *dma.Block
	bd    []desc
}

func newRing(m dma.Memory, n int) (ring, error) {
	b, err := m.Alloc(n*descSize, ringAlign)
	if err != nil {
		return ring{}, err
	}
	// SAFETY: the block is n descriptors long and aligned for them; the pointer keeps it
	// reachable, and neither the heap nor a board's region moves.
	bd := unsafe.Slice((*desc)(unsafe.Pointer(unsafe.SliceData(b.Bytes))), n)
	return ring{block: b, bd: bd}, nil
}

// wrap returns bdWrap for the last descriptor, else 0.
func (r *ring) wrap(i int) uint32 {
	if i == len(r.bd)-1 {
		return bdWrap
	}
	return 0
}

func (r *ring) next(i int) int {
	if i++; i < len(r.bd) {
		return i
	}
	return 0
}

// load returns a descriptor's word and says whether it is the driver's. Then the loads
// that follow see what the MAC wrote ahead of the word.
func (r *ring) load(i int) (word uint32, ours bool) {
	word = atomic.LoadUint32(&r.bd[i].word)
	if word&bdOwned != 0 {
		return word, false
	}
	dma.ReadBarrier()
	return word, true
}

// give hands a descriptor to the MAC, which sees the stores before it.
func (r *ring) give(i int, word uint32) {
	dma.WriteBarrier()
	atomic.StoreUint32(&r.bd[i].word, word|bdOwned|r.wrap(i))
}

// set fills a descriptor but for its word.
func (d *desc) set(addr dma.Addr, ext uint32) {
	atomic.StoreUint32(&d.addr, uint32(addr))
	atomic.StoreUint32(&d.ext, ext)
	atomic.StoreUint32(&d.done, 0)
}

// extended returns what the MAC wrote into the extended status.
func (d *desc) extended() uint32 { return atomic.LoadUint32(&d.ext) }

// reachable says whether the MAC's 32-bit addresses reach n bytes at a.
func reachable(a dma.Addr, n int) bool { return uint64(a)+uint64(n) <= 1<<32 }

// pointerAligned says whether b begins at a multiple of n, a power of two.
func pointerAligned(b []byte, n uintptr) bool {
	// SAFETY: the pointer is only looked at.
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))&(n-1) == 0
}
