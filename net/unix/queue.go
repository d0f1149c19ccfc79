package unix

import (
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/socket"
)

// A message is what was sent in one piece: Linux's struct sk_buff. In a
// listener's queue it is a connection, and has only newsk.
type message struct {
	next     *message
	from     *sock // who is charged
	data     []byte
	off      int  // how much of data was received
	peeked   bool // an empty datagram that MSG_PEEK saw
	truesize int
	cred     socket.Ucred
	fp       *socket.FileList
	newsk    *sock
}

// A queue is a Sock's receive queue. It is a list, as the next message is
// always at its head.
type queue struct {
	// recv is held by the one who receives: only it takes messages out.
	// (iolock)
	recv sync.Mutex

	backlog atomic.Int32 // sk_max_ack_backlog
	count   atomic.Int32
	bytes   atomic.Int64 // in data, not yet received

	// pushed counts the messages that ever came, so that who waits for more
	// sees that there are.
	pushed atomic.Uint64

	// oob is a stream's urgent byte, a message in the queue, until it is
	// received or passed over. Changed with mu held.
	oob atomic.Pointer[message]

	mu         sync.Mutex
	head, tail *message
	dead       bool // SOCK_DEAD: nothing is taken any more
}

// unread is how many bytes of m were not received (unix_skb_len).
func (m *message) unread() int { return len(m.data) - m.off }

// full is Linux's unix_recvq_full: there may be one more than the backlog.
func (q *queue) full() bool { return q.count.Load() > q.backlog.Load() }

// push appends m, or returns false when the queue is dead.
func (q *queue) push(m *message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.append(m)
}

// pushUrgent is push of a stream's urgent byte. The one before, if it is
// still there, is a byte like others then.
func (q *queue) pushUrgent(m *message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.append(m) {
		return false
	}
	q.oob.Store(m)
	return true
}

// append is push with mu held.
func (q *queue) append(m *message) bool {
	if q.dead {
		return false
	}
	if q.tail == nil {
		q.head = m
	} else {
		q.tail.next = m
	}
	q.tail = m
	q.count.Add(1)
	q.bytes.Add(int64(len(m.data)))
	q.pushed.Add(1)
	return true
}

// peek returns the first message, or nil.
func (q *queue) peek() *message {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head
}

// unreceived reports whether there is more than an urgent byte that was
// received already.
func (q *queue) unreceived() bool {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.head
	if m != nil && m.unread() == 0 {
		m = m.next
	}
	return m != nil
}

// after returns the message behind m, or nil.
func (q *queue) after(m *message) *message {
	q.mu.Lock()
	defer q.mu.Unlock()
	return m.next
}

// pop takes the first message out, or returns nil. The caller holds recv or
// is alone.
func (q *queue) pop() *message {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == nil {
		return nil
	}
	return q.unlink(nil, q.head)
}

// unlink takes m out of the queue; before is the message in front of it, nil
// at the head. Called with mu held.
func (q *queue) unlink(before, m *message) *message {
	if before == nil {
		q.head = m.next
	} else {
		before.next = m.next
	}
	if q.tail == m {
		q.tail = before
	}
	m.next = nil
	q.count.Add(-1)
	q.bytes.Add(int64(-m.unread()))
	return m
}

// consume notes that n more bytes of m, in the queue, were received.
func (q *queue) consume(m *message, n int) {
	m.off += n
	q.bytes.Add(int64(-n))
}

// kill makes the queue refuse messages.
func (q *queue) kill() {
	q.mu.Lock()
	q.dead = true
	q.oob.Store(nil)
	q.mu.Unlock()
}

func (q *queue) isDead() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dead
}

// each calls f for each message.
func (q *queue) each(f func(m *message)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for m := q.head; m != nil; m = m.next {
		f(m)
	}
}

// The room that Linux takes for a message on a 64-bit machine
// (include/linux/skbuff.h): the sk_buff itself, what stands behind the data,
// and how much of the data is in one piece, the rest being in pages.
const (
	sizeofSkBuff     = 256
	sizeofSharedInfo = 320
	pageSize         = 4096
	streamMaxHead    = pageSize - sizeofSharedInfo   // SKB_MAX_HEAD(0)
	dgramMaxHead     = 4*pageSize - sizeofSharedInfo // SKB_MAX_ALLOC
	maxSkbFrags      = 17
	streamMaxFrags   = 8 * pageSize // UNIX_SKB_FRAGS_SZ
)

// truesize is how many bytes Linux charges a sender for a message with n
// bytes (sock_alloc_send_pskb).
func truesize(n, maxHead int) int {
	paged := 0
	if n > maxHead {
		paged = min(n, pageAlign(min(n-maxHead, maxSkbFrags*pageSize)))
	}
	head := 512
	for head < n-paged+sizeofSharedInfo {
		head *= 2
	}
	return head + sizeofSkBuff + pageAlign(paged)
}

func pageAlign(n int) int { return (n + pageSize - 1) &^ (pageSize - 1) }

// Messages are used again, by the size of their buffers.
var (
	smallMessages = sync.Pool{New: func() any { return &message{data: make([]byte, 0, smallSize)} }}
	largeMessages = sync.Pool{New: func() any { return &message{data: make([]byte, 0, largeSize)} }}
)

const (
	smallSize = 2048
	largeSize = streamMaxHead + streamMaxFrags
)

// newMessage returns a message of size bytes from u, charged with charge.
func (u *sock) newMessage(size, charge int) *message {
	var m *message
	switch {
	case size <= smallSize:
		m = smallMessages.Get().(*message)
	case size <= largeSize:
		m = largeMessages.Get().(*message)
	default:
		m = &message{data: make([]byte, 0, size)}
	}
	m.data = m.data[:size]
	m.from, m.truesize = u, charge
	u.wmem.Add(int64(charge))
	return m
}

// free ends a message: its files are closed, and the sender is no longer
// charged (kfree_skb). No lock may be held if there are files: closing them
// may release sockets.
func (m *message) free() {
	if m.fp != nil {
		land(m.fp)
		m.fp.Put()
	}
	from, charge := m.from, m.truesize
	data := m.data[:0]
	*m = message{data: data}
	switch cap(data) {
	case smallSize:
		smallMessages.Put(m)
	case largeSize:
		largeMessages.Put(m)
	}
	if from != nil {
		from.uncharge(charge)
	}
}
