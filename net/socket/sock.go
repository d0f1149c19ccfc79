package socket

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/netdev"
)

// A Sock is the protocol's side of a socket: Linux's struct sock. A family
// makes it with [InitSock] and puts it in [Socket.Sk].
type Sock struct {
	Family   int
	Type     int
	Protocol int
	Prot     Proto
	Net      *netdev.Stack

	// Impl is the family's own part, such as *inet.Sock.
	Impl any

	// WQ is where waits for the socket's events are registered (sk_sleep).
	// The protocol notifies it.
	WQ *waiter.Queue

	// UserLocks tells what the program chose itself, of the *_LOCK bits.
	// Guarded by Lock.
	UserLocks uint32

	mu       sync.Mutex
	wq       waiter.Queue
	dying    atomic.Bool
	shutdown atomic.Uint32
	err      atomic.Uint32
	filter   atomic.Pointer[Filter]
	flags    atomic.Uint32
	rcvBuf   atomic.Int32
	sndBuf   atomic.Int32
	rcvTimeo atomic.Int64
	sndTimeo atomic.Int64
	linger   atomic.Int64
	opts     sockOptions
	task     *Task // who made it, for privileges
}

// What a program may have chosen itself (include/net/sock.h).
const (
	SOCK_SNDBUF_LOCK   = 1
	SOCK_RCVBUF_LOCK   = 2
	SOCK_BINDADDR_LOCK = 4
	SOCK_BINDPORT_LOCK = 8
)

// Forever is a wait without end (Linux MAX_SCHEDULE_TIMEOUT).
const Forever = time.Duration(math.MaxInt64)

// SockFlag is an option of SOL_SOCKET that is on or off (sock_flag).
type SockFlag uint32

// The flags of a Sock.
const (
	FlagReuse        SockFlag = 1 << iota // SO_REUSEADDR
	FlagReusePort                         // SO_REUSEPORT
	FlagKeepOpen                          // SO_KEEPALIVE
	FlagBroadcast                         // SO_BROADCAST
	FlagLinger                            // SO_LINGER
	FlagPassCred                          // SO_PASSCRED
	FlagFilterLocked                      // SO_LOCK_FILTER
)

// InitSock prepares sk as Linux's sock_init_data does. The fields that it
// does not set are the family's.
func InitSock(sk *Sock, s *Socket, protocol int, prot Proto) {
	sk.Family, sk.Type, sk.Protocol = s.Family, s.Type, protocol
	sk.Prot, sk.Net, sk.task = prot, s.Task.Net, s.Task
	if sk.WQ == nil {
		sk.WQ = &sk.wq
	}
	sk.rcvTimeo.Store(int64(Forever))
	sk.sndTimeo.Store(int64(Forever))
}

// Inherit copies to a connection's Sock what it takes from its listener:
// Linux's sk_clone.
func (sk *Sock) Inherit(from *Sock) {
	sk.Family, sk.Type, sk.Protocol = from.Family, from.Type, from.Protocol
	sk.Prot, sk.Net, sk.task = from.Prot, from.Net, from.task
	sk.opts.inherit(&from.opts)
	sk.UserLocks = from.UserLocks &^ SOCK_BINDPORT_LOCK
	sk.flags.Store(from.flags.Load())
	sk.filter.Store(from.filter.Load())
	sk.rcvBuf.Store(from.rcvBuf.Load())
	sk.sndBuf.Store(from.sndBuf.Load())
	sk.rcvTimeo.Store(from.rcvTimeo.Load())
	sk.sndTimeo.Store(from.sndTimeo.Load())
	sk.linger.Store(from.linger.Load())
}

// Lock is Linux's lock_sock. It is not held during waits.
func (sk *Sock) Lock() { sk.mu.Lock() }

// Unlock is Linux's release_sock.
func (sk *Sock) Unlock() { sk.mu.Unlock() }

// Flag reports whether f is on.
func (sk *Sock) Flag(f SockFlag) bool { return sk.flags.Load()&uint32(f) != 0 }

// SetFlag turns f on or off.
func (sk *Sock) SetFlag(f SockFlag, on bool) {
	if on {
		sk.flags.Or(uint32(f))
	} else {
		sk.flags.And(^uint32(f))
	}
}

// Shutdown returns the directions that were shut, of SHUTDOWN_MASK.
func (sk *Sock) Shutdown() int { return int(sk.shutdown.Load()) }

// AddShutdown notes that the directions in how are shut.
func (sk *Sock) AddShutdown(how int) { sk.shutdown.Or(uint32(how)) }

// ResetShutdown opens both directions again.
func (sk *Sock) ResetShutdown() { sk.shutdown.Store(0) }

// SetErr leaves err as the pending error (sk_err); nil clears it. Errors that
// are not an Errno become EIO.
func (sk *Sock) SetErr(err error) {
	var e errno.Errno
	if err != nil {
		var ok bool
		if e, ok = err.(errno.Errno); !ok {
			e = errno.EIO
		}
	}
	sk.err.Store(uint32(e))
}

// HasErr reports whether an error is pending.
func (sk *Sock) HasErr() bool { return sk.err.Load() != 0 }

// TakeErr clears the pending error and returns it, or nil.
func (sk *Sock) TakeErr() error {
	if sk.err.Load() == 0 {
		return nil
	}
	if e := errno.Errno(sk.err.Swap(0)); e != 0 {
		return e
	}
	return nil
}

// RcvBuf and SndBuf return the size that SO_RCVBUF or SO_SNDBUF set, doubled
// as Linux does, in bytes, or 0 where the protocol's default holds.
func (sk *Sock) RcvBuf() int { return int(sk.rcvBuf.Load()) }

// SndBuf is described with RcvBuf.
func (sk *Sock) SndBuf() int { return int(sk.sndBuf.Load()) }

// RcvTimeo returns how long a receive or accept waits: 0 when it must not
// (sock_rcvtimeo).
func (sk *Sock) RcvTimeo(dontwait bool) time.Duration { return timeo(&sk.rcvTimeo, dontwait) }

// SndTimeo returns how long a send or connect waits: 0 when it must not
// (sock_sndtimeo).
func (sk *Sock) SndTimeo(dontwait bool) time.Duration { return timeo(&sk.sndTimeo, dontwait) }

func timeo(t *atomic.Int64, dontwait bool) time.Duration {
	if dontwait {
		return 0
	}
	return time.Duration(t.Load())
}

// Linger returns SO_LINGER's time; it counts only with FlagLinger.
func (sk *Sock) Linger() time.Duration { return time.Duration(sk.linger.Load()) }

// Wake wakes all waits, as Linux's sk_state_change and sk_error_report do.
func (sk *Sock) Wake() { sk.WQ.Notify(waiter.AllEvents) }
