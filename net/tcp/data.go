package tcp

import (
	"io"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// SendMsg is Linux's tcp_sendmsg. The destination in m is ignored, as there.
func (*Proto) SendMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	ep := inet.Of(sk).Endpoint()
	if ep == nil || sk.Shutdown()&socket.SEND_SHUTDOWN != 0 {
		return 0, brokenPipe(sk, ep)
	}
	t, more := of(sk), flags&socket.MSG_MORE != 0
	t.answer()
	if more {
		t.hold(ep)
	}
	it := m.Iter()
	total := it.Len()
	urgent := flags&socket.MSG_OOB != 0 && total > 0
	var up uint64
	if urgent {
		up = t.urge(ep, total)
	}
	n, terr := t.write(ep, it)
	sent, err := int(n), error(nil)
	if terr != nil || sent != total {
		sent, err = sendRest(sk, ep, it, sent, terr, sk.SndTimeo(flags&socket.MSG_DONTWAIT != 0))
	}
	if urgent {
		t.urged(ep, total, sent, up)
	}
	if !more && sent > 0 && t.held.Load() {
		t.push(ep)
	}
	return sent, err
}

// sendRest goes on after a first write that did not take everything. sent
// counts what was taken; terr is the write's error.
func sendRest(sk *socket.Sock, ep *inet.Endpoint, it *socket.Iter, sent int, terr tcpip.Error, timeo time.Duration) (int, error) {
	t := of(sk)
	err := sendError(sk, ep, terr)
	for err == nil || err == errno.EAGAIN {
		if err == nil && it.Len() == 0 {
			return sent, nil
		}
		if err == errno.EAGAIN {
			if timeo == 0 {
				break
			}
			werr := sk.Wait(waiter.WritableEvents|waiter.EventHUp|waiter.EventErr, timeo, func() bool {
				return t.sendsSoon(ep, false) && writable(ep)
			})
			if werr != nil {
				err = werr
				break
			}
		}
		if sk.Shutdown()&socket.SEND_SHUTDOWN != 0 {
			err = brokenPipe(sk, ep)
			break
		}
		n, terr := t.write(ep, it)
		sent += int(n)
		err = sendError(sk, ep, terr)
	}
	if sent > 0 {
		// What was taken is reported; the error will come again.
		return sent, nil
	}
	return 0, err
}

// write writes what there is room for: in the send buffer and, with
// TCP_NOTSENT_LOWAT, in pieces as Linux's segments are long.
func (t *sock) write(ep *inet.Endpoint, it *socket.Iter) (n int64, terr tcpip.Error) {
	if t.extra.notSent.Load() == 0 {
		n, terr = ep.Write(it, tcpip.WriteOptions{})
	} else if !t.sendsSoon(ep, false) && !over(ep) {
		return 0, &tcpip.ErrWouldBlock{}
	} else {
		n, terr = ep.Write(&piece{it, min(it.Len(), maxPiece)}, tcpip.WriteOptions{})
	}
	t.net.memory.took(t.net.st, int(n))
	return n, terr
}

// maxPiece is the longest that a segment before its segmentation is
// (sk_gso_max_size).
const maxPiece = 64 << 10

// A piece is the next bytes of an iterator: a tcpip.Payloader.
type piece struct {
	it   *socket.Iter
	left int
}

// Len implements tcpip.Payloader.
func (p *piece) Len() int { return p.left }

// Read implements io.Reader.
func (p *piece) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.it.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

// sendsSoon reports whether less waits to be sent than TCP_NOTSENT_LOWAT
// says, or for a poll less than half of it (tcp_stream_memory_free).
func (t *sock) sendsSoon(ep *inet.Endpoint, poll bool) bool {
	low := uint64(t.extra.notSent.Load())
	if low == 0 {
		return true
	}
	_, n := sendQueue(ep)
	return uint64(n)<<socket.BoolInt(poll) < low
}

func writable(ep *inet.Endpoint) bool {
	return ep.Readiness(waiter.WritableEvents)&waiter.WritableEvents != 0 || over(ep)
}

// sendError translates the error of a write, and keeps one that ended the
// connection from being reported twice.
func sendError(sk *socket.Sock, ep *inet.Endpoint, terr tcpip.Error) error {
	switch terr.(type) {
	case nil:
		return nil
	case *tcpip.ErrWouldBlock:
		return errno.EAGAIN
	case *tcpip.ErrClosedForSend:
		return brokenPipe(sk, ep)
	}
	taken(ep)
	return errno.FromTCPIP(terr)
}

// taken notes that the caller got the endpoint's error.
func taken(ep *inet.Endpoint) {
	if !ep.Harvested.Swap(true) {
		ep.LastError()
	}
}

// brokenPipe returns the pending error, or else EPIPE (sk_stream_error).
func brokenPipe(sk *socket.Sock, ep *inet.Endpoint) error {
	if ep != nil {
		harvest(sk, ep)
	}
	if err := sk.TakeErr(); err != nil {
		return err
	}
	return errno.EPIPE
}

// RecvMsg is Linux's tcp_recvmsg.
func (*Proto) RecvMsg(sk *socket.Sock, m *socket.Msghdr, flags int) (int, error) {
	ep := inet.Of(sk).Endpoint()
	if flags&socket.MSG_ERRQUEUE != 0 {
		return 0, errno.EAGAIN // the queue is empty: nothing is put there yet
	}
	switch {
	case ep != nil && state(ep) == socket.TCP_LISTEN:
		return 0, errno.ENOTCONN
	case flags&socket.MSG_OOB != 0:
		return of(sk).recvUrgent(ep, m, flags)
	case ep == nil:
		return 0, recvUnconnected(sk)
	}
	it := m.Iter()
	it.Discard = flags&socket.MSG_TRUNC != 0
	n, err := recvOnce(sk, ep, it, flags, 0)
	if err != nil || flags&socket.MSG_WAITALL != 0 || n < sk.RcvLowat() {
		n, err = recvRest(sk, ep, it, n, err, flags)
	}
	if t := of(sk); n > 0 && !t.heard.Load() {
		t.heard.Store(true)
	}
	if err == nil && of(sk).extra.inq.Load() {
		tellInq(sk, ep, m)
	}
	return n, err
}

// recvUnconnected is what a receive without an endpoint returns.
func recvUnconnected(sk *socket.Sock) error {
	if err := sk.TakeErr(); err != nil {
		return err
	}
	if sk.Shutdown()&socket.RCV_SHUTDOWN != 0 {
		return nil
	}
	return errno.ENOTCONN
}

// recvRest goes on after a first read that found nothing or, with
// MSG_WAITALL or SO_RCVLOWAT, too little. A peek goes on behind what it has.
func recvRest(sk *socket.Sock, ep *inet.Endpoint, it *socket.Iter, got int, err error, flags int) (int, error) {
	timeo := sk.RcvTimeo(flags&socket.MSG_DONTWAIT != 0)
	for {
		switch {
		case err == errno.EAGAIN && timeo > 0:
			if err = waitReadable(sk, ep, timeo, flags, got); err != nil {
				return orError(got, err)
			}
		case err != nil:
			return orError(got, err)
		case it.Len() == 0:
			return got, nil
		case flags&socket.MSG_WAITALL == 0 && got >= sk.RcvLowat():
			return got, nil
		case got > 0 && of(sk).atMark(ep, of(sk).position(flags, got)):
			return got, nil // no receive goes across the urgent byte
		}
		var n int
		n, err = recvOnce(sk, ep, it, flags, got)
		if n == 0 && err == nil {
			return got, nil
		}
		got += n
	}
}

// orError returns what was received, or else the error.
func orError(n int, err error) (int, error) {
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func waitReadable(sk *socket.Sock, ep *inet.Endpoint, timeo time.Duration, flags, got int) error {
	at := of(sk).position(flags, got)
	return sk.Wait(waiter.ReadableEvents|waiter.EventHUp|waiter.EventErr|waiter.EventRdHUp, timeo, func() bool {
		return readable(sk, ep, at)
	})
}

// position is where in what waits a receive that has got bytes goes on: at the
// front, but for a peek, which leaves them there.
func (t *sock) position(flags, got int) int {
	switch off := t.PeekOff(); {
	case flags&socket.MSG_PEEK == 0:
		return 0
	case off >= 0:
		return off // it has moved by got
	}
	return got
}

// readable reports whether a receive at some position would not block.
func readable(sk *socket.Sock, ep *inet.Endpoint, at int) bool {
	st := state(ep)
	switch st {
	case socket.TCP_SYN_SENT, socket.TCP_SYN_RECV:
		return sk.HasErr()
	case socket.TCP_CLOSE:
		return true
	}
	more, _ := of(sk).pollUrgent(ep)
	return shutdownBits(sk, ep, st)&socket.RCV_SHUTDOWN != 0 || received(ep) > at+more || sk.HasErr()
}

// recvOnce reads what is there. It returns 0 and nil at the end of the stream
// and EAGAIN when nothing is there yet. Received data comes before a pending
// error, and that before the end.
func recvOnce(sk *socket.Sock, ep *inet.Endpoint, it *socket.Iter, flags, got int) (int, error) {
	harvest(sk, ep)
	if it.Len() == 0 {
		if readable(sk, ep, 0) && received(ep) > 0 {
			return 0, nil
		}
	} else {
		n, terr := of(sk).read(ep, it, flags&socket.MSG_PEEK != 0, of(sk).position(flags, got))
		if terr == nil {
			return n, nil
		}
		if err := recvError(ep, terr); err != nil && err != errno.EPIPE {
			return 0, err
		}
	}
	return 0, recvEnd(sk, ep)
}

// read reads into it, where SO_PEEK_OFF and an urgent byte say.
func (t *sock) read(ep *inet.Endpoint, it *socket.Iter, peek bool, at int) (n int, terr tcpip.Error) {
	if m, ok := t.mark(ep); ok {
		n, terr = t.readAround(m, ep, it, peek, at)
		m.done()
	} else if at > 0 {
		n, terr = readWindow(ep, &window{it: it, skip: at, left: it.Len()}, peek)
	} else {
		var res tcpip.ReadResult
		if res, terr = ep.Read(it, tcpip.ReadOptions{Peek: peek}); terr == nil && !peek && !t.net.memory.pressure.Load() {
			ep.ModerateRecvBuf(res.Count)
		}
		n = res.Count
	}
	if peek {
		t.MovePeekOff(n)
	} else {
		t.MovePeekOff(-n)
	}
	return n, terr
}

// recvError returns an error that a read got from the endpoint itself, rather
// than one that says there was nothing to read.
func recvError(ep *inet.Endpoint, terr tcpip.Error) error {
	switch terr.(type) {
	case *tcpip.ErrWouldBlock, *tcpip.ErrClosedForReceive, *tcpip.ErrNotConnected:
		return nil
	}
	taken(ep)
	return errno.FromTCPIP(terr)
}

// recvEnd tells why nothing was read: a pending error, the end of the stream
// (nil), no connection, or only that nothing came yet.
func recvEnd(sk *socket.Sock, ep *inet.Endpoint) error {
	harvest(sk, ep)
	err := sk.TakeErr()
	if err == errno.EPIPE {
		// A reset after the peer's FIN (tcp_reset): the end comes first, by
		// Linux's SOCK_DONE, and the error stays.
		sk.SetErr(err)
		return nil
	}
	if err != nil {
		return err
	}
	st := state(ep)
	switch {
	case shutdownBits(sk, ep, st)&socket.RCV_SHUTDOWN != 0:
		return nil
	case st == socket.TCP_CLOSE:
		return errno.ENOTCONN
	}
	return errno.EAGAIN
}
