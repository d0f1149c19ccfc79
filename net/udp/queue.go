package udp

import (
	"math/bits"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A datagram is one that came in, in a buffer of the pool's. It belongs to
// whoever holds it: the sender or the stack until it is queued, the queue, and
// the receiver, which gives it back.
type datagram struct {
	next *datagram

	// buf begins with the UDP header, for filters; n bytes of payload follow.
	buf []byte
	n   int

	filled   int // by Write
	proto    tcpip.NetworkProtocolNumber
	src, dst tcpip.Address
	srcPort  uint16
	dstPort  uint16
	nic      tcpip.NICID
	ttl, tos uint8
	segment  uint16 // payload size of the datagrams that were put together, or 0
	peeked   bool
	drops    uint32 // that the queue had before
	at       int64  // when it came in, in nanoseconds since 1970
}

// Buffers have the sizes 2^leastClass to 2^mostClass bytes.
const (
	leastClass = 8
	mostClass  = 17
)

var pools [mostClass - leastClass + 1]sync.Pool

// newDatagram takes one with room for n bytes of payload, n at most maxLen.
func newDatagram(n int) *datagram {
	c := class(n)
	d, ok := pools[c].Get().(*datagram)
	if !ok {
		d = &datagram{buf: make([]byte, 1<<(c+leastClass))}
	}
	d.n = n
	return d
}

func class(n int) int {
	return max(bits.Len(uint(n+header.UDPMinimumSize-1))-leastClass, 0)
}

// release gives the datagram back to the pool.
func (d *datagram) release() {
	buf := d.buf
	*d = datagram{buf: buf}
	pools[bits.Len(uint(len(buf)))-1-leastClass].Put(d)
}

// packet is the datagram with its header.
func (d *datagram) packet() []byte { return d.buf[:header.UDPMinimumSize+d.n] }

// Write implements io.Writer: it appends to the payload, and passes over what
// has no room.
func (d *datagram) Write(b []byte) (int, error) {
	d.filled += copy(d.payload()[d.filled:], b)
	return len(b), nil
}

func (d *datagram) payload() []byte { return d.packet()[header.UDPMinimumSize:] }

// charge is what the datagram counts for of SO_RCVBUF. The memory held is at
// most twice that.
func (d *datagram) charge() int { return truesize(d.n) }

// truesize is about what Linux's struct sk_buff has with n bytes of payload.
func truesize(n int) int {
	size := n + skbOverhead
	if size <= maxKmalloc {
		return sizeofSkb + 1<<bits.Len(uint(size-1))
	}
	return sizeofSkb + (size+pageSize-1)&^(pageSize-1)
}

// sizeofSkb is struct sk_buff with alignment. skbOverhead is what the data of
// a sent datagram has around it: IP, UDP and Ethernet headers, and struct
// skb_shared_info.
const (
	sizeofSkb   = 256
	skbOverhead = 28 + 31 + 320
	// Data up to maxKmalloc is in a buffer of a power of two, more in pages.
	maxKmalloc = 8192
	pageSize   = 4096
)

// A queue holds the datagrams that wait to be received, in the order in which
// they came in: Linux's sk_receive_queue.
type queue struct {
	mu          sync.Mutex
	first, last *datagram
	charged     int // in bytes, see datagram.charge
	drops       uint32
	closed      bool
}

// outcome tells what became of a datagram.
type outcome int

const (
	queued outcome = iota
	dropped
	gone // the endpoint is closed
)

// put appends d, which is the queue's or given back then. As on Linux
// (__udp_enqueue_schedule_skb) the last one may go past the limit.
func (q *queue) put(d *datagram, limit int) outcome {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		d.release()
		return gone
	case q.charged > limit:
		q.drops++
		q.mu.Unlock()
		d.release()
		return dropped
	}
	q.charged += d.charge()
	d.drops = q.drops
	if q.last == nil {
		q.first = d
	} else {
		q.last.next = d
	}
	q.last = d
	q.mu.Unlock()
	return queued
}

// full reports whether put would drop; the answer may be old.
func (q *queue) full(limit int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.charged > limit
}

// drop counts a datagram that is not even offered.
func (q *queue) drop() {
	q.mu.Lock()
	q.drops++
	q.mu.Unlock()
}

// take removes the first datagram, or returns nil.
func (q *queue) take() *datagram {
	q.mu.Lock()
	d := q.first
	if d != nil {
		if q.first = d.next; q.first == nil {
			q.last = nil
		}
		q.charged -= d.charge()
	}
	q.mu.Unlock()
	return d
}

// peek calls look with the datagram in which the off-th waiting byte is, and
// where in it, the queue being locked. A negative offset is the first
// datagram's start. It returns false when there is none.
// (__skb_try_recv_from_queue)
func (q *queue) peek(off int, look func(d *datagram, off int)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := q.first
	if off < 0 {
		off = 0
	} else {
		for d != nil && off >= d.n && (off > 0 || d.peeked) {
			off -= d.n
			d = d.next
		}
	}
	if d == nil {
		return false
	}
	if d.n == 0 {
		d.peeked = true
	}
	look(d, off)
	return true
}

// length returns the first datagram's payload, what all count for, and
// whether there is one.
func (q *queue) length() (first, charged int, any bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first == nil {
		return 0, q.charged, false
	}
	return q.first.n, q.charged, true
}

// close gives everything back and takes no more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.charged = true, 0
	for q.first != nil {
		d := q.first
		q.first = d.next
		d.release()
	}
	q.last = nil
}
