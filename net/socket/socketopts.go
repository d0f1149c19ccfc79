package socket

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"github.com/tamanet/tamanet/net/errno"
)

// Options of level SOL_SOCKET beside those of const.go
// (include/uapi/asm-generic/socket.h).
const (
	SO_NO_CHECK         = 11
	SO_PRIORITY         = 12
	SO_BSDCOMPAT        = 14
	SO_RCVLOWAT         = 18
	SO_SNDLOWAT         = 19
	SO_BINDTODEVICE     = 25
	SO_PEERNAME         = 28
	SO_TIMESTAMP        = 29
	SO_PEERSEC          = 31
	SO_PASSSEC          = 34
	SO_TIMESTAMPNS      = 35
	SO_MARK             = 36
	SO_TIMESTAMPING     = 37
	SO_RXQ_OVFL         = 40
	SO_WIFI_STATUS      = 41
	SO_PEEK_OFF         = 42
	SO_NOFCS            = 43
	SO_SELECT_ERR_QUEUE = 45
	SO_BUSY_POLL        = 46
	SO_MAX_PACING_RATE  = 47
	SO_INCOMING_CPU     = 49
	SO_ATTACH_BPF       = 50
	SO_CNX_ADVICE       = 53
	SO_MEMINFO          = 55
	SO_INCOMING_NAPI_ID = 56
	SO_COOKIE           = 57
	SO_PEERGROUPS       = 59
	SO_ZEROCOPY         = 60
	SO_TXTIME           = 61
	SO_BINDTOIFINDEX    = 62
	SO_TIMESTAMP_NEW    = 63
	SO_TIMESTAMPNS_NEW  = 64
	SO_PREFER_BUSY_POLL = 69
	SO_BUSY_POLL_BUDGET = 70
	SO_NETNS_COOKIE     = 71
	SO_BUF_LOCK         = 72
	SO_RESERVE_MEM      = 73
	SO_TXREHASH         = 74
	SO_RCVMARK          = 75
	SO_PASSPIDFD        = 76
	SO_PEERPIDFD        = 77
	SO_RCVPRIORITY      = 82
)

// More flags of a Sock. They are counted from the other end than those of
// sock.go.
const (
	FlagURGInline      SockFlag = 1 << (31 - iota) // SO_OOBINLINE
	FlagDebug                                      // SO_DEBUG
	FlagLocalRoute                                 // SO_DONTROUTE
	FlagNoCheck                                    // SO_NO_CHECK
	FlagRcvTstamp                                  // SO_TIMESTAMP*
	FlagRcvTstampNS                                // SO_TIMESTAMPNS*
	FlagTstampNew                                  // SO_TIMESTAMP*_NEW
	FlagRxqOvfl                                    // SO_RXQ_OVFL
	FlagSelectErrQueue                             // SO_SELECT_ERR_QUEUE
)

// sockOptions are the options of SOL_SOCKET that are numbers.
type sockOptions struct {
	mark        atomic.Uint32
	priority    atomic.Int32
	boundDevIf  atomic.Int32
	rcvLowat    atomic.Int32 // 0 stands for 1
	peekOff     atomic.Int32 // one more than the offset: 0 stands for -1
	incomingCPU atomic.Int32 // one more than the CPU: 0 stands for -1
	bufLock     atomic.Uint32
	cookie      atomic.Uint64
	owner       owner
	stamp       atomic.Int64 // see SetStamp
}

func (o *sockOptions) inherit(from *sockOptions) {
	o.mark.Store(from.mark.Load())
	o.priority.Store(from.priority.Load())
	o.boundDevIf.Store(from.boundDevIf.Load())
	o.rcvLowat.Store(from.rcvLowat.Load())
	o.peekOff.Store(from.peekOff.Load())
	o.bufLock.Store(from.bufLock.Load())
}

// Capable reports whether the task that made the Sock has the privilege c.
func (sk *Sock) Capable(c Caps) bool { return sk.task == nil || sk.task.Capable(c) }

// Mark returns SO_MARK's value.
func (sk *Sock) Mark() uint32 { return sk.opts.mark.Load() }

// BoundDevIf returns the index of the interface that SO_BINDTODEVICE bound
// to, or 0.
func (sk *Sock) BoundDevIf() int { return int(sk.opts.boundDevIf.Load()) }

// SetBoundDevIf binds to an interface, or with 0 to none, whoever asks.
func (sk *Sock) SetBoundDevIf(index int) { sk.opts.boundDevIf.Store(int32(index)) }

// RcvLowat returns how many bytes a receive waits for, at least 1
// (sk_rcvlowat).
func (sk *Sock) RcvLowat() int { return max(1, int(sk.opts.rcvLowat.Load())) }

// moreSocketOptions are SOL_SOCKET's options beyond what every program uses
// (sk_setsockopt).
func moreSocketOptions() []Option {
	return []Option{
		debugOption(),
		storedFlag(SO_DONTROUTE, "SO_DONTROUTE", FlagLocalRoute, "every route is looked up"),
		flagOption(SO_OOBINLINE, "SO_OOBINLINE", FlagURGInline),
		flagOption(SO_NO_CHECK, "SO_NO_CHECK", FlagNoCheck),
		flagOption(SO_RXQ_OVFL, "SO_RXQ_OVFL", FlagRxqOvfl),
		flagOption(SO_SELECT_ERR_QUEUE, "SO_SELECT_ERR_QUEUE", FlagSelectErrQueue),
		numberOption(SO_PRIORITY, "SO_PRIORITY", OptionStored, "there are no queueing disciplines", setPriority,
			func(sk *Sock) int { return int(sk.opts.priority.Load()) }),
		numberOption(SO_MARK, "SO_MARK", OptionWorks, "", setMark, func(sk *Sock) int { return int(int32(sk.Mark())) }),
		numberOption(SO_RCVLOWAT, "SO_RCVLOWAT", OptionWorks, "", setRcvLowat, (*Sock).RcvLowat),
		readOption(SO_SNDLOWAT, "SO_SNDLOWAT", func(*Sock) int { return 1 }),
		numberOption(SO_INCOMING_CPU, "SO_INCOMING_CPU", OptionStored, "there is one CPU", func(sk *Sock, v int) error {
			sk.opts.incomingCPU.Store(int32(v) + 1)
			return nil
		}, func(sk *Sock) int { return int(sk.opts.incomingCPU.Load()) - 1 }),
		forceOption(SO_SNDBUFFORCE, "SO_SNDBUFFORCE", sockMinSndBuf, SO_SNDBUF, SOCK_SNDBUF_LOCK, func(sk *Sock) *atomic.Int32 { return &sk.sndBuf }),
		forceOption(SO_RCVBUFFORCE, "SO_RCVBUFFORCE", sockMinRcvBuf, SO_RCVBUF, SOCK_RCVBUF_LOCK, func(sk *Sock) *atomic.Int32 { return &sk.rcvBuf }),
		{Level: SOL_SOCKET, Name: SO_BINDTODEVICE, Label: "SO_BINDTODEVICE", Set: setBindToDevice, Get: getBindToDevice, AnyLen: true},
		numberOption(SO_BINDTOIFINDEX, "SO_BINDTOIFINDEX", OptionWorks, "", bindToIndex, (*Sock).BoundDevIf),
		numberOption(SO_BUF_LOCK, "SO_BUF_LOCK", OptionWorks, "on TCP, whose buffers alone grow; one that is unlocked stays as it is", setBufLock,
			func(sk *Sock) int { return int(sk.opts.bufLock.Load()) }),
		{Level: SOL_SOCKET, Name: SO_PEEK_OFF, Label: "SO_PEEK_OFF", Set: setPeekOff, Get: getPeekOff},
		{Level: SOL_SOCKET, Name: SO_PEERNAME, Label: "SO_PEERNAME", Get: getPeerName},
		{Level: SOL_SOCKET, Name: SO_COOKIE, Label: "SO_COOKIE", Get: getCookie},
		{Level: SOL_SOCKET, Name: SO_MEMINFO, Label: "SO_MEMINFO", Get: getMemInfo},
		readOption(SO_INCOMING_NAPI_ID, "SO_INCOMING_NAPI_ID", func(*Sock) int { return 0 }),
		stampOption(SO_TIMESTAMP, "SO_TIMESTAMP", FlagRcvTstamp),
		stampOption(SO_TIMESTAMPNS, "SO_TIMESTAMPNS", FlagRcvTstamp|FlagRcvTstampNS),
		stampOption(SO_TIMESTAMP_NEW, "SO_TIMESTAMP_NEW", FlagRcvTstamp|FlagTstampNew),
		stampOption(SO_TIMESTAMPNS_NEW, "SO_TIMESTAMPNS_NEW", FlagRcvTstamp|FlagRcvTstampNS|FlagTstampNew),
		bsdCompat(),
		refused(SO_TIMESTAMPING, "SO_TIMESTAMPING", "devices take no time stamps"),
		refused(SO_WIFI_STATUS, "SO_WIFI_STATUS", "there is no wireless"),
		refused(SO_NOFCS, "SO_NOFCS", "devices append the frame check sequence"),
		refused(SO_BUSY_POLL, "SO_BUSY_POLL", "nothing polls when idle"),
		refused(SO_PREFER_BUSY_POLL, "SO_PREFER_BUSY_POLL", "nothing polls when idle"),
		refused(SO_BUSY_POLL_BUDGET, "SO_BUSY_POLL_BUDGET", "nothing polls when idle"),
		refused(SO_MAX_PACING_RATE, "SO_MAX_PACING_RATE", "sending is not paced"),
		refused(SO_ATTACH_BPF, "SO_ATTACH_BPF", "there is no extended BPF"),
		refused(SO_CNX_ADVICE, "SO_CNX_ADVICE", "there is no route cache"),
		refused(SO_PEERSEC, "SO_PEERSEC", "hooks label nothing"),
		refused(SO_ZEROCOPY, "SO_ZEROCOPY", "no completions are queued"),
		refused(SO_TXTIME, "SO_TXTIME", "there are no queueing disciplines"),
		refused(SO_NETNS_COOKIE, "SO_NETNS_COOKIE", "networks have no number"),
		refused(SO_RESERVE_MEM, "SO_RESERVE_MEM", "memory is Go's"),
		refused(SO_TXREHASH, "SO_TXREHASH", "there are no flow hashes"),
		refused(SO_RCVMARK, "SO_RCVMARK", "marks do not outlive the output path"),
		refused(SO_RCVPRIORITY, "SO_RCVPRIORITY", "received packets have no priority"),
	}
}

// numberOption makes an option that is an int.
func numberOption(name int, label string, state OptionState, why string, set func(*Sock, int) error, read func(*Sock) int) Option {
	s, get := IntOption(set, read)
	return Option{Level: SOL_SOCKET, Name: name, Label: label, State: state, Why: why, Set: s, Get: get}
}

func storedFlag(name int, label string, f SockFlag, why string) Option {
	o := flagOption(name, label, f)
	o.State, o.Why = OptionStored, why
	return o
}

// refused lists an option of Linux's that is not here, with the reason.
func refused(name int, label, why string) Option {
	return Option{Level: SOL_SOCKET, Name: name, Label: label, State: OptionRefused, Why: why}
}

// bsdCompat is accepted and always 0 (sk_getsockopt).
func bsdCompat() Option {
	return numberOption(SO_BSDCOMPAT, "SO_BSDCOMPAT", OptionStored, "it means nothing on Linux either",
		func(*Sock, int) error { return nil }, func(*Sock) int { return 0 })
}

func debugOption() Option {
	o := storedFlag(SO_DEBUG, "SO_DEBUG", FlagDebug, "nothing is traced")
	set := o.Set
	o.Set = func(sk *Sock, val []byte) error {
		if v, err := OptInt(val); err == nil && v != 0 && !sk.Capable(CAP_NET_ADMIN) {
			return errno.EACCES
		}
		return set(sk, val)
	}
	return o
}

// The highest priority that needs no privilege (TC_PRIO_INTERACTIVE).
const freePriority = 6

func setPriority(sk *Sock, v int) error {
	if (v < 0 || v > freePriority) && !sk.Capable(CAP_NET_RAW|CAP_NET_ADMIN) {
		return errno.EPERM
	}
	sk.opts.priority.Store(int32(v))
	return nil
}

func setMark(sk *Sock, v int) error {
	if !sk.Capable(CAP_NET_RAW | CAP_NET_ADMIN) {
		return errno.EPERM
	}
	sk.opts.mark.Store(uint32(v))
	return nil
}

func setRcvLowat(sk *Sock, v int) error {
	if v < 0 {
		v = math.MaxInt32
	}
	if sk.Prot.State(sk) != TCP_LISTEN {
		// tcp_set_rcvlowat: no more than half of the largest buffer, so that
		// the window cannot close before.
		if l, ok := sk.Prot.(LowatLimiter); ok {
			v = min(v, l.LowatLimit(sk))
		}
	}
	sk.opts.rcvLowat.Store(int32(max(v, 1)))
	return nil
}

// A LowatLimiter is a Proto that bounds SO_RCVLOWAT (set_rcvlowat).
type LowatLimiter interface {
	LowatLimit(sk *Sock) int
}

// forceOption is a buffer's size past the sysctl's limit.
func forceOption(name int, label string, least, told int, lock uint32, field func(*Sock) *atomic.Int32) Option {
	return Option{
		Level: SOL_SOCKET, Name: name, Label: label, Notify: told,
		Set: func(sk *Sock, val []byte) error {
			v, err := OptInt(val)
			switch {
			case err != nil:
				return err
			case !sk.Capable(CAP_NET_ADMIN):
				return errno.EPERM
			}
			v = min(max(v, 0), math.MaxInt32/2)
			field(sk).Store(int32(max(2*v, least)))
			sk.opts.bufLock.Or(lock)
			return nil
		},
	}
}

// ifNameSize is IFNAMSIZ: an interface's name with its terminating zero.
const ifNameSize = 16

// setBindToDevice is Linux's sock_setbindtodevice: no name unbinds.
func setBindToDevice(sk *Sock, val []byte) error {
	name := cString(val[:min(len(val), ifNameSize-1)])
	if name == "" {
		return bindToIndex(sk, 0)
	}
	index := sk.Net.InterfaceIndex(name)
	if index == 0 {
		return errno.ENODEV
	}
	return bindToIndex(sk, index)
}

func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// bindToIndex is Linux's sock_bindtoindex. Leaving an interface takes
// CAP_NET_RAW, binding to a first one does not.
func bindToIndex(sk *Sock, index int) error {
	switch {
	case sk.BoundDevIf() != 0 && !sk.Capable(CAP_NET_RAW):
		return errno.EPERM
	case index < 0:
		return errno.EINVAL
	}
	sk.opts.boundDevIf.Store(int32(index))
	return nil
}

// BufLock returns the locks of SO_BUF_LOCK: SOCK_SNDBUF_LOCK and
// SOCK_RCVBUF_LOCK.
func (sk *Sock) BufLock() int { return int(sk.opts.bufLock.Load()) }

// getBindToDevice is Linux's sock_getbindtodevice.
func getBindToDevice(sk *Sock, val []byte) (int, error) {
	index := sk.BoundDevIf()
	switch {
	case index == 0:
		return 0, nil
	case len(val) < ifNameSize:
		return 0, errno.EINVAL
	}
	name := sk.Net.InterfaceName(index)
	if name == "" {
		return 0, errno.ENODEV
	}
	return copy(val, append([]byte(name), 0)), nil
}

// setBufLock takes SOCK_SNDBUF_LOCK and SOCK_RCVBUF_LOCK.
func setBufLock(sk *Sock, v int) error {
	if v&^(SOCK_SNDBUF_LOCK|SOCK_RCVBUF_LOCK) != 0 {
		return errno.EINVAL
	}
	sk.opts.bufLock.Store(uint32(v))
	return nil
}

func getPeerName(sk *Sock, val []byte) (int, error) {
	a, err := sk.Prot.GetName(sk, PeerName)
	if err != nil {
		return 0, errno.ENOTCONN
	}
	if int(a.Len) < len(val) {
		return 0, errno.EINVAL
	}
	return copy(val, a.Append(nil)), nil
}

var cookies atomic.Uint64

// Cookie returns a number that no other Sock has or had (sock_gen_cookie).
func (sk *Sock) Cookie() uint64 {
	if c := sk.opts.cookie.Load(); c != 0 {
		return c
	}
	sk.opts.cookie.CompareAndSwap(0, cookies.Add(1))
	return sk.opts.cookie.Load()
}

func getCookie(sk *Sock, val []byte) (int, error) {
	if len(val) < 8 {
		return 0, errno.EINVAL
	}
	binary.NativeEndian.PutUint64(val, sk.Cookie())
	return 8, nil
}

// Where SO_MEMINFO's numbers stand (include/uapi/linux/sock_diag.h). What is
// not counted here is 0.
const (
	memInfoRmemAlloc  = 0
	memInfoRcvBuf     = 1
	memInfoSndBuf     = 3
	memInfoWmemQueued = 5
	memInfoVars       = 9
)

func getMemInfo(sk *Sock, val []byte) (int, error) {
	var b [4 * memInfoVars]byte
	put := func(at, v int) { binary.NativeEndian.PutUint32(b[4*at:], uint32(v)) }
	put(memInfoRcvBuf, sk.rcvBufSize())
	put(memInfoSndBuf, sk.sndBufSize())
	if q, ok := sk.Prot.(Queuer); ok {
		receive, send := q.Queued(sk)
		put(memInfoRmemAlloc, receive)
		put(memInfoWmemQueued, send)
	}
	return copy(val, b[:]), nil
}

// stampFlags are what the four options of time stamps have together.
const stampFlags = FlagRcvTstamp | FlagRcvTstampNS | FlagTstampNew

// stampOption is one of the forms in which a message's time is told; each
// replaces the others (sock_set_timestamp).
func stampOption(name int, label string, want SockFlag) Option {
	return numberOption(name, label, OptionWorks, "", func(sk *Sock, v int) error {
		if v == 0 {
			sk.SetFlag(FlagRcvTstamp|FlagRcvTstampNS, false)
			return nil
		}
		sk.SetFlag(stampFlags&^want, false)
		sk.SetFlag(want, true)
		return nil
	}, func(sk *Sock) int { return BoolInt(SockFlag(sk.flags.Load())&stampFlags == want) })
}
