package tcp

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/tamanet/tamanet/net/errno"
	"github.com/tamanet/tamanet/net/inet"
	"github.com/tamanet/tamanet/net/socket"
)

// Options of level SOL_TCP (include/uapi/linux/tcp.h).
const (
	TCP_NODELAY   = 1
	TCP_KEEPIDLE  = 4
	TCP_KEEPINTVL = 5
	TCP_KEEPCNT   = 6
	TCP_INFO      = 11
)

// The largest values of the keep-alive options (include/net/tcp.h).
const (
	maxKeepIdle  = 32767 // seconds
	maxKeepIntvl = 32767 // seconds
	maxKeepCnt   = 127
)

// Linux's defaults, which are gVisor's too (net.ipv4.tcp_keepalive_*).
const (
	defaultKeepIdle  = 7200 // seconds
	defaultKeepIntvl = 75   // seconds
	defaultKeepCnt   = 9
)

// options are those of SOL_TCP on one Sock.
type options struct {
	nodelay   atomic.Int32
	keepIdle  atomic.Int32
	keepIntvl atomic.Int32
	keepCnt   atomic.Int32
	extra     moreOptions
}

func (o *options) init() {
	o.keepIdle.Store(defaultKeepIdle)
	o.keepIntvl.Store(defaultKeepIntvl)
	o.keepCnt.Store(defaultKeepCnt)
}

func (o *options) inherit(from *options) {
	o.nodelay.Store(from.nodelay.Load())
	o.keepIdle.Store(from.keepIdle.Load())
	o.keepIntvl.Store(from.keepIntvl.Load())
	o.keepCnt.Store(from.keepCnt.Load())
	o.extra.inherit(&from.extra)
}

// ApplyOptions implements inet.EndpointProto.
func (*Proto) ApplyOptions(is *inet.Sock, ep tcpip.Endpoint) {
	o := &is.Impl.(*sock).options
	if o.nodelay.Load() != 0 {
		ep.SocketOptions().SetDelayOption(false)
	}
	if v := o.keepIdle.Load(); v != defaultKeepIdle {
		passKeepIdle(ep, v)
	}
	if v := o.keepIntvl.Load(); v != defaultKeepIntvl {
		passKeepIntvl(ep, v)
	}
	if v := o.keepCnt.Load(); v != defaultKeepCnt {
		ep.SetSockOptInt(tcpip.KeepaliveCountOption, int(v))
	}
	o.extra.apply(ep)
	t := is.Impl.(*sock)
	t.ownEndpoint(ep)
	t.guard(ep)
}

func passKeepIdle(ep tcpip.Endpoint, seconds int32) {
	v := tcpip.KeepaliveIdleOption(time.Duration(seconds) * time.Second)
	ep.SetSockOpt(&v)
}

func passKeepIntvl(ep tcpip.Endpoint, seconds int32) {
	v := tcpip.KeepaliveIntervalOption(time.Duration(seconds) * time.Second)
	ep.SetSockOpt(&v)
}

// OptionSet implements socket.OptionWatcher.
func (*Proto) OptionSet(sk *socket.Sock, name int) {
	inet.Of(sk).OptionSet(name)
	if name == socket.SO_ATTACH_FILTER {
		of(sk).look()
	}
}

// MinTTLSet implements inet.MinTTLWatcher.
func (*Proto) MinTTLSet(is *inet.Sock) { of(&is.Sock).look() }

// BufferSizes implements socket.BufferSizer.
func (*Proto) BufferSizes(sk *socket.Sock) (receive, send int) {
	is := inet.Of(sk)
	if ep := is.Endpoint(); ep != nil {
		so := ep.SocketOptions()
		return int(so.GetReceiveBufferSize()), int(so.GetSendBufferSize())
	}
	m := is.Net.Memory()
	return m.TCPReceive.Default, m.TCPSend.Default
}

// Options is the table of level SOL_TCP.
var Options = socket.NewOptionTable(append(moreTCPOptions(),
	intOption(TCP_NODELAY, "TCP_NODELAY", setNodelay, func(t *sock) int { return int(t.nodelay.Load()) }),
	intOption(TCP_KEEPIDLE, "TCP_KEEPIDLE", setKeepIdle, func(t *sock) int { return int(t.keepIdle.Load()) }),
	intOption(TCP_KEEPINTVL, "TCP_KEEPINTVL", setKeepIntvl, func(t *sock) int { return int(t.keepIntvl.Load()) }),
	intOption(TCP_KEEPCNT, "TCP_KEEPCNT", setKeepCnt, func(t *sock) int { return int(t.keepCnt.Load()) }),
	socket.Option{Level: socket.SOL_TCP, Name: TCP_INFO, Label: "TCP_INFO", Get: getInfo},
)...)

func intOption(name int, label string, set func(t *sock, v int) error, get func(t *sock) int) socket.Option {
	s, g := socket.IntOption(
		func(sk *socket.Sock, v int) error { return set(of(sk), v) },
		func(sk *socket.Sock) int { return get(of(sk)) })
	return socket.Option{Level: socket.SOL_TCP, Name: name, Label: label, Set: s, Get: g}
}

func setNodelay(t *sock, v int) error {
	t.nodelay.Store(int32(socket.BoolInt(v != 0)))
	if ep := t.Endpoint(); ep != nil {
		ep.SocketOptions().SetDelayOption(v == 0)
		if v != 0 {
			pushOnce(ep)
		}
	}
	return nil
}

func setKeepIdle(t *sock, v int) error {
	if v < 1 || v > maxKeepIdle {
		return errno.EINVAL
	}
	t.keepIdle.Store(int32(v))
	if ep := t.Endpoint(); ep != nil {
		passKeepIdle(ep, int32(v))
	}
	return nil
}

func setKeepIntvl(t *sock, v int) error {
	if v < 1 || v > maxKeepIntvl {
		return errno.EINVAL
	}
	t.keepIntvl.Store(int32(v))
	if ep := t.Endpoint(); ep != nil {
		passKeepIntvl(ep, int32(v))
	}
	return nil
}

func setKeepCnt(t *sock, v int) error {
	if v < 1 || v > maxKeepCnt {
		return errno.EINVAL
	}
	t.keepCnt.Store(int32(v))
	if ep := t.Endpoint(); ep != nil {
		ep.SetSockOptInt(tcpip.KeepaliveCountOption, v)
	}
	return nil
}

// SetSockOpt is Linux's tcp_setsockopt: other levels are the family's, and
// every option but a name needs at least an int.
func (*Proto) SetSockOpt(sk *socket.Sock, level, name int, val []byte) error {
	if level != socket.SOL_TCP {
		return inet.Of(sk).SetSockOpt(level, name, val)
	}
	if len(val) < socket.SizeofInt && name != TCP_CONGESTION {
		return errno.EINVAL
	}
	return Options.Set(sk, name, val)
}

// GetSockOpt is Linux's tcp_getsockopt.
func (*Proto) GetSockOpt(sk *socket.Sock, level, name int, val []byte) (int, error) {
	if level != socket.SOL_TCP {
		return inet.Of(sk).GetSockOpt(level, name, val)
	}
	return Options.Get(sk, name, val)
}

// Where the fields of struct tcp_info stand, in bytes, that are known here;
// the rest is zero. SizeofInfo is the structure up to tcpi_total_rto_time.
const (
	infoState       = 0
	infoCaState     = 1
	infoRto         = 8
	infoSndMss      = 16
	infoUnacked     = 24
	infoSacked      = 28
	infoRtt         = 68
	infoRttvar      = 72
	infoSndSsthresh = 76
	infoSndCwnd     = 80
	infoReordering  = 88
	infoTotalRetr   = 100
	infoSegsOut     = 136
	infoSegsIn      = 140
	infoNotSent     = 144
	infoSndWnd      = 228

	SizeofInfo = 248
)

// getInfo is Linux's tcp_get_info. Times are in microseconds.
func getInfo(sk *socket.Sock, val []byte) (int, error) {
	var b [SizeofInfo]byte
	put := func(at int, v uint32) { binary.NativeEndian.PutUint32(b[at:], v) }
	b[infoState] = byte(sk.Prot.State(sk))
	if ep := inet.Of(sk).Endpoint(); ep != nil {
		var info tcpip.TCPInfoOption
		if terr := ep.GetSockOpt(&info); terr != nil {
			return 0, errno.FromTCPIP(terr)
		}
		b[infoCaState] = caState(info.CcState)
		put(infoRto, uint32(info.RTO.Microseconds()))
		put(infoRtt, uint32(info.RTT.Microseconds()))
		put(infoRttvar, uint32(info.RTTVar.Microseconds()))
		put(infoSndSsthresh, info.SndSsthresh)
		put(infoSndCwnd, info.SndCwnd)
		if info.ReorderSeen {
			put(infoReordering, 1)
		}
		if mss, terr := ep.GetSockOptInt(tcpip.MaxSegOption); terr == nil {
			put(infoSndMss, uint32(mss))
		}
		if s, ok := segments(ep); ok {
			put(infoUnacked, uint32(s.out))
			put(infoSacked, uint32(s.sacked))
			put(infoNotSent, uint32(s.notSent()))
			put(infoSndWnd, s.wnd)
		}
		if st, ok := ep.Stats().(*gtcp.Stats); ok {
			put(infoTotalRetr, uint32(st.SendErrors.Retransmits.Value()))
			put(infoSegsOut, uint32(st.SegmentsSent.Value()))
			put(infoSegsIn, uint32(st.SegmentsReceived.Value()))
		}
	}
	return copy(val, b[:]), nil
}

// The states of congestion control (enum tcp_ca_state).
const (
	caOpen     = 0
	caDisorder = 1
	caRecovery = 3
	caLoss     = 4
)

func caState(s tcpip.CongestionControlState) byte {
	switch s {
	case tcpip.Disorder:
		return caDisorder
	case tcpip.FastRecovery, tcpip.SACKRecovery:
		return caRecovery
	case tcpip.RTORecovery:
		return caLoss
	}
	return caOpen
}
