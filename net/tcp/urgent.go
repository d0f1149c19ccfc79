package tcp

import (
	"io"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// gVisor's TCP takes no notice of urgent pointers (RFC 9293 §3.8.5, RFC 6093).
// Here they are noted as segments come in, and set as they go out; the urgent
// byte stays where it is in the stream, and receives go around it.

// urgentMarks are the latest urgent pointers that came in. An endpoint's goes
// with the endpoint.
type urgentMarks struct {
	used atomic.Bool // an urgent pointer ever came in

	urgents perEndpoint[urgent]
}

// urgent is Linux's urg_data and urg_seq.
type urgent struct {
	// in are the pointers that came in since a receive looked.
	in arrivals

	// mu is of the receives, which lock the endpoint under it.
	mu    sync.Mutex
	set   bool
	taken bool   // by MSG_OOB: TCP_URG_READ
	seq   uint32 // the urgent byte's
	// replaced is a mark that a later one took the place of before anyone
	// looked. If receives had come just to it, its byte is passed over.
	replaced    uint32
	hasReplaced bool
}

// arrivals are the first and the last of some urgent pointers, by where the
// urgent bytes are. Nothing is locked under mu: segments come in on goroutines
// that have the sender's endpoint locked.
type arrivals struct {
	mu          sync.Mutex
	any         bool
	first, last uint32
}

// note takes a pointer that is ahead of those before.
func (a *arrivals) note(seq uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.any:
		a.any, a.first, a.last = true, seq, seq
	case int32(seq-a.last) > 0:
		a.last = seq
	}
}

// take returns what came in, once.
func (a *arrivals) take() (first, last uint32, any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	any, a.any = a.any, false
	return a.first, a.last, any
}

// receive is Linux's tcp_check_urg. What is out of the window is found when
// the mark is looked at.
func (m *urgentMarks) receive(ep stack.TransportEndpoint, h header.TCP, pkt *stack.PacketBuffer) {
	tep, ok := ep.(*gtcp.Endpoint)
	if !ok || h.Flags()&header.TCPFlagSyn != 0 || !summed(h, pkt) {
		return
	}
	seq := h.SequenceNumber()
	if p := h.UrgentPointer(); p != 0 {
		seq += uint32(p) - 1 // net.ipv4.tcp_stdurg is off
	}
	m.used.Store(true)
	m.of(tep, true).in.note(seq)
}

// update makes the mark the latest that came in. mu is held.
func (u *urgent) update() {
	first, last, any := u.in.take()
	switch {
	case !any || u.set && int32(last-u.seq) <= 0:
		return
	case u.set:
		u.replaced, u.hasReplaced = u.seq, true
	case first != last:
		u.replaced, u.hasReplaced = first, true
	}
	u.seq, u.set, u.taken = last, true, false
}

// summed reports whether a segment's checksum is right.
func summed(h header.TCP, pkt *stack.PacketBuffer) bool {
	if pkt.RXChecksumValidated {
		return true
	}
	net := pkt.Network()
	return h.IsChecksumValid(net.SourceAddress(), net.DestinationAddress(), pkt.Data().Checksum(), uint16(pkt.Data().Size()))
}

func (m *urgentMarks) of(ep *gtcp.Endpoint, create bool) *urgent {
	if !m.used.Load() {
		return nil
	}
	return m.urgents.of(ep, create)
}

// A mark is where a stream's urgent byte stands, as its reader sees it.
type mark struct {
	*urgent
	off    int // bytes before it
	queued int // bytes received, the urgent one among them
}

// mark looks for an urgent byte that was not read past. The caller calls done.
func (t *sock) mark(ep *inet.Endpoint) (m mark, ok bool) {
	tep, isTCP := ep.Endpoint.(*gtcp.Endpoint)
	if !isTCP || !t.net.marks.used.Load() {
		return m, false
	}
	u := t.net.marks.of(tep, false)
	if u == nil {
		return m, false
	}
	u.mu.Lock()
	u.update()
	s, ok := segments(ep)
	if !ok || !u.set {
		u.mu.Unlock()
		return m, false
	}
	copied := s.rcvNxt - uint32(s.queued)
	if u.hasReplaced && u.replaced == copied && s.queued > 0 && !t.Flag(socket.FlagURGInline) {
		ep.Read(&window{skip: 1}, tcpip.ReadOptions{})
		copied, s.queued = copied+1, s.queued-1
	}
	u.hasReplaced = false
	m = mark{urgent: u, off: int(int32(u.seq - copied)), queued: s.queued}
	if m.off < 0 {
		u.set = false
		u.mu.Unlock()
		return m, false
	}
	return m, true
}

func (m mark) done() { m.mu.Unlock() }

// here reports whether the byte has been received.
func (m mark) here() bool { return m.off < m.queued }

// inq is how much can be read as FIONREAD tells it: up to the mark
// (tcp_inq).
func (m mark) inq(inline bool) int {
	if inline || !m.here() {
		return m.queued
	}
	return m.off
}

// window is a Writer to an iterator of a part of what is written.
type window struct {
	it   *socket.Iter
	skip int // bytes that come before
	left int // bytes to store
}

// Write implements io.Writer.
func (w *window) Write(p []byte) (int, error) {
	n := min(w.skip, len(p))
	w.skip -= n
	take := min(w.left, len(p)-n)
	if take > 0 {
		k, err := w.it.Write(p[n : n+take])
		n += k
		w.left -= k
		if err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// readAround reads from a position to the mark, or past it when the position
// is there, without the urgent byte unless it is inline. It returns how much
// was stored.
func (t *sock) readAround(m mark, ep *inet.Endpoint, it *socket.Iter, peek bool, at int) (int, tcpip.Error) {
	w := window{it: it, skip: at, left: it.Len()}
	switch before := m.off - at; {
	case before > 0:
		w.left = min(w.left, before)
	case before == 0 && !t.Flag(socket.FlagURGInline):
		w.skip++
	}
	return readWindow(ep, &w, peek)
}

// readWindow reads into a window. ErrWouldBlock says that there was nothing in
// it.
func readWindow(ep *inet.Endpoint, w *window, peek bool) (int, tcpip.Error) {
	left := w.left
	res, terr := ep.Read(w, tcpip.ReadOptions{Peek: peek})
	if terr != nil {
		return 0, terr
	}
	if !peek {
		ep.ModerateRecvBuf(res.Count)
	}
	if w.left == left {
		return 0, &tcpip.ErrWouldBlock{}
	}
	return left - w.left, nil
}

// recvUrgent is Linux's tcp_recv_urg. It never waits.
func (t *sock) recvUrgent(ep *inet.Endpoint, m *socket.Msghdr, flags int) (int, error) {
	if ep == nil || t.Flag(socket.FlagURGInline) {
		return 0, errno.EINVAL
	}
	u, ok := t.mark(ep)
	if !ok {
		return 0, errno.EINVAL
	}
	defer u.done()
	st := state(ep)
	switch {
	case u.taken:
		return 0, errno.EINVAL
	case !u.here() && (st == socket.TCP_CLOSE || shutdownBits(&t.Sock.Sock, ep, st)&socket.RCV_SHUTDOWN != 0):
		return 0, nil
	case !u.here():
		return 0, errno.EAGAIN
	}
	u.taken = flags&socket.MSG_PEEK == 0
	m.Flags |= socket.MSG_OOB
	it := m.Iter()
	switch {
	case it.Len() == 0:
		m.Flags |= socket.MSG_TRUNC
		return 0, nil
	case flags&socket.MSG_TRUNC != 0:
		return 1, nil
	}
	n, terr := readWindow(ep, &window{it: it, skip: u.off, left: 1}, true)
	return n, errno.FromTCPIP(terr)
}

// atMark reports whether the urgent byte is at a position; at the front it is
// SIOCATMARK's answer.
func (t *sock) atMark(ep *inet.Endpoint, at int) bool {
	m, ok := t.mark(ep)
	if ok {
		m.done()
	}
	return ok && m.off == at
}

// inq returns the bytes that FIONREAD tells.
func (t *sock) inq(ep *inet.Endpoint) int {
	m, ok := t.mark(ep)
	if !ok {
		return received(ep)
	}
	defer m.done()
	return m.inq(t.Flag(socket.FlagURGInline))
}

// pollUrgent returns what more than the low mark must be there for the stream
// to be readable, and POLLPRI if an urgent byte waits (tcp_poll).
func (t *sock) pollUrgent(ep *inet.Endpoint) (more int, mask socket.EventMask) {
	m, ok := t.mark(ep)
	if !ok {
		return 0, 0
	}
	defer m.done()
	if m.off == 0 && !t.Flag(socket.FlagURGInline) {
		more = 1
	}
	if m.here() && !m.taken {
		mask = socket.POLLPRI
	}
	return more, mask
}
