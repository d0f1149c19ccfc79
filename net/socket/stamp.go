package socket

import (
	"encoding/binary"
	"time"

	"github.com/tamanet/tamanet/net/errno"
)

// Control messages with the time of a message have the options' numbers.
const (
	SCM_TIMESTAMP       = SO_TIMESTAMP
	SCM_TIMESTAMPNS     = SO_TIMESTAMPNS
	SCM_TIMESTAMP_NEW   = SO_TIMESTAMP_NEW
	SCM_TIMESTAMPNS_NEW = SO_TIMESTAMPNS_NEW
)

// TellStamp keeps when a message came in, for SIOCGSTAMP, and stores it in m
// as SO_TIMESTAMP and its like ask (sock_recv_timestamp).
func (sk *Sock) TellStamp(m *Msghdr, at time.Time) {
	f := SockFlag(sk.flags.Load())
	if f&FlagRcvTstamp == 0 {
		sk.SetStamp(at)
		return
	}
	width := wordTimeval
	typ := SCM_TIMESTAMP
	if f&FlagTstampNew != 0 {
		width, typ = longTimeval, SCM_TIMESTAMP_NEW
	}
	fraction := int64(at.Nanosecond() / 1000)
	if f&FlagRcvTstampNS != 0 {
		fraction = int64(at.Nanosecond())
		typ = SCM_TIMESTAMPNS
		if f&FlagTstampNew != 0 {
			typ = SCM_TIMESTAMPNS_NEW
		}
	}
	var b [2 * longTimeval]byte
	putWord(b[:], width, at.Unix())
	putWord(b[width:], width, fraction)
	m.PutCmsg(SOL_SOCKET, typ, b[:2*width])
}

// TellDrops stores how many messages were lost for want of room so far, if
// SO_RXQ_OVFL asks for it and any were (sock_recv_drops).
func (sk *Sock) TellDrops(m *Msghdr, drops uint32) {
	if drops == 0 || !sk.Flag(FlagRxqOvfl) {
		return
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], drops)
	m.PutCmsg(SOL_SOCKET, SO_RXQ_OVFL, b[:])
}

// SetStamp keeps when the last message came in (sk_stamp).
func (sk *Sock) SetStamp(at time.Time) { sk.opts.stamp.Store(at.UnixNano()) }

// Stamp returns when the last message came in, or ENOENT when none has
// (sock_gettstamp).
func (sk *Sock) Stamp() (time.Time, error) {
	ns := sk.opts.stamp.Load()
	if ns == 0 {
		return time.Time{}, errno.ENOENT
	}
	return time.Unix(0, ns), nil
}
