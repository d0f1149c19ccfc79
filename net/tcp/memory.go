package tcp

import (
	"reflect"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/netdev"
	"github.com/tamanet/tamanet/net/socket"
)

// minSndBuf is what a connection may have to send however little memory there
// is, in bytes (SOCK_MIN_SNDBUF).
const minSndBuf = 2 * 2304

// memory is what of a network's socket.MemStat its connections go by, and when
// to look again. Nothing looks while nothing moves.
type memory struct {
	pressure  atomic.Bool
	exhausted atomic.Bool
	aborted   atomic.Uint64

	moved   atomic.Int64 // bytes since the last look
	looking atomic.Bool
	limitMu sync.Mutex
}

const (
	// looksUntilPressure is how often what moved is looked at in the time in
	// which as many bytes move as make pressure.
	looksUntilPressure = 8
	// pressed is how many bytes may move between two looks under pressure.
	pressed = 16 << 10
	// bareSegment is what a segment counts for beside its payload, so that
	// acknowledgements are noticed, by which memory comes back.
	bareSegment = 256
)

// took counts n bytes that went to a queue, and has the memory looked at when
// it is time, by another goroutine: the caller may hold locks.
func (m *memory) took(st *netdev.Stack, n int) {
	limit := int64(pressed)
	if !m.pressure.Load() {
		limit = st.Sysctl.MemPressure.Load() / looksUntilPressure
	}
	if m.moved.Add(int64(n)) < limit || !m.looking.CompareAndSwap(false, true) {
		return
	}
	m.moved.Store(0)
	go func() {
		socket.CheckMemory(st)
		m.looking.Store(false)
	}()
}

// roomFor counts a segment that came in, and reports whether its endpoint may
// have it. While the memory is exhausted an endpoint that has filled its first
// buffer may not (tcp_try_rmem_schedule); the peer sends it again.
func (n *network) roomFor(ep stack.TransportEndpoint, payload int) bool {
	n.memory.took(n.st, payload+bareSegment)
	if payload == 0 || !n.memory.exhausted.Load() {
		return true
	}
	tep, ok := ep.(*gtcp.Endpoint)
	if !ok || rcvMem(tep) < n.st.Memory().TCPReceive.Default {
		return true
	}
	n.st.IP().Stats().DroppedPackets.Increment()
	return false
}

// rcvMem returns what the segments take that ep has received, in order or not.
func rcvMem(ep *gtcp.Endpoint) int {
	// SAFETY: the field has this type, as fieldOf has seen; it is read as gVisor reads it.
	f := epRcvMem.of(reflect.ValueOf(ep).Elem()).Addr()
	return int((*atomicbitops.Int32)(f.UnsafePointer()).Load())
}

// sndMem returns what ep has to send, and whether its program closed it.
func sndMem(ep *gtcp.Endpoint) (used int, closed bool) {
	ep.LockUser()
	defer ep.UnlockUser()
	v := reflect.ValueOf(ep).Elem()
	return max(0, int(epSndUsed.of(v).Int())), epClosed.of(v).Bool()
}

// MemoryHolder implements socket.MemoryKeeper.
func (*Proto) MemoryHolder(st *netdev.Stack) socket.MemoryHolder { return networkOf(st) }

// connections calls f with each connection, open or not.
func (n *network) connections(f func(ep *gtcp.Endpoint)) {
	for _, ep := range n.st.IP().RegisteredEndpoints() {
		if tep, ok := ep.(*gtcp.Endpoint); ok && tep.EndpointState() != gtcp.StateListen {
			f(tep)
		}
	}
}

// Held implements socket.MemoryHolder.
func (n *network) Held() (held socket.MemStat) {
	n.connections(func(ep *gtcp.Endpoint) {
		used, closed := sndMem(ep)
		held.Bytes += used + rcvMem(ep)
		held.Orphans += socket.BoolInt(closed && ep.EndpointState() != gtcp.StateTimeWait)
	})
	held.Aborted = n.memory.aborted.Load()
	return held
}

// Limit implements socket.MemoryHolder. Under pressure no send buffer is, or
// becomes, larger than its first size, unless the program chose one
// (sk_stream_moderate_sndbuf); once the memory is exhausted, orphans end.
func (n *network) Limit(stat socket.MemStat) {
	m := &n.memory
	m.limitMu.Lock()
	defer m.limitMu.Unlock()
	m.exhausted.Store(stat.Exhausted)
	m.pressure.Store(stat.Pressure)
	n.st.LimitSendBuffers(stat.Pressure)
	if !stat.Pressure {
		return
	}
	first := int64(n.st.IP().TCPSendBufferLimits().Default)
	n.connections(func(ep *gtcp.Endpoint) {
		moderate(ep, first)
		if stat.Exhausted {
			n.reap(ep)
		}
	})
}

// moderate makes ep's send buffer no larger than first. A writer may have
// missed its room while the buffer was larger than the largest, and looks again.
func moderate(ep *gtcp.Endpoint, first int64) {
	so := ep.SocketOptions()
	ep.LockUser()
	f := epSndSet.of(reflect.ValueOf(ep).Elem()).Addr()
	set := (*atomicbitops.Uint32)(f.UnsafePointer()).Load() != 0 // SAFETY: as in rcvMem
	shrink := !set && so.GetSendBufferSize() > first
	if shrink {
		so.SetSendBufferSize(first, false)
	}
	ep.UnlockUser()
	if shrink {
		ep.WakeupWriters()
	}
}

// orphaned is called with a connection that its program has closed: the check
// of Linux's tcp_close.
func (n *network) orphaned(ep *inet.Endpoint) {
	tep, ok := ep.Endpoint.(*gtcp.Endpoint)
	if !ok || !n.memory.exhausted.Load() {
		return
	}
	socket.CheckMemory(n.st)
	n.memory.limitMu.Lock()
	defer n.memory.limitMu.Unlock()
	if n.memory.exhausted.Load() {
		n.reap(tep)
	}
}

// reap resets ep if its program has closed it and the peer has left more than a
// little of what was sent (tcp_check_oom). With limitMu held.
func (n *network) reap(ep *gtcp.Endpoint) {
	if used, closed := sndMem(ep); closed && used > minSndBuf {
		ep.Abort()
		n.memory.aborted.Add(1)
	}
}
