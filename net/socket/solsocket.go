package socket

import (
	"encoding/binary"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tamanet/tamanet/net/errno"
)

// solSocket is the table of level SOL_SOCKET (net/core/sock.c sk_setsockopt
// and sk_getsockopt).
var solSocket = NewOptionTable(append(append(moreSocketOptions(), filterOptions()...),
	flagOption(SO_REUSEADDR, "SO_REUSEADDR", FlagReuse),
	flagOption(SO_REUSEPORT, "SO_REUSEPORT", FlagReusePort),
	flagOption(SO_KEEPALIVE, "SO_KEEPALIVE", FlagKeepOpen),
	passCredOption(),
	Option{Level: SOL_SOCKET, Name: SO_PEERCRED, Label: "SO_PEERCRED", Get: getPeerCred},
	flagOption(SO_BROADCAST, "SO_BROADCAST", FlagBroadcast),
	readOption(SO_TYPE, "SO_TYPE", func(sk *Sock) int { return sk.Type }),
	readOption(SO_DOMAIN, "SO_DOMAIN", func(sk *Sock) int { return sk.Family }),
	readOption(SO_PROTOCOL, "SO_PROTOCOL", func(sk *Sock) int { return sk.Protocol }),
	readOption(SO_ERROR, "SO_ERROR", soError),
	readOption(SO_ACCEPTCONN, "SO_ACCEPTCONN", func(sk *Sock) int {
		return BoolInt(sk.Prot.State(sk) == TCP_LISTEN)
	}),
	bufOption(SO_SNDBUF, "SO_SNDBUF", setSndBuf, (*Sock).sndBufSize),
	bufOption(SO_RCVBUF, "SO_RCVBUF", setRcvBuf, (*Sock).rcvBufSize),
	Option{Level: SOL_SOCKET, Name: SO_LINGER, Label: "SO_LINGER", Set: setLinger, Get: getLinger},
	timeOption(SO_RCVTIMEO, "SO_RCVTIMEO", wordTimeval, func(sk *Sock) *atomic.Int64 { return &sk.rcvTimeo }),
	timeOption(SO_SNDTIMEO, "SO_SNDTIMEO", wordTimeval, func(sk *Sock) *atomic.Int64 { return &sk.sndTimeo }),
	timeOption(SO_RCVTIMEO_NEW, "SO_RCVTIMEO_NEW", longTimeval, func(sk *Sock) *atomic.Int64 { return &sk.rcvTimeo }),
	timeOption(SO_SNDTIMEO_NEW, "SO_SNDTIMEO_NEW", longTimeval, func(sk *Sock) *atomic.Int64 { return &sk.sndTimeo }),
)...)

func flagOption(name int, label string, f SockFlag) Option {
	set, get := IntOption(
		func(sk *Sock, v int) error { sk.SetFlag(f, v != 0); return nil },
		func(sk *Sock) int { return BoolInt(sk.Flag(f)) })
	return Option{Level: SOL_SOCKET, Name: name, Label: label, Set: set, Get: get}
}

func readOption(name int, label string, read func(sk *Sock) int) Option {
	set, get := IntOption(nil, read)
	return Option{Level: SOL_SOCKET, Name: name, Label: label, Set: set, Get: get}
}

func soError(sk *Sock) int {
	if e, ok := sk.Prot.SockError(sk).(errno.Errno); ok {
		return int(e)
	}
	return 0
}

// The least that buffers are set to, in bytes (SOCK_MIN_SNDBUF and
// SOCK_MIN_RCVBUF of include/net/sock.h on 64-bit Linux).
const (
	sockMinSndBuf = 4608
	sockMinRcvBuf = 2304
)

func bufOption(name int, label string, set func(*Sock, int) error, read func(*Sock) int) Option {
	s, get := IntOption(set, read)
	return Option{Level: SOL_SOCKET, Name: name, Label: label, Set: s, Get: get}
}

// doubled is what Linux makes of a wanted buffer size: at most the sysctl,
// doubled for its own overhead. It takes the size as unsigned, so that a
// negative one is the most.
func doubled(v, limit, least int) int32 {
	if v > limit || v < 0 {
		v = limit
	}
	return int32(max(v*2, least))
}

func setSndBuf(sk *Sock, v int) error {
	sk.sndBuf.Store(doubled(v, int(sk.Net.Sysctl.WmemMax.Load()), sockMinSndBuf))
	sk.opts.bufLock.Or(SOCK_SNDBUF_LOCK)
	return nil
}

func setRcvBuf(sk *Sock, v int) error {
	sk.rcvBuf.Store(doubled(v, int(sk.Net.Sysctl.RmemMax.Load()), sockMinRcvBuf))
	sk.opts.bufLock.Or(SOCK_RCVBUF_LOCK)
	return nil
}

// A BufferSizer is a Proto that knows the sizes of a Sock's buffers in bytes
// where the program did not set them.
type BufferSizer interface {
	BufferSizes(sk *Sock) (receive, send int)
}

func (sk *Sock) sndBufSize() int {
	if n := sk.SndBuf(); n != 0 {
		return n
	}
	if b, ok := sk.Prot.(BufferSizer); ok {
		_, n := b.BufferSizes(sk)
		return n
	}
	return 0
}

func (sk *Sock) rcvBufSize() int {
	if n := sk.RcvBuf(); n != 0 {
		return n
	}
	if b, ok := sk.Prot.(BufferSizer); ok {
		n, _ := b.BufferSizes(sk)
		return n
	}
	return 0
}

// sizeofLinger is C's struct linger: two ints, on or off and seconds.
const sizeofLinger = 8

func setLinger(sk *Sock, val []byte) error {
	if len(val) < sizeofLinger {
		return errno.EINVAL
	}
	on := binary.NativeEndian.Uint32(val) != 0
	if on {
		seconds := int32(binary.NativeEndian.Uint32(val[4:]))
		if seconds < 0 {
			// Linux takes the number as unsigned, and so as forever.
			seconds = math.MaxInt32
		}
		sk.linger.Store(int64(seconds) * int64(time.Second))
	}
	sk.SetFlag(FlagLinger, on)
	return nil
}

func getLinger(sk *Sock, val []byte) (int, error) {
	var b [sizeofLinger]byte
	binary.NativeEndian.PutUint32(b[:], uint32(BoolInt(sk.Flag(FlagLinger))))
	binary.NativeEndian.PutUint32(b[4:], uint32(sk.Linger()/time.Second))
	return copy(val, b[:]), nil
}

// wordTimeval and longTimeval are the bytes of each field of the two forms of
// struct timeval: C's long, which is the machine's word, and 64 bits.
const (
	wordTimeval = strconv.IntSize / 8
	longTimeval = 8
)

func timeOption(name int, label string, width int, field func(sk *Sock) *atomic.Int64) Option {
	return Option{
		Level: SOL_SOCKET, Name: name, Label: label,
		Set: func(sk *Sock, val []byte) error {
			d, err := parseTimeval(val, width)
			if err == nil {
				field(sk).Store(int64(d))
			}
			return err
		},
		Get: func(sk *Sock, val []byte) (int, error) {
			return putTimeval(val, width, time.Duration(field(sk).Load())), nil
		},
	}
}

// parseTimeval is Linux's sock_set_timeout: zero means forever, a negative
// time means not to wait.
func parseTimeval(val []byte, width int) (time.Duration, error) {
	if len(val) < 2*width {
		return 0, errno.EINVAL
	}
	sec, usec := word(val, width), word(val[width:], width)
	switch {
	case usec < 0 || usec >= 1e6:
		return 0, errno.EDOM
	case sec < 0:
		return 0, nil
	case sec == 0 && usec == 0:
		return Forever, nil
	case sec >= int64(Forever/time.Second):
		return Forever, nil
	}
	return time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond, nil
}

func putTimeval(val []byte, width int, d time.Duration) int {
	var b [2 * longTimeval]byte
	if d != Forever {
		putWord(b[:], width, int64(d/time.Second))
		putWord(b[width:], width, int64(d%time.Second/time.Microsecond))
	}
	return copy(val, b[:2*width])
}

func word(b []byte, width int) int64 {
	if width == 4 {
		return int64(int32(binary.NativeEndian.Uint32(b)))
	}
	return int64(binary.NativeEndian.Uint64(b))
}

func putWord(b []byte, width int, v int64) {
	if width == 4 {
		binary.NativeEndian.PutUint32(b, uint32(v))
		return
	}
	binary.NativeEndian.PutUint64(b, uint64(v))
}
