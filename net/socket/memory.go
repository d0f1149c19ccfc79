package socket

import (
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
	// Bytes is what all sockets held when it was looked at last.
	Bytes int
	// Pressure is set from where Bytes passed Sysctl.MemPressure until it is
	// below again (enter_memory_pressure, leave_memory_pressure).
	Pressure bool
	// Pressures counts how often Pressure was entered (TCPMemoryPressures).
	Pressures uint64
	// Refused counts the sockets that were not made, and the connections that
	// were not accepted, because Bytes was above Sysctl.MemMax.
	Refused uint64
}

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
	mu     sync.Mutex
	stat   MemStat
	looked time.Time
}

type memoryKey struct{}

func memoryOf(net *netdev.Stack) *memory {
	return net.Generic(memoryKey{}, func() any { return new(memory) }).(*memory)
}

// admit returns ENOBUFS while the sockets of the task's network hold more
// than they may. What is open goes on, and makes room.
func (t *Task) admit() error {
	m := memoryOf(t.Net)
	m.look(t.Net, lookInterval)
	m.mu.Lock()
	defer m.mu.Unlock()
	if int64(m.stat.Bytes) <= t.Net.Sysctl.MemMax.Load() {
		return nil
	}
	m.stat.Refused++
	return errno.ENOBUFS
}

// look counts what the sockets hold, unless it was counted less than age ago.
func (m *memory) look(net *netdev.Stack, age time.Duration) {
	now := time.Now()
	m.mu.Lock()
	fresh := now.Sub(m.looked) < age
	if !fresh {
		m.looked = now // others need not look as well
	}
	m.mu.Unlock()
	if fresh {
		return
	}
	bytes := 0
	for _, s := range sockets() {
		if s.Sk.Net == net {
			bytes += s.Sk.queued()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	pressure := int64(bytes) > net.Sysctl.MemPressure.Load()
	if pressure && !m.stat.Pressure {
		m.stat.Pressures++
	}
	m.stat.Bytes, m.stat.Pressure = bytes, pressure
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
