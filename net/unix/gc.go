package unix

import (
	"sync"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/socket"
)

// inflight holds the AF_UNIX sockets that are in messages, and in how many
// (Linux's gc_inflight_list). Its lock is held to put files into a message or
// to take them out; it comes before a queue's.
var inflight = struct {
	sync.Mutex
	socks map[*sock]int
}{socks: map[*sock]int{}}

// fly notes that the files are in a message, land that they are no longer.
func fly(fp *socket.FileList) {
	inflight.Lock()
	count(fp, 1)
	inflight.Unlock()
}

func land(fp *socket.FileList) {
	inflight.Lock()
	count(fp, -1)
	inflight.Unlock()
}

// count adds n to each socket of fp. Locked.
func count(fp *socket.FileList, n int) {
	fp.Each(func(s *socket.Socket, _ int) {
		if s.Family != socket.AF_UNIX {
			return
		}
		u := of(s.Sk)
		if inflight.socks[u] += n; inflight.socks[u] == 0 {
			delete(inflight.socks, u)
		}
	})
}

var (
	collecting    sync.Mutex
	collectWanted atomic.Bool
)

// collect closes the sockets that can be reached only through each other's
// queues: Linux's unix_gc (net/unix/garbage.c). It runs when an AF_UNIX socket
// is released. A ring that is left otherwise, when the last descriptor of a
// socket in it goes, waits for the next release, as on Linux.
func collect() {
	collectWanted.Store(true)
	// Who finds it running, be it within its own release, leaves it to that.
	for collectWanted.Load() && collecting.TryLock() {
		for collectWanted.Swap(false) {
			for _, u := range garbage() {
				u.purge(u.is(socket.TCP_LISTEN))
			}
		}
		collecting.Unlock()
	}
}

// A candidate is a socket in flight.
type candidate struct {
	held    int // descriptors, calls and messages that hold its file
	inner   int // of these, messages in queues of candidates
	reached bool
}

// garbage finds the sockets in flight that no descriptor and no call leads to.
// While it looks nothing is put into messages or taken out, so that such a
// socket cannot become reachable again.
func garbage() (list []*sock) {
	inflight.Lock()
	defer inflight.Unlock()
	if len(inflight.socks) == 0 {
		return nil
	}
	all := make(map[*sock]*candidate, len(inflight.socks))
	for u := range inflight.socks {
		all[u] = &candidate{}
	}
	for u := range all {
		u.files(func(v *sock, held int) {
			all[v].held = held
			all[v].inner++
		})
	}
	for u, c := range all {
		if c.inner == 0 || c.held > c.inner {
			reach(all, u)
		}
	}
	for u, c := range all {
		if !c.reached {
			list = append(list, u)
		}
	}
	return list
}

// reach marks u and all that its queue leads to.
func reach(all map[*sock]*candidate, u *sock) {
	for todo := []*sock{u}; len(todo) > 0; {
		u := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c := all[u]; !c.reached {
			c.reached = true
			u.files(func(v *sock, _ int) { todo = append(todo, v) })
		}
	}
}

// files calls f for each AF_UNIX socket in u's queue, and in those of the
// connections that wait to be accepted. held is as in candidate.
func (u *sock) files(f func(v *sock, held int)) {
	u.q.each(func(m *message) {
		m.fp.Each(func(s *socket.Socket, held int) {
			if s.Family == socket.AF_UNIX {
				f(of(s.Sk), held)
			}
		})
		if m.newsk != nil {
			m.newsk.files(f)
		}
	})
}
