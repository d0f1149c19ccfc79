package socket

import (
	"slices"
	"sync"
	"time"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
)

// MemStat tells what the sockets of a network hold in their queues, received
// and not yet read, or sent and not yet let go of, and what came of its
// bounds. Linux keeps it a protocol, in memory_allocated, memory_pressure and
// the counters of /proc/net/netstat.
type MemStat struct {
	// Bytes is what all sockets held when it was looked at last; TCP's segments
	// count with what they take beside their payload.
	Bytes int
	// Pressure is set from where Bytes passed Sysctl.MemPressure until it is
	// below again (enter_memory_pressure, leave_memory_pressure).
	Pressure bool
	// Pressures counts how often Pressure was entered (TCPMemoryPressures).
	Pressures uint64
	// Exhausted is set while Bytes is above Sysctl.MemMax
	// (tcp_out_of_memory).
	Exhausted bool
	// Refused counts the sockets that were not made because of that.
	Refused uint64
	// Orphans are the connections that no program has any more and whose peers
	// have yet to take what was sent (tcp_orphan_count).
	Orphans int
	// Aborted counts those that were reset because the memory was exhausted
	// (TCPAbortOnMemory).
	Aborted uint64
}

// A MemoryHolder is what a protocol tells of a network's connections, with
// those that no open socket has: nobody has accepted them yet, or their
// program has closed them.
type MemoryHolder interface {
	// Held returns what all of them hold: Bytes, Orphans and Aborted.
	Held() MemStat
	// Limit is told what has come of it. Under pressure buffers should not
	// grow; when the memory is exhausted, orphans end.
	Limit(MemStat)
}

// A MemoryKeeper is a Proto with a MemoryHolder for each network, which
// counts its sockets' queues too.
type MemoryKeeper interface {
	MemoryHolder(net *netdev.Stack) MemoryHolder
}

// CheckMemory looks at what the sockets of net hold, and acts on it, unless
// that was done a moment ago. It is for protocols whose queues have grown, and
// locks their Socks' endpoints.
func CheckMemory(net *netdev.Stack) { memoryOf(net).look(net, lookInterval) }

// Memory returns what the sockets of net hold now.
func Memory(net *netdev.Stack) MemStat {
	m := memoryOf(net)
	m.look(net, 0)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stat
}

// lookInterval is how old what a network's sockets hold may be when another
// one is asked for: looking at all of them costs.
const lookInterval = 100 * time.Millisecond

// memory is a network's MemStat.
type memory struct {
	// looking is held by who counts, so that what is known never becomes older. It comes before mu. looked is
	// when that was last.
	looking sync.Mutex
	looked  time.Time

	mu   sync.Mutex
	stat MemStat
	// holders are those of the protocols that had a socket once.
	holders []MemoryHolder
}

type memoryKey struct{}

func memoryOf(net *netdev.Stack) *memory {
	return net.Generic(memoryKey{}, func() any { return new(memory) }).(*memory)
}

// admit returns ENOBUFS while the sockets of the task's network hold more
// than they may. What is open goes on, and makes room. Connections are
// accepted nevertheless, as on Linux: what is held may be that of peers who
// never take it, and would keep everybody else out for good.
func (t *Task) admit() error {
	m := memoryOf(t.Net)
	m.look(t.Net, lookInterval)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stat.Exhausted {
		return nil
	}
	m.stat.Refused++
	return errno.ENOBUFS
}

// look counts what the sockets hold, unless it was counted less than age ago, or is just being counted and may be a
// little old.
func (m *memory) look(net *netdev.Stack, age time.Duration) {
	if age == 0 {
		m.looking.Lock()
	} else if !m.looking.TryLock() {
		return
	}
	defer m.looking.Unlock()
	if now := time.Now(); now.Sub(m.looked) >= age {
		m.looked = now
		m.count(net)
	}
}

// count counts what the sockets hold, and acts on it. looking is held.
func (m *memory) count(net *netdev.Stack) {
	bytes := 0
	for _, s := range sockets() {
		if s.Sk.Net != net {
			continue
		}
		if k, ok := s.Sk.Prot.(MemoryKeeper); ok {
			m.remember(k.MemoryHolder(net))
			continue
		}
		bytes += s.Sk.queued()
	}
	m.mu.Lock()
	holders := m.holders
	m.mu.Unlock()
	var sum MemStat
	for _, h := range holders {
		held := h.Held()
		bytes += held.Bytes
		sum.Orphans += held.Orphans
		sum.Aborted += held.Aborted
	}
	m.mu.Lock()
	exhausted := int64(bytes) > net.Sysctl.MemMax.Load()
	pressure := exhausted || int64(bytes) > net.Sysctl.MemPressure.Load()
	if pressure && !m.stat.Pressure {
		m.stat.Pressures++
	}
	m.stat.Bytes, m.stat.Pressure, m.stat.Exhausted = bytes, pressure, exhausted
	m.stat.Orphans, m.stat.Aborted = sum.Orphans, sum.Aborted
	stat := m.stat
	m.mu.Unlock()
	for _, h := range holders {
		h.Limit(stat)
	}
}

func (m *memory) remember(h MemoryHolder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.holders, h) {
		m.holders = append(m.holders, h)
	}
}

// queued is how many bytes the Sock holds, as far as its protocol can tell.
func (sk *Sock) queued() int {
	q, ok := sk.Prot.(Queuer)
	if !ok {
		return 0
	}
	receive, send := q.Queued(sk)
	return receive + send
}
