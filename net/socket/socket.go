package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/net/errno"
)

// A Socket is one end of communication: Linux's struct socket. It is made by
// [Task.Create] or [Task.Socket] and ended by [Socket.Release] or, through
// its descriptors, by [Task.Close].
type Socket struct {
	Family int
	Type   int
	Ops    ProtoOps
	Sk     *Sock
	Task   *Task // who made it, for privileges

	// State is guarded by the Sock lock.
	State SocketState

	kern     bool
	released atomic.Bool

	// In the list of open sockets, once Sk is there.
	listed     bool
	prev, next *Socket
}

// SocketState is the socket's own state, apart from its protocol's
// (include/uapi/linux/net.h socket_state).
type SocketState uint8

// The states of a Socket.
const (
	SS_FREE SocketState = iota
	SS_UNCONNECTED
	SS_CONNECTING
	SS_CONNECTED
	SS_DISCONNECTING
)

// DefaultMaxSockets is how many sockets there may be unless [SetMaxSockets]
// says otherwise.
const DefaultMaxSockets = 65536

// open is the list of sockets, and their limit.
var open = struct {
	sync.Mutex
	first *Socket
	count int
	limit int
	// refused counts the sockets that were not made for the limit.
	refused uint64
	// noticed is when "no more sockets" was last said.
	noticed time.Time
}{limit: DefaultMaxSockets}

// SetMaxSockets limits the sockets of all tasks together. At the limit making
// another fails with ENFILE; sockets that are open are not touched.
func SetMaxSockets(n int) {
	open.Lock()
	open.limit = n
	open.Unlock()
}

// Refused returns how many sockets were refused because the limit of
// [SetMaxSockets] was reached, those for accepted connections included.
func Refused() uint64 {
	open.Lock()
	defer open.Unlock()
	return open.refused
}

// alloc makes a Socket, or returns nil at the limit (sock_alloc).
func (t *Task) alloc(family, typ int, kern bool) *Socket {
	s := &Socket{Family: family, Type: typ, Task: t, State: SS_UNCONNECTED, kern: kern}
	open.Lock()
	if open.count < open.limit {
		open.count++
		open.Unlock()
		return s
	}
	open.refused++
	now := time.Now()
	say := now.Sub(open.noticed) > noticeInterval
	if say {
		open.noticed = now
	}
	open.Unlock()
	if say {
		Noticef("socket: no more sockets")
	}
	return nil
}

// enlist shows s, now complete, to [Sockets].
func (s *Socket) enlist() {
	open.Lock()
	defer open.Unlock()
	s.listed = true
	s.next = open.first
	if s.next != nil {
		s.next.prev = s
	}
	open.first = s
}

// free undoes alloc and enlist.
func (s *Socket) free() {
	open.Lock()
	defer open.Unlock()
	open.count--
	if !s.listed {
		return
	}
	s.listed = false
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		open.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// Create makes a socket without a descriptor (Linux __sock_create). typ
// carries no flags. kern is for the kernel's own sockets, which need no
// privileges (sock_create_kern). The errors, in the order of the checks:
//
//	EAFNOSUPPORT    family outside the table
//	EINVAL          type outside the table
//	(any)           a security hook refused
//	ENFILE          the limit on sockets is reached
//	EAFNOSUPPORT    no such family, and the loader did not bring it
//	ENOBUFS         the network's sockets hold all the memory they may; see [Memory]
//	(any)           the family's own: ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM …
func (t *Task) Create(family, typ, protocol int, kern bool) (*Socket, error) {
	if family < 0 || family >= NPROTO {
		return nil, errno.EAFNOSUPPORT
	}
	if typ < 0 || typ >= SOCK_MAX {
		return nil, errno.EINVAL
	}
	if family == AF_INET && typ == SOCK_PACKET {
		packetOnce.Do(func() { Noticef("socket: (AF_INET, SOCK_PACKET) is obsolete, use AF_PACKET") })
		family = AF_PACKET
	}
	if err := hooked(func(h Security) error { return h.SocketCreate(family, typ, protocol, kern) }); err != nil {
		return nil, err
	}
	s := t.alloc(family, typ, kern)
	if s == nil {
		return nil, errno.ENFILE
	}
	pf := getFamily(family)
	if pf == nil && RequestModule("net-pf-"+itoa(family)) {
		pf = getFamily(family)
	}
	if pf == nil {
		s.free()
		return nil, errno.EAFNOSUPPORT
	}
	err := t.admit()
	if err == nil {
		err = pf.Create(s, protocol, kern)
	}
	if err != nil {
		putFamily(family)
		s.free()
		return nil, err
	}
	s.enlist()
	if err := hooked(func(h Security) error { return h.SocketPostCreate(s, protocol, kern) }); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// Release ends the socket and everything that waits on it, and may block for
// SO_LINGER. A second Release does nothing. (sock_release)
func (s *Socket) Release() error {
	if s.released.Swap(true) {
		return nil
	}
	s.Sk.Interrupt()
	err := s.Ops.Release(s)
	putFamily(s.Family)
	s.free()
	return err
}

// Socket makes a socket and returns its descriptor (Linux sys_socket). typ
// may carry SOCK_NONBLOCK and SOCK_CLOEXEC. Other flags are EINVAL; then the
// errors of [Task.Create]; then EMFILE.
func (t *Task) Socket(family, typ, protocol int) (int, error) {
	flags := typ &^ SOCK_TYPE_MASK
	if flags&^(SOCK_CLOEXEC|SOCK_NONBLOCK) != 0 {
		return -1, errno.EINVAL
	}
	s, err := t.Create(family, typ&SOCK_TYPE_MASK, protocol, false)
	if err != nil {
		return -1, err
	}
	fd, err := t.sockMapFD(s, flags)
	if err != nil {
		s.Release()
		return -1, err
	}
	return fd, nil
}

var packetOnce sync.Once
