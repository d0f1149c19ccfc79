package tcp

import (
	"runtime"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/netdev"
)

// Delayed acknowledgements (RFC 1122 §4.2.3.2, RFC 5681 §4.2). gVisor acknowledges what came in at once, with a
// segment of its own, and then the answer acknowledges it again. Here the acknowledgement of a short segment is held
// back, so that the answer carries it.
//
// Linux holds it back up to 40 ms. Here it is until what can run has run: a goroutine that has yielded once looks
// whether the program has answered, and else has gVisor send what it owes. So there is no timer, and no
// peer that does Nagle's algorithm (RFC 896) waits for an acknowledgement while the machine is idle. With several processors
// an idle one looks sooner.
//
// What is held back is not built either. Once gVisor has gone through a batch, it acknowledges if RCV.NXT is not what it
// takes for acknowledged, sender.MaxSentAck; that is set here, ahead of time, to what RCV.NXT will be. What was
// really acknowledged last stands in receiver.rcvWUP.

const (
	// quickAcks is how many segments are acknowledged at once after one that was not answered in time, and after
	// TCP_QUICKACK asked for it (Linux's TCP_MAX_QUICKACKS).
	quickAcks = 16
	// maxSegOptions is by how much a full-sized segment may be shorter than the MSS, in bytes.
	maxSegOptions = 40
)

// delayed is a stack's connections that owe an acknowledgement.
type delayed struct {
	st *netdev.Stack
	// run is release as a value, so that starting it does not allocate.
	run func()

	mu      sync.Mutex
	running bool
	owing   []owing
	spare   []owing // what owing was before release swapped them
}

// An owing connection may owe an acknowledgement.
type owing struct {
	t  *sock
	ep *gtcp.Endpoint
}

func (d *delayed) init(st *netdev.Stack) { d.st, d.run = st, d.release }

// consider holds back the acknowledgement of a segment that came in, if that is right. It waits for no
// endpoint's lock.
func (d *delayed) consider(ep stack.TransportEndpoint, h header.TCP, pkt *stack.PacketBuffer) {
	tep, ok := ep.(*gtcp.Endpoint)
	size := pkt.Data().Size()
	if !ok || h.Flags() != header.TCPFlagAck|header.TCPFlagPsh || size == 0 ||
		tep.EndpointState() != gtcp.StateEstablished || !tep.TryLock() {
		return
	}
	t := ownerOf(tep)
	held := t != nil && t.has(tep) && t.delay(tep, seqnum.Value(h.SequenceNumber()), seqnum.Size(size))
	tep.ResumeWork()
	if held {
		d.add(owing{t, tep})
	}
}

// delay has gVisor not acknowledge size bytes from seq on, unless that must be done at once: when they are out of
// order, or others are; when with what is owed already they make a full-sized segment; or when the window is small, which
// an acknowledgement would open. ep is locked.
func (t *sock) delay(ep *gtcp.Endpoint, seq seqnum.Value, size seqnum.Size) bool {
	s, ok := acks(ep)
	next, mss := seq.Add(size), seqnum.Size(s.mss)
	if !ok || s.closed || s.gap || seq != s.next || s.window < 4*mss || s.acked.Size(next)+maxSegOptions > mss {
		return false
	}
	if n := t.quick.Load(); n > 0 {
		t.quick.Store(n - 1)
		return false
	}
	*s.maxSent = next
	return true
}

// has reports whether ep is the Sock's. The owner of a connection that nobody has accepted yet is its listener.
func (t *sock) has(ep *gtcp.Endpoint) bool {
	e := t.Endpoint()
	return e != nil && e.Endpoint == tcpip.Endpoint(ep)
}

func (d *delayed) add(o owing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.t.owes == o.ep {
		return
	}
	o.t.owes = o.ep
	d.owing = append(d.owing, o)
	if !d.running {
		d.running = true
		go d.run()
	}
}

// release sends what is owed once what can run has run. The scheduler may come to a goroutine that yielded before its
// turn, so what is owed after once is looked at again.
func (d *delayed) release() {
	runtime.Gosched()
	d.mu.Lock()
	list := d.owing
	d.owing, d.spare, d.running = d.spare[:0], nil, false
	for _, o := range list {
		if o.t.owes == o.ep {
			o.t.owes = nil
		}
	}
	d.mu.Unlock()
	late := list[:0]
	for _, o := range list {
		if !o.answered() {
			late = append(late, o)
		}
	}
	if len(late) > 0 {
		runtime.Gosched()
	}
	for _, o := range late {
		if o.t.settle(o.ep) {
			o.t.quick.Store(quickAcks)
			d.nudge(o.ep)
		}
	}
	clear(list)
	d.mu.Lock()
	d.spare = list
	d.mu.Unlock()
}

// answered reports whether nothing is owed any more.
func (o owing) answered() bool {
	o.ep.LockUser()
	defer o.ep.UnlockUser()
	s, ok := acks(o.ep)
	return !ok || *s.maxSent == s.acked
}

// quickAck begins to acknowledge at once, and what is owed now (tcp_cleanup_rbuf). It reports whether
// anything was.
func (t *sock) quickAck(tep tcpip.Endpoint) bool {
	t.quick.Store(quickAcks)
	ep, ok := tep.(*gtcp.Endpoint)
	if !ok || !t.settle(ep) {
		return false
	}
	t.net.delayed.nudge(ep)
	return true
}

// settle ends what delay did, and reports whether an acknowledgement is due.
func (t *sock) settle(ep *gtcp.Endpoint) bool {
	ep.LockUser()
	defer ep.UnlockUser()
	s, ok := acks(ep)
	if !ok {
		return false
	}
	*s.maxSent = s.acked
	switch ep.EndpointState() {
	case gtcp.StateEstablished, gtcp.StateCloseWait, gtcp.StateFinWait1, gtcp.StateFinWait2:
		return s.next != s.acked
	}
	return false
}

// nudge has gVisor acknowledge what it has received, after settle, by a segment that is before it, as those that
// keep a connection alive are (RFC 1122 §4.2.3.6). It has no data: that is refused when the receive buffer is full.
func (d *delayed) nudge(ep *gtcp.Endpoint) {
	ep.LockUser()
	s, ok := acks(ep)
	id := ep.ID
	ep.UnlockUser()
	if !ok {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.TCPMinimumSize + header.IPv6MinimumSize,
	})
	defer pkt.DecRef()
	header.TCP(pkt.TransportHeader().Push(header.TCPMinimumSize)).Encode(&header.TCPFields{
		SrcPort: id.RemotePort, DstPort: id.LocalPort,
		SeqNum: uint32(s.next - 1), AckNum: uint32(s.una),
		DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck,
	})
	if id.LocalAddress.Len() == header.IPv4AddressSize {
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
		header.IPv4(pkt.NetworkHeader().Push(header.IPv4MinimumSize)).Encode(&header.IPv4Fields{SrcAddr: id.RemoteAddress, DstAddr: id.LocalAddress})
	} else {
		pkt.NetworkProtocolNumber = header.IPv6ProtocolNumber
		header.IPv6(pkt.NetworkHeader().Push(header.IPv6MinimumSize)).Encode(&header.IPv6Fields{SrcAddr: id.RemoteAddress, DstAddr: id.LocalAddress})
	}
	pkt.TransportProtocolNumber = header.TCPProtocolNumber
	pkt.RXChecksumValidated = true
	d.st.QueueSegment(ep, id, pkt)
}

// answer begins a send. On Linux one that follows a receive makes the connection interactive
// (inet_csk_inc_pingpong_cnt).
func (t *sock) answer() {
	if t.heard.Load() {
		t.heard.Store(false)
		t.extra.pingpong.Store(true)
	}
}

// setQuickAck is Linux's __tcp_sock_set_quickack. What it sets does not last: the next answer makes the
// connection interactive again, and so does an even value, once what is owed is acknowledged.
func setQuickAck(t *sock, v int) error {
	t.extra.pingpong.Store(v == 0)
	if v == 0 {
		t.quick.Store(0)
	} else if ep := t.Endpoint(); ep != nil && t.quickAck(ep.Endpoint) && v&1 == 0 {
		t.extra.pingpong.Store(true)
		t.quick.Store(0)
	}
	return nil
}
